"""What a line through an indicator says of the tokens that were tested: `verify --at NAME<=NUMBER`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from explorer.base.errors import UsageError
from explorer.base.records.verification import VerdictColumns
from explorer.base.shares import format_share
from explorer.specs.blocks import Block, Table, count, prose
from explorer.specs.command_line import Row

if TYPE_CHECKING:
    from explorer.tables.filter_terms import Comparison
    from explorer.tables.thresholds import MeasuredScores, Share


def add_line(parser: ArgumentParser) -> None:
    """The option."""
    parser.add_argument(
        "--at", metavar="LINE", help="a line, NAME<=NUMBER or NAME>=NUMBER: precision and recall of the tokens "
        "there, of those tested, with 95 %% intervals; with --json an object a definition in place of one a token",
    )  # fmt: skip


def read_line(text: str) -> Comparison:
    """The line that `--at` gives. Raises `UsageError`."""
    from explorer.tables.filter_terms import Comparison, FilterError
    from explorer.tables.filters import parse_filter

    hint = "Write an indicator's name with <= or >= and a number: --at 'input_norm<=0.9'."
    try:
        terms = parse_filter(text).terms
    except FilterError as error:
        raise UsageError(f"--at {prose(text)}: {error}", hint=hint) from error
    line = terms[0] if len(terms) == 1 else None
    if not isinstance(line, Comparison) or line.scale != "value" or line.sign not in ("<=", ">="):
        raise UsageError(f"--at {prose(text)} is not a line", hint=hint)
    return line


def line_rows(text: str, outcome: VerdictColumns) -> Iterator[Row]:
    """An object a definition: the line, shares with their intervals, and the areas under the curves."""
    line = read_line(text)
    for definition, scores in _scores(line, outcome):
        yield {
            "model": outcome.model,
            "definition": definition,
            "indicator": line.name,
            "side": scores.side,
            "line": line.number,
            "tested": len(scores.token_ids),
            **scores.cut(line.number).row(),
            "roc_auc": scores.roc_auc,
            "average_precision": scores.average_precision,
        }


def line_blocks(text: str, outcome: VerdictColumns) -> Iterable[Block]:
    """The same as a table."""
    line = read_line(text)
    heads = ("definition", "precision", "recall", "false positives", "ROC-AUC", "average precision")
    rows, tested = [], 0
    for definition, scores in _scores(line, outcome):
        cut, tested = scores.cut(line.number), max(tested, len(scores.token_ids))
        areas = (scores.roc_auc, scores.average_precision)
        shares = map(_share, (cut.precision, cut.recall, cut.false_positives))
        rows.append((prose(definition), *shares, *("–" if area is None else f"{area:.4f}" for area in areas)))
    title = f"{prose(text)}, among the {count(tested, 'token')} tested"
    return (Table(heads, tuple(rows), right=frozenset(heads[1:]), title=title),)


def _scores(line: Comparison, outcome: VerdictColumns) -> Iterator[tuple[str, MeasuredScores]]:
    """By definition, the tokens tested, sorted by the indicator. Raises `UsageError` for one that there is not."""
    from explorer.tables.tested import TokenVerdicts
    from explorer.tables.thresholds import MeasuredScores
    from explorer.tables.verdicts import VerdictMatrix

    matrix = VerdictMatrix(outcome)
    if line.name not in matrix.indicators:
        known = ", ".join(matrix.indicators) or "none"
        raise UsageError(f"{prose(outcome.model)} has no indicator {line.name!r}", hint=f"It has: {known}.")
    for place, definition in enumerate(matrix.definitions):
        tested = TokenVerdicts(definition.rule, definition.value, matrix.verdicts[place], matrix.values[place])
        side: Any = "low" if line.sign == "<=" else "high"
        yield definition.name, MeasuredScores(matrix.indicators[line.name], tested, side)


def _share(share: Share) -> str:
    return format_share(share.part, share.whole) if share.whole else "–"
