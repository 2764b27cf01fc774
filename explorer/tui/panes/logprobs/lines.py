"""Next-token log-probabilities of several models side by side, as lines: a pure function of the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from textual.content import Content

from explorer.base.numbers import AT_MOST, format_entropy
from explorer.base.records.logprobs import LogprobCell, LogprobColumn, LogprobTable, ReadLogprobs
from explorer.base.records.tokens import TokenRef
from explorer.base.text import visible
from explorer.tui.widgets.number_columns import logprob_texts
from explorer.tui.widgets.prompt_lines import (
    MUTED,
    fit,
    prompt_lines,
    reply_text,
    template_form,
    token_in_slot,
    token_text,
)

Form = Literal["full", "paired", "ranked", "logprob"]
"""What a cell shows: logprob / prob and rank; logprob / prob; logprob and rank; logprob alone."""
FORMS: tuple[Form, ...] = ("full", "paired", "ranked", "logprob")

RAMP_STEPS = 7
_TARGET_CELLS = (8, 18)
"""Least and most cells of the column of targets."""
_GAPS: dict[Form, int] = {"full": 2, "paired": 2, "ranked": 2, "logprob": 1}
_SHORT_PROMPT = 4
_TOP_CELLS = 24
_TOP_FULL_CELLS = 40


@dataclass(frozen=True)
class TableView:
    """A table with how it is looked at."""

    request: ReadLogprobs
    table: LogprobTable
    token: TokenRef | None = None
    """The token in the prompt's slot, where there is one."""
    stopped: bool = False
    """Whether the user stopped it: models may be missing."""
    cursor: int = 0
    """The column that left and right move to."""
    sort: int | None = None
    """The column that rows are sorted by, best first; None: in the order asked."""
    reverse: bool = False
    form: Form | None = None
    """None: the fullest form in which all models fit."""


def table_lines(view: TableView, width: int) -> list[Content]:
    """Prompt, table and each model's list of best tokens, in lines of at most `width` cells."""
    if not view.table.columns:
        return [Content.styled("no model answered", MUTED)]
    return [
        *_prompts(view, width),
        *_table(view, width),
        Content(""),
        *_top_lists(view.table.columns, width),
    ]


def row_order(view: TableView) -> list[int]:
    """Indices of the targets in the order shown; ties keep the order asked."""
    rows = list(range(len(view.table.targets)))
    if view.sort is None:
        return rows
    cells = view.table.columns[view.sort].cells
    return sorted(rows, key=lambda row: cells[row].logprob, reverse=not view.reverse)


def ramp_step(logprob: float, low: float, high: float) -> int:
    """The step of the theme's ramp (0 low … 6 high) for a log-probability between `low` and `high`, nats."""
    if not math.isfinite(logprob):
        return 0
    if high <= low:
        return RAMP_STEPS - 1
    share = (logprob - low) / (high - low)
    return min(RAMP_STEPS - 1, max(0, int(share * RAMP_STEPS)))


# ── prompt and notes ──────────────────────────────────────────────────────────────────────────────────────


def _prompts(view: TableView, width: int) -> list[Content]:
    """Each distinct prompt once, above the names of the models that read it, and what is odd about it."""
    request = view.request
    form = template_form(request.template) if request.template is not None else request.prompt
    readers: dict[str, list[LogprobColumn]] = {}
    for column in view.table.columns:
        readers.setdefault(column.prompt, []).append(column)
    lines: list[Content] = []
    for prompt, columns in readers.items():
        if len(readers) > 1:
            lines.append(Content.styled(", ".join(_name(column) for column in columns), MUTED))
        token = view.token
        if token is None and request.token_id is not None:
            token = token_in_slot(prompt, form, request.token_id)
        prose = prompt_lines(prompt, form, token, width - 2, _SHORT_PROMPT)
        lines += [Content.styled("│ ", MUTED) + line for line in prose]
    notes = [note for column in view.table.columns for note in _notes(column)]
    if view.stopped:
        notes.append("■ cancelled: the models not asked yet are missing")
    lines += [line for note in notes for line in Content.styled(note, "$warning").wrap(width)]
    return lines


