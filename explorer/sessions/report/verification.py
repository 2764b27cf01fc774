"""What a report says of verification: sweeps, the evidence behind a verdict, self-tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from explorer.base.numbers import format_logprob_and_percent
from explorer.base.records.self_test import HardListScore, SelfTestResult
from explorer.base.records.verification import TruthScore, VerdictEvidence, VerdictRow, VerificationResult
from explorer.specs.blocks import Block, Quote, Table, Words, prose, token_text


def verification_blocks(outcome: VerificationResult) -> Iterable[Block]:
    """What a sweep found: by definition, by pair, against the truth, by indicator, and the tokens called."""
    heads = ("definition", "rule", "verified", "weak", "rejected", "inconclusive")
    rows = tuple(
        (prose(found.title), prose(found.rule), f"{found.verified:,}", f"{found.weak:,}", f"{found.rejected:,}",
         f"{found.inconclusive:,}")
        for found in outcome.definitions
    )  # fmt: skip
    yield Table(heads, rows, right=frozenset(heads[2:]))
    if outcome.pairs:
        overlaps = tuple(
            (
                f"{prose(pair.first)} and {prose(pair.second)}",
                f"{pair.both:,}",
                f"{pair.either:,}",
                f"{pair.jaccard:.3f}",
            )
            for pair in outcome.pairs
        )
        yield Table(("called by", "both", "either", "Jaccard"), overlaps, frozenset({"both", "either", "Jaccard"}))
    if outcome.truths:
        yield _truths(outcome.truths)
    if outcome.indicators:
        scores = tuple(
            (prose(score.indicator), prose(score.definition), "low" if score.low_is_suspicious else "high",
             f"{score.roc_auc:.4f}", f"{score.average_precision:.4f}")
            for score in outcome.indicators
        )  # fmt: skip
        measures = ("ROC-AUC", "average precision")
        yield Table(("indicator", "foretells", "suspicious", *measures), scores, frozenset(measures))
    yield from _verdicts(outcome.rows)
    yield from (Words(prose(note)) for note in outcome.notes)


def _truths(scores: Sequence[TruthScore]) -> Table:
    heads = ("definition", "against", "true", "false", "missed", "undecided", "precision", "recall")
    rows = tuple(
        (prose(score.definition), prose(score.truth), f"{score.true_positives:,}", f"{score.false_positives:,}",
         f"{score.false_negatives:,}", f"{score.undecided:,}",
         _share(score.precision), _share(score.recall))
        for score in scores
    )  # fmt: skip
    return Table(heads, rows, right=frozenset(heads[2:]))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _verdicts(rows: Sequence[VerdictRow]) -> Iterable[Table]:
    """Tokens by definitions; nothing where there are no tokens."""
    if not rows:
        return
    names = tuple(dict.fromkeys(name for row in rows for name in row.verdicts))
    cells = tuple(
        (str(row.token.token_id), token_text(row.token), row.category,
         *(row.verdicts[name].verdict if name in row.verdicts else "" for name in names))
        for row in rows
    )  # fmt: skip
    yield Table(("id", "token", "category", *map(prose, names)), cells, right=frozenset({"id"}))


def evidence_blocks(outcome: VerdictEvidence) -> Iterable[Block]:
    """A verdict and the prompts it rests on."""
    found = outcome.definition
    value = "" if outcome.cell.value is None else f", {prose(found.value)} {outcome.cell.value:.4g}"
    yield Words(f"{token_text(outcome.token)} by {prose(found.title)}: {outcome.cell.verdict}{value}")
    for prompt in outcome.prompts:
        yield Quote(prose(prompt.prompt))
        logprobs = ", ".join(map(format_logprob_and_percent, prompt.logprobs))
        said = [f"reply: {prose(prompt.reply)}"] if prompt.reply else []
        said += [f"the token's own: {logprobs}"] if logprobs else []
        said += [f"classes: {', '.join(prompt.classes)}"] if prompt.classes else []
        yield Words("; ".join(said) or "nothing was asked")


def self_test_blocks(outcome: SelfTestResult) -> Iterable[Block]:
    """How far the program and a list agree."""
    yield Words(prose(outcome.statement))
    yield _truths([outcome.score])
    correlation = "–" if outcome.rank_correlation is None else f"{outcome.rank_correlation:.3f}"
    facts = (
        ("listed", f"{outcome.listed:,}"),
        ("tested", f"{outcome.tested:,}"),
        ("rank correlation", correlation),
        ("of", prose(outcome.correlated)),
        ("within a decade", _share(outcome.within_a_decade)),
    )
    yield Table(("fact", "value"), facts)
    yield from _verdicts(outcome.disagreements)
    if outcome.hard_to_speak is not None:
        yield from _hard_list(outcome.hard_to_speak)


def _hard_list(found: HardListScore) -> Iterable[Block]:
    yield Words(
        f"{prose(found.list_name)}: {prose(found.statement)} Own-direction winners as printed: {found.agreed:,} of "
        f"{len(found.lines):,}; verdicts of the linear program as printed: {found.boxes_agreed:,} of {found.boxes:,}; "
        f"not listed but hard to speak: {found.not_listed:,}."
    )
    rows = tuple(
        (
            str(line.token.token_id), token_text(line.token), str(line.listed_winner), str(line.winner.token_id),
            f"{line.lead:.3g}",
        )
        for line in found.lines
    )  # fmt: skip
    yield Table(("id", "token", "winner, printed", "winner, ours", "ahead by"), rows, right=frozenset({"id"}))
