"""Which columns a token table has, how wide they are, and a row's cells as styled text. No widget in here.

Mark, id and token stay put at the left; the rest scrolls sideways under them: category, the *lead* indicator
(the one sorted by), its percentile, columns added later (verdicts), then the other indicators.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from explorer.base.records.tokens import CATEGORIES, LABELS
from explorer.base.text import visible
from explorer.tables.table import AddedColumn
from explorer.tui.panes.tokens.table_rows import TokenRows
from explorer.tui.widgets.cutting import cut, cut_numbers, padded

RAMP_EDGES = (1.0, 5.0, 25.0, 75.0, 95.0, 99.0)
"""Percentiles between the seven ramp colours: fine at both tails, where under-trained tokens are."""

GAP = 1
"""Cells between two columns."""
_ARROW = 2
_TOKEN_MIN, _TOKEN_MAX = 14, 34
_ADDED_MIN, _ADDED_MAX = 9, 16
"""Cells of an added column: a verdict with its number, `V 8.1e-10`, takes nine."""
_CATEGORY = max(map(len, CATEGORIES))
_MARKER = 3
_SLIVER = 3

Kind = Literal["marker", "id", "token", "category", "indicator", "percentile", "added"]


@dataclass(frozen=True)
class Column:
    """One column: `name` is what sorts by it, `width` its cells without the gap at its right."""

    kind: Kind
    name: str
    label: str
    width: int
    right: bool = False


@dataclass(frozen=True)
class Layout:
    """The columns of a table of a certain width."""

    fixed: tuple[Column, ...]
    moving: tuple[Column, ...]

    @property
    def fixed_width(self) -> int:
        """Cells taken by the columns that stay put."""
        return sum(column.width + GAP for column in self.fixed)

    @property
    def width(self) -> int:
        """Cells of the whole table."""
        return self.fixed_width + sum(column.width + GAP for column in self.moving)

    def starts(self) -> list[int]:
        """Where each moving column begins, counted from the first of them."""
        starts = [0]
        for column in self.moving:
            starts.append(starts[-1] + column.width + GAP)
        return starts[:-1]

    def within(self, x: int, room: int) -> tuple[Column, ...]:
        """The moving columns that show in `room` cells from `x` on, as narrow as the part of them that does; none of
        which the right edge leaves a sliver: its dots would look like the end of the number before."""
        seen = []
        for column, start in zip(self.moving, self.starts(), strict=True):
            first, last = max(start, x), min(start + column.width, x + room)
            is_sliver = last < start + column.width and last - first < _SLIVER
            if start < x + room and start + column.width + GAP > x and not is_sliver:
                seen.append(replace(column, width=max(0, last - first)))
        return tuple(seen)

    def column_at(self, x: int, scroll_x: int) -> Column | None:
        """The column under a cell of the widget."""
        columns, x = (self.fixed, x) if x < self.fixed_width else (self.moving, x - self.fixed_width + scroll_x)
        for column in columns:
            if x < column.width + GAP:
                return column
            x -= column.width + GAP
        return None


def lay_out(rows: TokenRows, lead: str, added: Mapping[str, AddedColumn], width: int) -> Layout:
    """The columns for a table `width` cells wide; the token column takes what the first ones leave."""
    lead_first = sorted(rows.indicators, key=lambda name: name != lead)  # stable: the others keep their order
    indicators = [
        Column("indicator", name, label, max(cell_len(label) + _ARROW, rows.number_format(name).width), right=True)
        for name in lead_first
        for label in (LABELS.get(name, name),)
    ]
    percentile = [Column("percentile", "", "pct", 5, right=True)] if indicators else []
    beside = [
        Column("added", name, label, min(_ADDED_MAX, max(_ADDED_MIN, cell_len(label) + _ARROW)), right=True)
        for name, column in added.items()
        for label in (visible(column.label or name, spaces=False),)
    ]
    category = Column("category", "category", "category", _CATEGORY)
    moving = (category, *indicators[:1], *percentile, *beside, *indicators[1:])
    digits = max(len(str(rows.highest_id)), 2 + _ARROW)
    marker, token_id = Column("marker", "", "", _MARKER), Column("id", "id", "id", digits, right=True)
    first = (marker, token_id, category, *indicators[:1], *percentile, *beside)
    left = width - sum(column.width + GAP for column in first) - GAP
    token = Column("token", "token", "token", min(_TOKEN_MAX, max(_TOKEN_MIN, left)))
    return Layout(fixed=(marker, token_id, token), moving=moving)


def fit(text: str, column: Column, *, is_number: bool = False) -> str:
    """`text` in exactly the column's cells and the gap: cut with `…` where it is too long, a number never through the
    middle."""
    shown = cut_numbers(text, column.width) if is_number else cut(text, column.width)
    if column.right:
        shown = " " * (column.width - cell_len(shown)) + shown
    return padded(shown, column.width) + " " * GAP


def flag_letters(flags: tuple[str, ...]) -> dict[str, str]:
    """One letter for each flag, the first of its name that no earlier one took."""
    letters: dict[str, str] = {}
    for flag in flags:
        free = [letter for letter in visible(flag) + "abcdefghijklmnopqrstuvwxyz" if letter not in letters.values()]
        letters[flag] = free[0]
    return letters


def ramp_step(percentile: float) -> int | None:
    """Which of the seven ramp colours a percentile has; None for NaN."""
    return None if math.isnan(percentile) else sum(percentile >= edge for edge in RAMP_EDGES)


def added_text(column: AddedColumn, token_id: int) -> str:
    """An added column's cell; empty where nothing is known of the token yet."""
    return visible(column.show(token_id), spaces=False)


