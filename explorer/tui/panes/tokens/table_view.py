"""How a token table draws itself: the rows in sight, and nothing of the others.

262,144 rows open in milliseconds because nothing is built per row; a row is turned into a strip when it is
drawn and kept while it is likely to be drawn again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from explorer.tables.table import AddedColumn
from explorer.tui.panes.tokens.table_layout import (
    RAMP_EDGES,
    Column,
    Painter,
    Palette,
    Sort,
    flag_letters,
    lay_out,
)
from explorer.tui.panes.tokens.table_rows import TokenRows
from explorer.tui.shell.guarded import Guarded

_STRIPS_KEPT = 512
_RAMP = tuple(f"ramp-{step}" for step in range(len(RAMP_EDGES) + 1))
_PARTS = ("header", "sorted", "muted", "mark", "flag", "cursor", *_RAMP)


class TableView(Guarded, ScrollView):
    """A heading over rows of tokens, one of them under the cursor; it draws and scrolls, and hears no keys."""

    DEFAULT_CSS = """
    TableView {
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
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"table--{part}" for part in _PARTS}

    cursor: reactive[int] = reactive(0, repaint=False)
    """Position of the cursor in the view."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: TokenRows | None = None
        self._sort = Sort()
        self._lead = ""
        self._added: Mapping[str, AddedColumn] = {}
        self._marked: frozenset[int] = frozenset()
        self._painter: Painter | None = None
        self._top: int | None = None
        """What is to be at the top once there is room."""
        self._strips: LRUCache[tuple[int, bool], Strip] = LRUCache(_STRIPS_KEPT)

    def set_added(self, columns: Mapping[str, AddedColumn]) -> None:
        """Show these columns beside the lead indicator, and no others."""
        is_same = tuple(columns) == tuple(self._added)
        self._added = dict(columns)
        self._repaint(layout=not is_same)

    def set_marked(self, token_ids: Iterable[int]) -> None:
        """Show a tick at these tokens, and at no others."""
        self._marked = frozenset(token_ids)
        self._repaint(layout=False)

    @property
    def token_id(self) -> int | None:
        """The token under the cursor."""
        return self.rows.token_at(self.cursor) if self.rows is not None else None

    @property
    def legend(self) -> str:
        """What the letters beside the tick mean; empty where no token carries any."""
        letters = flag_letters(self.rows.flags) if self.rows is not None else {}
        return " · ".join(f"{letter} {flag}" for flag, letter in letters.items())

    def render_line(self, y: int) -> Strip:
        """Line 0 is the heading; the others are rows, from the scroll offset on."""
        width = self.scrollable_size.width
        if self._painter is None:
            return Strip.blank(width, self.rich_style)
        if y == 0:
            return self._header(self._painter, width)
        position = self.scroll_offset.y + y - 1
        if position >= len(self._painter.rows):
            text = "    no token passes the filter" if position == 0 else ""
            palette = self._painter.palette
            return Strip([Segment(text, palette.muted)]).adjust_cell_length(width, palette.plain)
        key = (position, position == self.cursor)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._row(self._painter, position, width)
        return strip

    def _row(self, painter: Painter, position: int, width: int) -> Strip:
        under_cursor = position == self.cursor
        columns, left_out = self._columns_in_sight(painter, width)
        segments = painter.segments(columns, position, under_cursor=under_cursor)
        end = painter.palette.cursor if under_cursor else painter.palette.plain
        return _joined(segments, len(painter.layout.fixed), left_out, width, end)

    def _header(self, painter: Painter, width: int) -> Strip:
        layout, palette, x = painter.layout, painter.palette, self.scroll_offset.x
        columns, left_out = self._columns_in_sight(painter, width)
        strip = _joined(painter.heading(columns, self._sort), len(layout.fixed), left_out, width, palette.header)
        more = ("‹" if x > 0 else "") + ("›" if layout.width - x > width else "")
        return Strip.join([strip.crop(0, width - len(more)), Strip([Segment(more, palette.header_sorted)])])

    def _columns_in_sight(self, painter: Painter, width: int) -> tuple[tuple[Column, ...], int]:
        """The fixed columns and those of the others in sight, and how many cells of their first are left out."""
        layout = painter.layout
        moving, left_out = layout.within(self.scroll_offset.x, width - layout.fixed_width)
        return (*layout.fixed, *moving), left_out

    def _repaint(self, *, layout: bool) -> None:
        """Everything drawn so far is stale; with `layout`, so are the columns and their widths."""
        self._strips.clear()
        if self.rows is None or not self.is_attached:
            return
        if layout or self._painter is None:
            columns = lay_out(self.rows, self._lead, self._added, self.scrollable_size.width)
            self.virtual_size = Size(columns.width, len(self.rows) + 1)
        else:
            columns = self._painter.layout
        self._painter = Painter(self.rows, columns, self._palette(), self._lead, self._marked, self._added)
        self.refresh()

    def _palette(self) -> Palette:
        def style(part: str) -> Style:
            # Not partial: `$text-muted` is a share of the contrast to what is behind it.
            return self.get_component_rich_style(f"table--{part}")

        return Palette(
            plain=self.rich_style,
            muted=style("muted"),
            mark=style("mark"),
            flag=style("flag"),
            cursor=style("cursor"),
            header=style("header"),
            header_sorted=style("sorted"),
            ramp=tuple(style(name) for name in _RAMP),
        )

    def notify_style_update(self) -> None:
        """The theme or the focus changed."""
        super().notify_style_update()
        self._repaint(layout=False)

    def on_resize(self) -> None:
        """The token column's width follows the table's; the cursor stays in sight."""
        self._repaint(layout=True)
        self.on_show()

    def on_show(self) -> None:
        """What was to be in sight while the table was not comes into sight with it."""
        if self._top is not None:
            self.show_from(self._top)
        self._reveal(self.cursor)

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        """The moving columns of every kept strip are stale."""
        self._strips.clear()
        super().watch_scroll_x(old_value, new_value)

    def show_from(self, position: int) -> None:
        """Scroll so that a position is at the top, or as near to it as keeps the cursor in sight; while the table is
        not in sight itself, as soon as it is."""
        self._top = None if self._lines else position
        self.scroll_to(y=max(0, position), animate=False, force=True, immediate=True)
        self._reveal(self.cursor)

    @property
    def _lines(self) -> int:
        """Rows that there is room for; none before the first layout, and while the table is hidden."""
        return max(0, self.scrollable_size.height - 1) if self.is_on_screen else 0

    def _reveal(self, position: int) -> None:
        lines, top = self._lines, self.scroll_offset.y
        if not lines:
            return
        if position < top:
            self.scroll_to(y=position, animate=False, force=True)
        elif position >= top + lines:
            self.scroll_to(y=position - lines + 1, animate=False, force=True)


def _joined(segments: list[Segment], fixed: int, left_out: int, width: int, end: Style) -> Strip:
    """The segments as a strip `width` cells wide, `left_out` cells cut away after the first `fixed` of them."""
    if left_out:
        segments = [*segments[:fixed], *Strip(segments[fixed:]).crop(left_out)]
    return Strip(segments).adjust_cell_length(width, end)
