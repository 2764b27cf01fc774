"""How a token table looks: the rows in sight, and nothing of the others. No widget in here.

262,144 rows open in milliseconds because nothing is built per row; a row is turned into a strip when it is
drawn and kept while it is likely to be drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.geometry import Size
from textual.strip import Strip

from explorer.tables.highlights import spans
from explorer.tables.table import AddedColumn
from explorer.tui.panes.tokens.table_layout import (
    GAP,
    RAMP_EDGES,
    Column,
    Painter,
    Palette,
    Sort,
    flag_letters,
    lay_out,
)
from explorer.tui.panes.tokens.table_rows import TokenRows

if TYPE_CHECKING:
    import regex

_STRIPS_KEPT = 512
_SOUGHT = Style(bold=True, underline=True)
_RAMP = tuple(f"ramp-{step}" for step in range(len(RAMP_EDGES) + 1))
PARTS = tuple(f"table--{part}" for part in ("header", "sorted", "muted", "mark", "flag", "cursor", *_RAMP))
"""Classes of the parts that have a style of their own in `TABLE_CSS`."""

TABLE_CSS = """
TokenTable {
    height: 1fr; overflow-y: scroll; scrollbar-size-horizontal: 0; scrollbar-size-vertical: 1;
    & > .table--header { background: $panel; color: $foreground; text-style: bold; }
    & > .table--sorted { background: $panel; color: $accent; text-style: bold; }
    & > .table--muted { color: $text-muted; }
    & > .table--mark { color: $success; text-style: bold; }
    & > .table--flag { color: $warning; }
    & > .table--cursor {
        background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground;
    }
    &:focus > .table--cursor {
        background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold;
    }
    & > .table--ramp-0 { color: $ramp-0; text-style: bold; }
    & > .table--ramp-1 { color: $ramp-1; }
    & > .table--ramp-2 { color: $ramp-2; }
    & > .table--ramp-3 { color: $ramp-3; }
    & > .table--ramp-4 { color: $ramp-4; }
    & > .table--ramp-5 { color: $ramp-5; }
    & > .table--ramp-6 { color: $ramp-6; text-style: bold; }
}
"""


class TableDrawing:
    """A heading over rows of tokens, one of them under a cursor, line by line."""

    def __init__(self, read_palette: Callable[[], Palette]) -> None:
        """`read_palette` is called when a line is drawn: not before all styles are computed."""
        self._read_palette = read_palette
        self._has_palette = False
        self.rows: TokenRows | None = None
        self.has_cursor = True
        """Whether a row is under the cursor: none is while the token that it is for is not among the rows."""
        self.added: Mapping[str, AddedColumn] = {}
        self._sort = Sort()
        self._lead = ""
        self._marked: frozenset[int] = frozenset()
        self.painter: Painter | None = None
        """None before the first rows are laid out."""
        self.sought: tuple[regex.Pattern[str], ...] = ()
        """What of a token's text is underlined: the filter looks for it."""
        self._strips: LRUCache[tuple[int, bool], Strip] = LRUCache(_STRIPS_KEPT)

    def set_rows(self, rows: TokenRows, sort: Sort, lead: str) -> None:
        """Draw these rows from the next `lay_out` on; `lead` is the indicator to put first and to colour."""
        self.rows, self._sort, self._lead, self.has_cursor = rows, sort, lead, True

    def set_added(self, columns: Mapping[str, AddedColumn]) -> bool:
        """Have these columns beside the lead indicator, and no others; whether the layout stays."""
        is_same = tuple(columns) == tuple(self.added)
        self.added = dict(columns)
        return is_same

    def set_marked(self, token_ids: Iterable[int]) -> None:
        """Have a tick at these tokens, and at no others."""
        self._marked = frozenset(token_ids)

    @property
    def legend(self) -> str:
        """What the letters beside the tick mean; empty where no token carries any."""
        letters = flag_letters(self.rows.flags) if self.rows is not None else {}
        return " · ".join(f"{letter} {flag}" for flag, letter in letters.items())

    def forget_strips(self) -> None:
        """Everything drawn so far is stale."""
        self._strips.clear()

    def forget_palette(self) -> None:
        """The styles are about to change."""
        self._has_palette = False

    def paint(self, width: int, *, layout: bool) -> Size | None:
        """Make the painter anew; with `layout` the columns and their widths too, for a table `width` cells wide: then
        the size of the whole table."""
        self.forget_strips()
        if self.rows is None:
            return None
        palette, self._has_palette = self._read_palette(), True
        size = None
        if layout or self.painter is None:
            columns = lay_out(self.rows, self._lead, self.added, width)
            size = Size(columns.width, len(self.rows) + 1)
        else:
            columns = self.painter.layout
        self.painter = Painter(self.rows, columns, palette, self._lead, self._marked, self.added)
        return size

    def line(self, y: int, left: int, top: int, width: int, cursor: int) -> Strip | None:
        """Line `y` of a table scrolled `left` cells and `top` rows: 0 is the heading. None before the first layout."""
        if self.painter is not None and not self._has_palette:
            self.paint(width, layout=False)
        if self.painter is None:
            return None
        if y == 0:
            return self._header(self.painter, left, width)
        position = top + y - 1
        if position >= len(self.painter.rows):
            text = "    no token passes the filter" if position == 0 else ""
            palette = self.painter.palette
            return Strip([Segment(text, palette.muted)]).adjust_cell_length(width, palette.plain)
        under_cursor = self.has_cursor and position == cursor
        key = (position, under_cursor)
        strip = self._strips.get(key)
        if strip is None:
            plain = _row(self.painter, position, left, width, under_cursor=under_cursor)
            strip = self._strips[key] = _underlined(plain, self.painter, position, self.sought)
        return strip

    def _header(self, painter: Painter, left: int, width: int) -> Strip:
        layout, palette = painter.layout, painter.palette
        more = ("‹" if left > 0 else "") + ("›" if layout.width - left > width else "")
        columns = _columns_in_sight(painter, left, width - len(more))
        strip = _joined(painter.heading(columns, self._sort), width - len(more), palette.header)
        return Strip.join([strip, Strip([Segment(more, palette.header_sorted)])])

    def at(self, x: int, y: int, left: int, top: int) -> str | int | None:
        """What is in a cell of the widget: the name that sorts by a heading's column, a row's position, or nothing."""
        if self.painter is None:
            return None
        if y == 0:
            column = self.painter.layout.column_at(x, left)
            return column.name or None if column is not None else None
        return top + y - 1 if top + y - 1 < len(self.painter.rows) else None

    def column_start(self, left: int, step: int) -> int:
        """Where the next moving column begins after the cell `left`, or with a negative step the one before."""
        starts = self.painter.layout.starts() if self.painter is not None else []
        if step < 0:
            return max((start for start in starts if start < left), default=0)
        return min((start for start in starts if start > left), default=left)


