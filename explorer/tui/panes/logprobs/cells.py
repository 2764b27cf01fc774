"""The cells of a logprob table: their forms, widths, marks and styles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from explorer.base.numbers import AT_MOST, format_entropy
from explorer.base.records.logprobs import LogprobCell, LogprobColumn, LogprobTable
from explorer.base.text import visible
from explorer.tui.widgets.number_columns import logprob_texts
from explorer.tui.widgets.prompt_lines import reply_text, token_text

Form = Literal["full", "paired", "narrow", "ranked", "logprob"]
"""What a cell shows: logprob / prob and rank; logprob / prob; the same with points that are not aligned; logprob and
rank; logprob alone."""
FORMS: tuple[Form, ...] = ("full", "paired", "narrow", "ranked", "logprob")
GAPS: dict[Form, int] = {"full": 2, "paired": 2, "narrow": 1, "ranked": 2, "logprob": 1}
"""Cells before each column."""
WORDS: dict[Form, str] = {
    "full": "logprob / prob #rank",
    "paired": "logprob / prob",
    "narrow": "logprob / prob",
    "ranked": "logprob #rank",
    "logprob": "logprob",
}
"""What a cell holds, for the line above the table."""
LEAST_CELLS = 7
RAMP_STEPS = 7


def column_texts(column: LogprobColumn, form: Form) -> list[str]:
    """The cells of one model, equally wide, with decimal points and ranks below one another."""
    return cell_texts(column.cells, form)


def cell_texts(cells: Sequence[LogprobCell], form: Form) -> list[str]:
    """Cells that stand below one another, equally wide."""
    with_prob = form in ("full", "paired", "narrow")
    texts = logprob_texts([cell.logprob for cell in cells], with_prob=with_prob, aligned=form != "narrow")
    if any(cell.bound == "at_most" for cell in cells):
        texts = [
            f"{AT_MOST if cell.bound == 'at_most' else '':<{len(AT_MOST)}}{text}"
            for text, cell in zip(texts, cells, strict=True)
        ]
    marks = [_mark(cell, form) for cell in cells]
    widest = max(map(len, marks), default=0)
    return [f"{text} {mark:>{widest}}" if widest else text for text, mark in zip(texts, marks, strict=True)]


def column_cells(column: LogprobColumn, form: Form) -> int:
    """Cells that the model's numbers take."""
    return max([LEAST_CELLS, *map(len, column_texts(column, form))])


def cell_styles(table: LogprobTable) -> list[list[str]]:
    """A style for each cell, by model and target: the ramp by log-probability, the best of a target in bold."""
    columns = table.columns
    finite = [cell.logprob for column in columns for cell in column.cells if math.isfinite(cell.logprob)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    best = [max(column.cells[row].logprob for column in columns) for row in range(len(table.targets))]
    return [
        [
            ("bold " if len(columns) > 1 and cell.logprob == best[row] else "")
            + f"$ramp-{ramp_step(cell.logprob, low, high)}"
            for row, cell in enumerate(column.cells)
        ]
        for column in columns
    ]


def entropy_text(column: LogprobColumn, body: Sequence[str]) -> str:
    """The entropy with its decimal point below those of `body`, the column's cells."""
    text = format_entropy(column.entropy)
    point = body[0].find(".") if body else text.find(".")
    return " " * max(0, point - text.find(".")) + text


def ramp_step(logprob: float, low: float, high: float) -> int:
    """The step of the theme's ramp (0 low … 6 high) for a log-probability between `low` and `high`, nats."""
    if not math.isfinite(logprob):
        return 0
    if high <= low:
        return RAMP_STEPS - 1
    share = (logprob - low) / (high - low)
    return min(RAMP_STEPS - 1, max(0, int(share * RAMP_STEPS)))


def model_name(column: LogprobColumn) -> str:
    """The model's name as a screen may show it."""
    return visible(column.model, spaces=False)


def target_names(table: LogprobTable) -> list[str]:
    """The targets as safe lines; bytes that are not text are shown where a model's list tells them."""
    names = []
    for row, target in enumerate(table.targets):
        known = (
            token_text(top.token.token_bytes)
            for column in table.columns
            for top in column.top
            if (top.token.token_id,) == column.cells[row].target_ids
        )
        names.append(next(known, reply_text(target) or "∅"))
    return names


def _mark(cell: LogprobCell, form: Form) -> str:
    """`Σ3` for a target that is three tokens in this model, else its rank where the form has it."""
    if len(cell.target_ids) > 1:
        return f"Σ{len(cell.target_ids)}"
    return "" if form not in ("full", "ranked") or cell.rank is None else f"#{cell.rank}"
