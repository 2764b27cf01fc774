"""The histogram of a column with a line, of all tokens or category by category, on a sheet."""

from __future__ import annotations

from explorer.base.records.maps import MapPoint
from explorer.base.records.tokens import Category
from explorer.tables.histograms import SortedColumn
from explorer.tui.panes.map.histogram import LINE, bar_lines, bin_of, mark_line
from explorer.tui.panes.map.sheet import Box, Sheet
from explorer.tui.panes.map.spots import GLYPHS
from explorer.tui.panes.map.threshold import Parted
from explorer.tui.panes.map.windows import x_ticks

GUTTER = 8
"""Cells at the left for the numbers of y, the same in all plots, so that their lines stand below each other."""
POINT = "▲"
"""Where the line is."""
_LEAST_ROWS = 2
"""Of a category: its words, and bars."""


def draw_histogram(sheet: Sheet, box: Box, parted: Parted) -> None:
    """Log counts, the named tokens below them, the numbers of x."""
    area = box.inner(left=GUTTER, bottom=2)
    _bars(sheet, box.inner(bottom=2), parted, parted.numbers.sorted)
    _marks(sheet, box, area, parted)


def draw_categories(sheet: Sheet, box: Box, parted: Parted) -> None:
    """The same for each category, one below the other, each by its own greatest count; counts on both sides."""
    found = parted.numbers.categories
    room = max(0, box.rows - 2)
    rows = max(_LEAST_ROWS, room // max(1, len(found)))
    shown = min(len(found), room // rows)
    for place, (category, column) in enumerate(found[:shown]):
        top, end = place * room // shown, (place + 1) * room // shown
        part = Box(box.left, box.top + top, box.columns, end - top)
        sheet.write(part, _category_words(parted, category, column, left_out=len(found) - shown), "strong", row=0)
        _bars(sheet, part.inner(top=1), parted, column)
    _marks(sheet, box, box.inner(left=GUTTER, bottom=2), parted)


def _category_words(parted: Parted, category: Category, column: SortedColumn, *, left_out: int) -> str:
    sides = column.sides(parted.line, parted.side)
    sign, beyond = ("≤", "above") if parted.side == "low" else ("≥", "below")
    is_first = category == parted.numbers.categories[0][0]
    more = f"   ({left_out} more need more room)" if left_out > 0 and is_first else ""
    subject = _subject(parted)
    own = f"   {GLYPHS['subject']} selected" if subject is not None and subject.category == category else ""
    return f"{category}  {sign} line {sides.suspected:,} · {beyond} {sides.others:,}{own}{more}"


def _subject(parted: Parted) -> MapPoint | None:
    return next((point for point in parted.points if point.role == "subject"), None)


def _bars(sheet: Sheet, box: Box, parted: Parted, column: SortedColumn) -> None:
    """Bars with the line through them, and the greatest count beside them; the suspected ones in the line's colour."""
    area = box.inner(left=GUTTER)
    if area.columns < 1 or area.rows < 1:
        return
    counts = column.counts(*parted.ends, area.columns).tolist()
    at = bin_of(parted.line, *parted.ends, area.columns)
    for row, bars in enumerate(bar_lines(counts, area.rows, line=at)):
        sheet.write(area, bars, row=row)
        if at is not None:
            low = parted.side == "low"
            first, part = (0, bars[: at + 1]) if low else (at, bars[at:])
            sheet.write(area, part, "line", column=first, row=row)
    sheet.write(box, f"{max(counts, default=0):,}"[: GUTTER - 1].rjust(GUTTER - 1), "muted", row=0)


def _marks(sheet: Sheet, box: Box, area: Box, parted: Parted) -> None:
    """The last two rows: the reference tokens and the named ones, and the numbers of x."""
    values = parted.numbers.values
    named = [(point.role, float(values[point.token.token_id])) for point in reversed(parted.points)]
    suspects = [(value, GLYPHS[role]) for role, value in named if role == "suspect"]
    references = [(float(value), GLYPHS["reference"]) for value in parted.numbers.references]
    others = [(value, GLYPHS[role]) for role, value in named if role != "suspect"]
    marks = mark_line([(parted.line, POINT), *suspects, *references, *others], *parted.ends, area.columns)
    sheet.write(Box(area.left, box.top, area.columns, box.rows), marks, "strong", row=box.rows - 2)
    draw_x(sheet, box, parted)


def draw_x(sheet: Sheet, box: Box, parted: Parted) -> None:
    """The numbers of x in the last row of a plot over a column."""
    columns, (low, high) = box.columns - GUTTER, parted.ends
    if columns > 0 and high > low:
        ticks = x_ticks((low, high, 0.0, 1.0), columns)
        sheet.write(box, ticks, "muted", column=GUTTER, row=box.rows - 1)


def draw_line(sheet: Sheet, area: Box, parted: Parted) -> None:
    """The line, wherever nothing else stands."""
    at = bin_of(parted.line, *parted.ends, area.columns)
    for row in range(area.rows if at is not None else 0):
        sheet.put(area, at or 0, row, LINE, "line", over=" ")