def read_palette(style_of: Callable[[str], Style], plain: Style) -> Palette:
    """The styles of a table; `style_of` gives that of a class of `PARTS`."""

    def style(part: str) -> Style:
        # Not partial: `$text-muted` is a share of the contrast to what is behind it.
        return style_of(f"table--{part}")

    return Palette(
        plain=plain,
        muted=style("muted"),
        mark=style("mark"),
        flag=style("flag"),
        cursor=style("cursor"),
        header=style("header"),
        header_sorted=style("sorted"),
        ramp=tuple(style(name) for name in _RAMP),
    )


def _row(painter: Painter, position: int, left: int, width: int, *, under_cursor: bool) -> Strip:
    columns = _columns_in_sight(painter, left, width)
    segments = painter.segments(columns, position, under_cursor=under_cursor)
    end = painter.palette.cursor if under_cursor else painter.palette.plain
    return _joined(segments, width, end)


def _underlined(strip: Strip, painter: Painter, position: int, sought: Sequence[regex.Pattern[str]]) -> Strip:
    """A row with what is sought in its token underlined."""
    token_id = painter.rows.token_at(position)
    if not sought or token_id is None:
        return strip
    token = painter.layout.fixed[-1]
    start = painter.layout.fixed_width - token.width - GAP
    text, _ = painter.cell(token, token_id)
    for begin, end in spans(sought, text):
        first, last = (min(token.width, cell_len(text[:place])) + start for place in (begin, end))
        found = strip.crop(first, last).apply_style(_SOUGHT)
        strip = Strip.join([strip.crop(0, first), found, strip.crop(last, strip.cell_length)])
    return strip


def _columns_in_sight(painter: Painter, left: int, width: int) -> tuple[Column, ...]:
    """The fixed columns and those of the others in sight, each as narrow as what is seen of it."""
    layout = painter.layout
    return (*layout.fixed, *layout.within(left, width - layout.fixed_width))


def _joined(segments: list[Segment], width: int, end: Style) -> Strip:
    """The segments as a strip `width` cells wide."""
    return Strip(segments).adjust_cell_length(width, end)
