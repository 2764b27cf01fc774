"""Next-token log-probabilities of several models side by side, as lines: a pure function of the table."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from explorer.base.records.logprobs import LogprobColumn
from explorer.tui.panes.logprobs.cells import (
    FORMS,
    GAPS,
    LEAST_CELLS,
    WORDS,
    Form,
    cell_styles,
    column_cells,
    column_texts,
    entropy_text,
    model_name,
    target_names,
)
from explorer.tui.panes.logprobs.table_view import TableView, row_order
from explorer.tui.panes.logprobs.turned import turned_lines
from explorer.tui.widgets.number_columns import logprob_texts
from explorer.tui.widgets.prompt_lines import MUTED, fit, prompt_lines, template_form, token_in_slot, token_text
from explorer.tui.widgets.selecting import BAR

_TARGET_CELLS = (8, 18)
"""Least and most cells of the column of targets."""
_NARROW_TARGET: dict[Form, int] = {"paired": 8, "narrow": 6}
"""Cells that the column of targets gives way to before two models, such as base and instruct, lose `logprob / prob`."""
_SHORT_PROMPT = 4
_TOP_CELLS = 24
_TOP_FULL_CELLS = 40


def table_lines(view: TableView, width: int) -> list[Content]:
    """Prompt, table and each model's list of best tokens, in lines of at most `width` cells."""
    if not view.table.columns:
        return [Content.styled("no model answered", MUTED)]
    table = _table(view, width) if view.shape == "table" else turned_lines(view, width)
    return [
        *_prompts(view, width),
        *table,
        Content(""),
        *_top_lists(view.table.columns, width),
    ]


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
            lines.append(Content.styled(", ".join(model_name(column) for column in columns), MUTED))
        token = view.token
        if token is None and request.token_id is not None:
            token = token_in_slot(prompt, form, request.token_id)
        prose = prompt_lines(prompt, form, token, width - 2, _SHORT_PROMPT)
        lines += [Content.styled(BAR, MUTED) + line for line in prose]
    notes = [note for column in view.table.columns for note in _notes(column)]
    if view.stopped:
        notes.append("■ cancelled: the models not asked yet are missing")
    lines += [line for note in notes for line in Content.styled(note, "$warning").wrap(width)]
    return lines


def _notes(column: LogprobColumn) -> list[str]:
    notes = []
    if column.slot_as_text:
        notes.append(f"! {model_name(column)} has no token of these bytes: the slot took several ids, as text")
    if not column.reencodes:
        notes.append(f"! {model_name(column)}: the prompt's text would encode to other ids")
    return notes


# ── the table ─────────────────────────────────────────────────────────────────────────────────────────────


def _table(view: TableView, width: int) -> list[Content]:
    """Header, one row a target, and the entropies; models that do not fit are scrolled to by the cursor."""
    columns = view.table.columns
    names = target_names(view.table)
    form, cells = _form_and_cells(view, names, width)
    bodies = [column_texts(column, form) for column in columns]
    gap = Content(" " * GAPS[form])
    widths = _widths(columns, bodies, width - cells - len(gap) * len(columns))
    first, last = window(widths, view.cursor, width - cells, len(gap))
    rows = [
        [Content.styled(text, style) for text, style in zip(texts, ramp, strict=True)]
        for texts, ramp in zip(bodies, cell_styles(view.table), strict=True)
    ]
    lines = [_caption(form, first, len(columns) - last), gap.join(_header(view, widths, cells, first, last))]
    for row in row_order(view):
        line = [fit(names[row], cells), *(fit(rows[at][row], widths[at]) for at in range(first, last))]
        lines.append(fit(gap.join(line), width))
    entropies = [fit(entropy_text(columns[at], bodies[at]), widths[at], MUTED) for at in range(first, last)]
    lines.append(fit(gap.join([fit("entropy", cells, MUTED), *entropies]), width))
    return lines


def _form_and_cells(view: TableView, names: Sequence[str], width: int) -> tuple[Form, int]:
    """The form of the cells, and how wide the column of targets is.

    The fullest form in which every model fits, the targets cut short before `logprob / prob` is given up; the form
    that the user chose wherever one model fits in it.
    """
    fewest, most = _TARGET_CELLS
    wanted = min(most, width // 4, max([fewest, *(Content(name).cell_length for name in names)]))
    if view.form is not None and _room_taken(view.table.columns[view.cursor : view.cursor + 1], view.form) <= (
        width - wanted
    ):
        return view.form, wanted
    pair = len(view.table.columns) <= 2
    for form in FORMS if pair else [form for form in FORMS if form != "narrow"]:
        left = width - _room_taken(view.table.columns, form)
        if left >= min(wanted, _NARROW_TARGET.get(form, wanted) if pair else wanted):
            return form, min(wanted, left)
    return FORMS[-1], wanted


def _room_taken(columns: Sequence[LogprobColumn], form: Form) -> int:
    """Cells that `columns` take with the gaps before them."""
    return sum(column_cells(column, form) + GAPS[form] for column in columns)


def _widths(columns: Sequence[LogprobColumn], bodies: Sequence[Sequence[str]], room: int) -> list[int]:
    """The columns' widths: what the cells need, and where `room` is left what the names need."""
    widths = [max([LEAST_CELLS, *map(len, body)]) for body in bodies]
    for at, column in enumerate(columns):
        wanted = Content(model_name(column)).cell_length + 1 - widths[at]
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


def _caption(form: Form, left: int, right: int) -> Content:
    """What the cells hold, and how many models are out of sight on each side."""
    parts = [f"{WORDS[form]}, nats"]
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
        name = fit(model_name(view.table.columns[at]), widths[at] - len(arrow)) + Content(arrow)
        parts.append(name.stylize("reverse" if at == view.cursor else "bold"))
    return parts


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
    head = Content.assemble((model_name(column), "bold"), (f"  best {len(column.top)}", MUTED))
    values = logprob_texts([top.logprob for top in column.top], with_prob=width >= _TOP_FULL_CELLS)
    lines = [fit(head, width)]
    for rank, (top, value) in enumerate(zip(column.top, values, strict=True)):
        name = fit(token_text(top.token.token_bytes), width - 5 - len(value))
        lines.append(Content.assemble((f"{rank:>3} ", MUTED), name, f" {value}"))
    return lines
