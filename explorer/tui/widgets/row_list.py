"""A list of one-line rows with a cursor: neighbours, steps, models, log lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

from explorer.tui.shell.guarded import Guarded

_CURSOR = "▸"


class RowList(Guarded, ScrollView, can_focus=True):
    """Rows of styled text, drawn only where they are on screen, with an optional header that stays.

    Rows are `Content` without line breaks, and what they show of tokens, files or logs has been through
    `visible()`. The row under the cursor carries a mark as well as a colour.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "up", show=False),
        Binding("down", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "move(-1_000_000_000)", "first", show=False),
        Binding("end", "move(1_000_000_000)", "last", show=False),
        Binding("enter", "choose", "choose", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"row-list--header", "row-list--cursor", "row-list--cursor-blurred"}
    DEFAULT_CSS = """
    RowList {
        height: 1fr;
        scrollbar-size-vertical: 1;
        scrollbar-size-horizontal: 0;
        overflow-x: hidden;
        & > .row-list--header { color: $text-muted; text-style: bold; }
        & > .row-list--cursor {
            background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold;
        }
        & > .row-list--cursor-blurred {
            background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground;
        }
    }
    """

    cursor: reactive[int] = reactive(0, repaint=False)

    class Highlighted(Message):
        """The cursor came to rest on row `index`."""

        def __init__(self, row_list: RowList, index: int) -> None:
            super().__init__()
            self.row_list = row_list
            self.index = index

        @property
        def control(self) -> RowList:
            return self.row_list

    class Chosen(Highlighted):
        """Enter was pressed, or the mouse double-clicked, on row `index`."""

    def __init__(self, *, id: str | None = None, empty: str = "") -> None:
        super().__init__(id=id)
        self._rows: Sequence[Content] = ()
        self._header: Content | None = None
        self._empty = Content(empty)

    @property
    def rows(self) -> Sequence[Content]:
        """The rows, first to last."""
        return self._rows

    def show_rows(self, rows: Sequence[Content], *, header: Content | None = None, cursor: int | None = None) -> None:
        """Replace all rows; the cursor stays on its row number unless `cursor` says another.

        The sequence is kept, not copied, and indexed for the rows on screen only: it may make them on demand,
        and may grow (then call `rows_grew`).
        """
        self._rows = rows
        self._header = header
        self.virtual_size = Size(0, len(self._rows) + self._top)
        self.cursor = max(0, min(self.cursor if cursor is None else cursor, len(self._rows) - 1))
        self.refresh()

    def rows_grew(self, *, follow: bool = False) -> None:
        """There are more rows at the end of the sequence; with `follow` the cursor goes to the last."""
        self.virtual_size = Size(0, len(self._rows) + self._top)
        if follow:
            self.cursor = len(self._rows) - 1
        self.refresh()

    def show_empty(self, text: str) -> None:
        """What is shown in place of rows where there are none."""
        self._empty = Content(text)
        self.refresh()

    @property
    def _top(self) -> int:
        return 0 if self._header is None else 1

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if not self._rows and y >= self._top:
            lines = self._empty.wrap(max(1, width))[y - self._top :]
            return self._strip(lines[0] if lines else Content(""), width, self.visual_style)
        if self._header is not None and y == 0:
            return self._strip(self._header, width, self._style("row-list--header"))
        index = self.scroll_offset.y + y - self._top
        if not 0 <= index < len(self._rows):
            return Strip.blank(width, self.visual_style.rich_style)
        if index != self.cursor:
            return self._strip(Content.assemble("  ", self._rows[index]), width, self.visual_style)
        style = self._style("row-list--cursor" if self.has_focus else "row-list--cursor-blurred")
        # The row's own colours were chosen for another ground: under the cursor the words alone remain.
        return self._strip(Content(f"{_CURSOR} {self._rows[index].plain}"), width, style)

    def _style(self, component: str) -> Style:
        return self.get_visual_style(component)

    def _strip(self, content: Content, width: int, style: Style) -> Strip:
        if content.cell_length > width:
            content = content.truncate(width, ellipsis=True)
        segments = content.render_segments(style)
        return Strip(segments).crop_extend(0, width, style.rich_style)

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, len(self._rows) - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        if not self._rows:
            return
        first = self.scroll_offset.y
        self._reveal(first)
        for index in (old, new):
            self.refresh(Region(0, index - first + self._top, self.size.width, 1))
        self.post_message(self.Highlighted(self, new))

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self._reveal(self.scroll_offset.y)

    def on_show(self) -> None:
        """What was to be in sight while the list was not comes into sight with it."""
        self._reveal(self.scroll_offset.y)

    def _reveal(self, first: int) -> None:
        """Scroll as far as it takes from row `first` at the top to have the cursor in sight."""
        if not self.is_on_screen:
            return  # there is no telling yet how many rows there will be room for
        last = first + self._page - 1
        top = min(first, self.cursor) + max(0, self.cursor - last)
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)

    @property
    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height - self._top)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y - self._top
        if event.y >= self._top and 0 <= index < len(self._rows):
            self.cursor = index
            if event.chain == 2:
                self.action_choose()

    def action_move(self, rows: int) -> None:
        self.cursor += rows

    def action_page(self, pages: int) -> None:
        self.cursor += pages * self._page

    def action_choose(self) -> None:
        if self._rows:
            self.post_message(self.Chosen(self, self.cursor))