@dataclass(frozen=True)
class Palette:
    """The styles of a table, from its theme."""

    plain: Style
    muted: Style
    mark: Style
    flag: Style
    cursor: Style
    header: Style
    header_sorted: Style
    ramp: tuple[Style, ...]


@dataclass(frozen=True)
class Sort:
    """What the heading shows; the order itself is the rows' business."""

    name: str = ""
    descending: bool = False


@dataclass(frozen=True)
class Painter:
    """Turns positions into segments; made again whenever rows, layout, theme, marks or added columns change."""

    rows: TokenRows
    layout: Layout
    palette: Palette
    lead: str
    marked: frozenset[int]
    added: Mapping[str, AddedColumn]

    def cell(self, column: Column, token_id: int) -> tuple[str, Style]:
        """A cell's text, not yet fitted, and its style."""
        rows, palette = self.rows, self.palette
        match column.kind:
            case "marker":
                return self._marker(token_id)
            case "id":
                return str(token_id), palette.muted
            case "token":
                return rows.visible(token_id), palette.plain
            case "category":
                category = rows.category(token_id)
                return category, palette.muted if category == "ok" else palette.plain
            case "indicator":
                text = rows.number_format(column.name).show(rows.value(column.name, token_id))
                return text, self._ramp(token_id) if column.name == self.lead else palette.plain
            case "percentile":
                percentile = rows.percentile(self.lead, token_id)
                return "–  " if math.isnan(percentile) else f"{percentile:.1f}", self._ramp(token_id)
            case "added":
                return added_text(self.added[column.name], token_id), palette.plain

    def segments(self, columns: tuple[Column, ...], position: int, *, under_cursor: bool) -> list[Segment]:
        """The cells of a row; a position whose token is not known is dots."""
        token_id = self.rows.token_at(position)
        cursor = self.palette.cursor
        if token_id is None:
            cells = [("…" if column.kind in ("id", "token") else "", self.palette.muted) for column in columns]
        else:
            cells = [self.cell(column, token_id) for column in columns]
        if under_cursor and columns[0].kind == "marker":
            cells[0] = ("▸" + cells[0][0][1:], cursor)
        return [
            Segment(fit(text, column, is_number=column.right), cursor if under_cursor else style)
            for column, (text, style) in zip(columns, cells, strict=True)
        ]

    def heading(self, columns: tuple[Column, ...], sort: Sort) -> list[Segment]:
        """The header's cells, with the arrow of the sorted one."""
        segments = []
        for column in columns:
            is_sorted = bool(column.name) and column.name == sort.name
            arrow = "▼" if sort.descending else "▲"
            sorted_label = f"{arrow} {column.label}" if column.right else f"{column.label} {arrow}"
            style = self.palette.header_sorted if is_sorted else self.palette.header
            segments.append(Segment(fit(sorted_label if is_sorted else column.label, column), style))
        return segments

    def _marker(self, token_id: int) -> tuple[str, Style]:
        letters = flag_letters(self.rows.flags)
        carried = [letter for flag, letter in letters.items() if self.rows.has_flag(flag, token_id)]
        if token_id in self.marked:
            return " ✓" + "".join(carried[:1]), self.palette.mark
        return "  " + "".join(carried[:1]), self.palette.flag

    def _ramp(self, token_id: int) -> Style:
        step = ramp_step(self.rows.percentile(self.lead, token_id))
        return self.palette.muted if step is None else self.palette.ramp[step]
