"""Tables of verdicts: by definition, by pair, against the truth, by indicator, by token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from explorer.base.records.verification import (
    ControlCounts,
    ReplyCounts,
    TruthScore,
    VerdictCell,
    VerdictRow,
    VerificationResult,
)
from explorer.base.shares import format_share
from explorer.specs.blocks import Table, prose, token_text


def definitions_table(outcome: VerificationResult) -> Table:
    """What each definition found, of the tokens tested and of the controls."""
    heads = ("definition", "title", "verified", "weak", "rejected", "inconclusive", "controls called", "rule")
    rows = tuple(
        (prose(found.name), prose(found.title), f"{found.verified:,}", f"{found.weak:,}", f"{found.rejected:,}",
         f"{found.inconclusive:,}", controls_called(found.controls), prose(found.rule))
        for found in outcome.definitions
    )  # fmt: skip
    table = Table(heads, rows, right=frozenset(heads[2:-1]))
    return table if any(found.controls for found in outcome.definitions) else _without(table, "controls called")


def _without(table: Table, head: str) -> Table:
    """The table without one of its columns."""
    kept = [place for place, one in enumerate(table.heads) if one != head]
    heads = tuple(table.heads[place] for place in kept)
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return msgspec.structs.replace(table, heads=heads, rows=rows, right=table.right - {head})


def controls_called(controls: ControlCounts | None) -> str:
    """'14/16 [0.64, 0.97] fail'; a dash where none was asked."""
    if controls is None:
        return "–"
    return format_share(controls.called, controls.tokens) + (" fail" if controls.fail else "")


def replies_table(outcome: VerificationResult) -> Table | None:
    """What replies say of the tokens tested and of the controls; None where no definition looks at it."""
    heads = ("replies", "exact", "exact or contains", "controls: exact", "controls: exact or contains")
    rows = tuple(
        (prose(found.name), *reply_shares(found.replies),
         *reply_shares(None if found.controls is None else found.controls.replies))
        for found in outcome.definitions
        if found.replies is not None
    )  # fmt: skip
    if not rows:
        return None
    title = "what replies say, with 95 % Wilson intervals"
    return Table(heads, rows, right=frozenset(heads[1:]), title=title)


def reply_shares(counts: ReplyCounts | None) -> tuple[str, str]:
    """The shares of exact replies, and of those that are exact or contain the token, with their intervals."""
    if counts is None:
        return "–", "–"
    return format_share(counts.exact, counts.replies), format_share(counts.said, counts.replies)


def pairs_table(outcome: VerificationResult) -> Table:
    """How far two definitions call the same tokens."""
    heads = ("called by", "both", "either", "Jaccard")
    rows = tuple(
        (f"{prose(pair.first)} and {prose(pair.second)}", f"{pair.both:,}", f"{pair.either:,}", f"{pair.jaccard:.3f}")
        for pair in outcome.pairs
    )
    return Table(heads, rows, right=frozenset(heads[1:]), title="tokens that two definitions call")


def indicators_table(outcome: VerificationResult) -> Table:
    """How well the indicators foretell what a definition calls."""
    heads = ("indicator", "foretells", "suspicious", "ROC-AUC", "average precision")
    rows = tuple(
        (prose(score.indicator), prose(score.definition), "low" if score.low_is_suspicious else "high",
         f"{score.roc_auc:.4f}", f"{score.average_precision:.4f}")
        for score in outcome.indicators
    )  # fmt: skip
    return Table(heads, rows, right=frozenset(heads[3:]), title="indicators")


def truth_table(scores: Sequence[TruthScore]) -> Table:
    """Definitions against what is known to be true."""
    heads = ("definition", "against", "precision", "recall", "hits", "false", "missed", "undecided")
    rows = tuple(
        (prose(score.definition), prose(score.truth), share(score.precision), share(score.recall),
         f"{score.true_positives:,}", f"{score.false_positives:,}", f"{score.false_negatives:,}",
         f"{score.undecided:,}")
        for score in scores
    )  # fmt: skip
    return Table(heads, rows, right=frozenset(heads[2:]), title="definitions against what is known")


def share(value: float | None) -> str:
    """A number from 0 to 1 (of a correlation: from −1) with three decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def verdict_tables(rows: Sequence[VerdictRow], title: str) -> Iterable[Table]:
    """Tokens by definitions, each verdict with its number; nothing where there are no tokens."""
    if not rows:
        return
    definitions = tuple(dict.fromkeys(name for row in rows for name in row.verdicts))
    cells = tuple(
        (str(row.token.token_id), token_text(row.token), row.category,
         *(verdict_words(row.verdicts[name]) if name in row.verdicts else "" for name in definitions))
        for row in rows
    )  # fmt: skip
    yield Table(("id", "token", "category", *map(prose, definitions)), cells, right=frozenset({"id"}), title=title)


def verdict_words(cell: VerdictCell) -> str:
    """'verified 0.00012'; the reason of an inconclusive verdict in brackets, short enough for a cell."""
    verdict = cell.verdict.replace(": the controls fail too", " (controls fail too)")
    return verdict if cell.value is None else f"{verdict} {cell.value:.2g}"
