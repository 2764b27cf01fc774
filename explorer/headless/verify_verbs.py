"""`verify` and `selftest`: whole vocabularies by every definition, and this program against published lists."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.text import Text

from explorer.base.records.plain import to_plain
from explorer.base.records.self_test import BoxLine, HardListScore, SelfTest, SelfTestResult
from explorer.base.records.unions import AnyRequest
from explorer.base.records.verification import (
    ReadVerdicts,
    TruthScore,
    VerdictCell,
    VerdictColumns,
    VerdictRow,
    VerificationResult,
    Verify,
)
from explorer.base.text import visible
from explorer.headless.tables import _number, _table, _text, _token
from explorer.headless.verb import Asked, Row, Verb
from explorer.tables.exports import FORMATS, rows_of, write_export
from explorer.tables.verdicts import AGREEMENTS, VerdictMatrix

SHOWN = 20


def _verify_arguments(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every token but padding (default)")
    which.add_argument("--top-percent", type=float, metavar="P", help="the P %% lowest by the indicator")
    which.add_argument("--token-ids", type=_ids, metavar="IDS", help="these ids, comma-separated")
    parser.add_argument("--indicator", default="", metavar="NAME", help="the indicator that orders the tokens")
    parser.add_argument(
        "--definitions", type=_names, default=(), metavar="NAMES",
        help="comma-separated: magikarp, magikarp-released, glitchminer, glitchminer-strict, substring, plain, "
        "sampled, geometric, geometric:INDICATOR, all (default: all but sampled and magikarp-released)",
    )  # fmt: skip
    parser.add_argument("--samples", type=int, default=8, metavar="K", help="replies of the sampled definition")
    parser.add_argument("--seed", type=int, metavar="S")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on where an earlier sweep ended (always done)")
    again.add_argument("--fresh", action="store_true", help="ask again what has been answered before")
    parser.add_argument("--export", metavar="FILE", help="write the chosen tokens: .csv, .parquet, .md or .jsonl")
    parser.add_argument("--format", choices=FORMATS, default="", help="of the export, where the suffix does not tell")
    parser.add_argument(
        "--choose", choices=AGREEMENTS, default="called", help="which tokens are exported (default: called by any)"
    )


def _ids(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part.strip())


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _verify_requests(asked: Asked) -> Iterable[AnyRequest]:
    given = asked.arguments
    for model in asked.models:
        request = Verify(
            model=model.name,
            token_ids=given.token_ids,
            top_percent=given.top_percent,
            indicator=given.indicator,
            definitions=given.definitions,
            samples=given.samples,
            seed=asked.settings.seed if given.seed is None else given.seed,
            fresh=given.fresh,
        )
        yield request
        if given.json or given.export:
            yield ReadVerdicts(of=request)


def _verify_rows(outcome: VerificationResult | VerdictColumns) -> Iterable[Row]:
    if isinstance(outcome, VerdictColumns):
        matrix = VerdictMatrix(outcome)
        for row in rows_of(matrix, range(len(matrix))):
            yield {"model": outcome.model, **row}


def _say_and_export(given: Namespace, outcome: VerificationResult | VerdictColumns) -> None:
    if given.json and isinstance(outcome, VerificationResult):  # else they stand above the table
        for note in outcome.notes:
            print(f"{visible(outcome.model)}: {visible(note, spaces=False)}", file=sys.stderr)
    if given.export and isinstance(outcome, VerdictColumns):
        matrix = VerdictMatrix(outcome)
        places = np.flatnonzero(matrix.where(given.choose)).tolist()
        path = Path(given.export)
        if len(given.sources) > 1:
            path = path.with_stem(f"{path.stem}-{outcome.model}")
        form = write_export(matrix, places, path, given.format)
        print(f"{len(places):,} tokens written to {path.name} as {form}", file=sys.stderr)


def _verify_show(outcome: VerificationResult | VerdictColumns) -> Sequence[Any]:
    if isinstance(outcome, VerdictColumns):
        return []
    lines: list[Any] = [Text(_what_was_done(outcome)), *(Text(note, "yellow") for note in outcome.notes)]
    counts = ("verified", "weak", "rejected", "inconclusive")
    table = _table("definition", *counts, "rule", right=counts)
    for found in outcome.definitions:
        numbers = [f"{number:,}" for number in (found.verified, found.weak, found.rejected, found.inconclusive)]
        table.add_row(found.name, *numbers, _text(found.rule, 80, spaces=False))
    lines += [table, *_truth_tables(outcome.truths)]
    if outcome.pairs:
        overlaps = _table("called by both", "", "both", "either", "Jaccard", right=("both", "either", "Jaccard"))
        for pair in outcome.pairs:
            overlaps.add_row(pair.first, pair.second, f"{pair.both:,}", f"{pair.either:,}", f"{pair.jaccard:.3f}")
        lines.append(overlaps)
    return [*lines, *_row_table(outcome.rows[:SHOWN], [found.name for found in outcome.definitions])]


def _what_was_done(outcome: VerificationResult) -> str:
    speed = f", {outcome.tokens_per_second:,.1f} tokens/s" if outcome.tokens_per_second else ""
    return (
        f"{visible(outcome.model)}: {outcome.tokens:,} tokens, {outcome.answered:,} prompts answered,"
        f" {outcome.reused:,} answers from disk{speed}"
    )


def _truth_tables(truths: Sequence[TruthScore]) -> list[Any]:
    tables = []
    for truth in dict.fromkeys(score.truth for score in truths):
        numbers = ("precision", "recall", "hits", "false", "missed", "undecided")
        table = _table(truth, *numbers, right=numbers)
        for score in truths:
            if score.truth == truth:
                counts = (score.true_positives, score.false_positives, score.false_negatives, score.undecided)
                table.add_row(
                    score.definition, _number(score.precision, 4), _number(score.recall, 4),
                    *(f"{count:,}" for count in counts),
                )  # fmt: skip
        tables.append(table)
    return tables


def _row_table(rows: Sequence[VerdictRow], names: Sequence[str]) -> list[Any]:
    if not rows:
        return []
    table = _table("id", "token", "category", *names, right=("id",))
    for row in rows:
        cells = [_cell(row.verdicts[name]) for name in names]
        table.add_row(str(row.token.token_id), _token(row.token), row.category, *cells)
    return [table]


def _cell(cell: VerdictCell) -> str:
    return cell.verdict if cell.value is None else f"{cell.verdict} {cell.value:.2g}"


# ── selftest ──────────────────────────────────────────────────────────────────────────────────────────────


def _no_arguments(parser: ArgumentParser) -> None:
    """`selftest` has none of its own."""


def _self_test_requests(asked: Asked) -> Iterable[AnyRequest]:
    for model in asked.models:
        yield SelfTest(model=model.name)


def _self_test_rows(outcome: SelfTestResult) -> Iterable[Row]:
    plain = to_plain(outcome)
    del plain["kind"]
    yield plain


def _self_test_show(outcome: SelfTestResult) -> Sequence[Any]:
    score = outcome.score
    facts = [
        f"{visible(outcome.model)} against {outcome.list_name}: {outcome.listed:,} tokens listed,"
        f" {outcome.tested:,} tested",
        outcome.statement,
        f"precision {_share(score.precision)}, recall {_share(score.recall)} ({score.true_positives:,} hits,"
        f" {score.false_positives:,} false, {score.false_negatives:,} missed, {score.undecided:,} undecided)",
        f"rank correlation {_share(outcome.rank_correlation)} ({outcome.correlated})",
        f"P(token) within one decade: {_share(outcome.within_a_decade)}",
    ]
    shown = [*(Text(fact) for fact in facts), *_row_table(outcome.disagreements[:SHOWN], [score.definition])]
    return shown if outcome.hard_to_speak is None else [*shown, *_hard_list(outcome.hard_to_speak)]


def _hard_list(found: HardListScore) -> Sequence[Any]:
    facts = [
        f"{found.list_name}: {found.statement}",
        f"own-direction winners: {found.agreed:,} of {len(found.lines):,} as printed; {found.not_listed:,} tokens are"
        " hard to speak by our numbers and not listed",
        f"the linear program: {found.boxes_agreed:,} of {found.boxes:,} verdicts as printed",
    ]
    table = _table("token id", "token", "winner, printed", "winner, ours", "ahead by", "linear program")
    for line in found.lines:
        table.add_row(
            str(line.token.token_id), _token(line.token), str(line.listed_winner), str(line.winner.token_id),
            f"{line.lead:.3g}" if line.lead else "", Text("; ".join(map(box_words, line.boxes))),
        )  # fmt: skip
    return [*(Text(fact) for fact in facts), table]


def box_words(line: BoxLine) -> str:
    """The post's answer beside ours, in words."""
    asked = "with bias" if line.bias else "no bias"
    said = {True: "as printed", False: f"printed: {line.listed_best} wins", None: f"printed: {line.listed_best} wins"}
    return f"{asked}: {line.verdict}, margin {line.margin:.3g} ({said[line.agrees]})"


def _share(number: float | None) -> str:
    return "not to be had" if number is None else f"{number:.3f}"


VERIFY_VERBS: tuple[Verb, ...] = (
    Verb("verify", "test a vocabulary by every definition of a glitch token", "+", _verify_arguments, _verify_requests,
         _verify_rows, _verify_show, after=_say_and_export),
    Verb("selftest", "score this program against published lists, or against the zoo's ground truth", "+",
         _no_arguments, _self_test_requests, _self_test_rows, _self_test_show),
)  # fmt: skip