def _notes(column: LogprobColumn) -> list[str]:
    notes = []
    if column.slot_as_text:
        notes.append(f"! {_name(column)} has no token of these bytes: the slot took several ids, as text")
    if not column.reencodes:
        notes.append(f"! {_name(column)}: the prompt's text would encode to other ids")
    return notes


# ── the table ─────────────────────────────────────────────────────────────────────────────────────────────


def _table(view: TableView, width: int) -> list[Content]:
    """Header, one row a target, and the entropies; models that do not fit are scrolled to by the cursor."""
    columns = view.table.columns
    names = target_names(view.table)
    least, most = _TARGET_CELLS
    cells = min(most, width // 4, max([least, *(Content(name).cell_length for name in names)]))
    form = view.form or _fullest(view, width - cells)
    bodies = [_column_texts(column, form) for column in columns]
    gap = Content(" " * _GAPS[form])
    widths = _widths(columns, bodies, width - cells - len(gap) * len(columns))
    first, last = window(widths, view.cursor, width - cells, len(gap))
    rows = [
        [Content.styled(text, style) for text, style in zip(texts, ramp, strict=True)]
        for texts, ramp in zip(bodies, _cell_styles(view), strict=True)
    ]
    lines = [_caption(form, first, len(columns) - last), gap.join(_header(view, widths, cells, first, last))]
    for row in row_order(view):
        line = [fit(names[row], cells), *(fit(rows[at][row], widths[at]) for at in range(first, last))]
        lines.append(fit(gap.join(line), width))
    entropies = [_entropy(columns[at], bodies[at], widths[at]) for at in range(first, last)]
    lines.append(fit(gap.join([fit("entropy", cells, MUTED), *entropies]), width))
    return lines


def _widths(columns: Sequence[LogprobColumn], bodies: Sequence[Sequence[str]], room: int) -> list[int]:
    """The columns' widths: what the cells need, and where `room` is left what the names need."""
    widths = [max([7, *map(len, body)]) for body in bodies]
    for at, column in enumerate(columns):
        wanted = Content(_name(column)).cell_length + 1 - widths[at]
        widths[at] += max(0, min(wanted, room - sum(widths)))
    return widths


def window(widths: Sequence[int], cursor: int, room: int, gap: int) -> tuple[int, int]:
    """Which columns are shown, as (first, one past the last): those that fit in `room` and the cursor's.

    The first column stays the first as long as the cursor's fits beside it; one column is always shown.
    """
    first = 0
    while first < cursor and sum(widths[first : cursor + 1]) + gap * (cursor + 1 - first) > room:
        first += 1
    last = first + 1
    while last < len(widths) and sum(widths[first : last + 1]) + gap * (last + 1 - first) <= room:
        last += 1
    return first, last


def _fullest(view: TableView, room: int) -> Form:
    """The form that says most among those in which every model fits in `room` cells; else the shortest."""
    for form in FORMS:
        widths = [max(7, *map(len, _column_texts(column, form)), 0) for column in view.table.columns]
        if sum(widths) + _GAPS[form] * len(widths) <= room:
            return form
    return FORMS[-1]


def _column_texts(column: LogprobColumn, form: Form) -> list[str]:
    """The cells of one model, equally wide, with decimal points and ranks below one another."""
    texts = logprob_texts([cell.logprob for cell in column.cells], with_prob=form in ("full", "paired"))
    if any(cell.bound == "at_most" for cell in column.cells):
        texts = [
            f"{AT_MOST if cell.bound == 'at_most' else '':<{len(AT_MOST)}}{text}"
            for text, cell in zip(texts, column.cells, strict=True)
        ]
    marks = [_mark(cell, form) for cell in column.cells]
    widest = max(map(len, marks), default=0)
    return [f"{text} {mark:>{widest}}" if widest else text for text, mark in zip(texts, marks, strict=True)]


def _mark(cell: LogprobCell, form: Form) -> str:
    """`Σ3` for a target that is three tokens in this model, else its rank where the form has it."""
    if len(cell.target_ids) > 1:
        return f"Σ{len(cell.target_ids)}"
    return "" if form in ("paired", "logprob") or cell.rank is None else f"#{cell.rank}"


def _cell_styles(view: TableView) -> list[list[str]]:
    """A style for each cell, by model and target: the ramp by log-probability, the best of a target in bold."""
    columns = view.table.columns
    finite = [cell.logprob for column in columns for cell in column.cells if math.isfinite(cell.logprob)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    best = [max(column.cells[row].logprob for column in columns) for row in range(len(view.table.targets))]
    return [
        [
            ("bold " if len(columns) > 1 and cell.logprob == best[row] else "")
            + f"$ramp-{ramp_step(cell.logprob, low, high)}"
            for row, cell in enumerate(column.cells)
        ]
        for column in columns
    ]


def _caption(form: Form, left: int, right: int) -> Content:
    """What the cells hold, and how many models are out of sight on each side."""
    words = {
        "full": "logprob / prob #rank", "paired": "logprob / prob", "ranked": "logprob #rank", "logprob": "logprob",
    }  # fmt: skip
    parts = [f"{words[form]}, nats"]
    if left:
        parts.append(f"◂ {left} more")
    if right:
        parts.append(f"{right} more ▸")
    return Content.styled("   ".join(parts), MUTED)


def _header(view: TableView, widths: Sequence[int], cells: int, first: int, last: int) -> list[Content]:
    """The models' names; the cursor's column is reversed, the sorted one has an arrow."""
    parts = [fit("target", cells, MUTED)]
    for at in range(first, last):
        arrow = ("▲" if view.reverse else "▼") if at == view.sort else ""
        name = fit(_name(view.table.columns[at]), widths[at] - len(arrow)) + Content(arrow)
        parts.append(name.stylize("reverse" if at == view.cursor else "bold"))
    return parts


def _entropy(column: LogprobColumn, body: Sequence[str], width: int) -> Content:
    """The entropy with its decimal point below the column's."""
    text = format_entropy(column.entropy)
    point = body[0].find(".") if body else text.find(".")
    return fit(" " * max(0, point - text.find(".")) + text, width, MUTED)


# ── each model's best tokens ──────────────────────────────────────────────────────────────────────────────


def _top_lists(columns: Sequence[LogprobColumn], width: int) -> list[Content]:
    """The models' best tokens, as many lists side by side as there is room for, the others below."""
    abreast = max(1, min(len(columns), (width + 3) // (_TOP_CELLS + 3)))
    cells = (width - 3 * (abreast - 1)) // abreast
    lines: list[Content] = []
    for start in range(0, len(columns), abreast):
        lists = [_top_list(column, min(cells, 44)) for column in columns[start : start + abreast]]
        height = max(map(len, lists))
        padded = [[*each, *[fit("", min(cells, 44))] * (height - len(each))] for each in lists]
        lines += [Content("   ").join(row) for row in zip(*padded, strict=True)]
        lines.append(Content(""))
    return lines[:-1]


def _top_list(column: LogprobColumn, width: int) -> list[Content]:
    head = Content.assemble((_name(column), "bold"), (f"  best {len(column.top)}", MUTED))
    values = logprob_texts([top.logprob for top in column.top], with_prob=width >= _TOP_FULL_CELLS)
    lines = [fit(head, width)]
    for rank, (top, value) in enumerate(zip(column.top, values, strict=True)):
        name = fit(token_text(top.token.token_bytes), width - 5 - len(value))
        lines.append(Content.assemble((f"{rank:>3} ", MUTED), name, f" {value}"))
    return lines


def _name(column: LogprobColumn) -> str:
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
