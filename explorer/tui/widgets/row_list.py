"""A list of one-line rows with a cursor: neighbours, steps, models, log lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

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
from explorer.tui.widgets.in_sight import Sight

_CURSOR = "▸"
Part = Literal["row", "header", "cursor"]


@dataclass(frozen=True)
class Lines:
    """What a list shows: a header, then rows, or in place of rows what there is to say. No widget."""

    rows: Sequence[Content] = ()
    header: Content | None = None
    empty: Content = field(default_factory=Content)

    @property
    def top(self) -> int:
        """Lines above the rows."""
        return 0 if self.header is None else 1

    def clamp(self, cursor: int) -> int:
        """The row nearest to `cursor` that there is."""
        return max(0, min(cursor, len(self.rows) - 1))

    def line(self, y: int, first: int, cursor: int, width: int) -> tuple[Content | None, Part]:
        """Line `y` of a list that shows the rows from `first` on, and what part of it that is; None below the last."""
        if not self.rows and y >= self.top:
            lines = self.empty.wrap(max(1, width))[y - self.top :]
            return lines[0] if lines else Content(""), "row"
        if self.header is not None and y == 0:
            return self.header, "header"
        index = first + y - self.top
        if not 0 <= index < len(self.rows):
            return None, "row"
        if index != cursor:
            return Content.assemble("  ", self.rows[index]), "row"
        # The row's own colours were chosen for another ground: under the cursor the words alone remain.
        return Content(f"{_CURSOR} {self.rows[index].plain}"), "cursor"


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
        Binding("enter", "choose", "open", tooltip="Open what the row is about"),
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

    ALLOW_SELECT = False
    """The mouse moves the cursor; its row is copied by a key."""
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
        self._lines = Lines(empty=Content(empty))
        self._sight = Sight(self, lambda: self.cursor, lambda: self._page)

    @property
    def rows(self) -> Sequence[Content]:
        """The rows, first to last."""
        return self._lines.rows

    def show_rows(self, rows: Sequence[Content], *, header: Content | None = None, cursor: int | None = None) -> None:
        """Replace all rows; the cursor stays on its row number unless `cursor` says another.

        The sequence is kept, not copied, and indexed for the rows on screen only: it may make them on demand,
        and may grow (then call `rows_grew`).
        """
        self._lines = replace(self._lines, rows=rows, header=header)
        self._measure()
        self.cursor = self._lines.clamp(self.cursor if cursor is None else cursor)

    def rows_grew(self, *, follow: bool = False) -> None:
        """There are more rows at the end of the sequence; with `follow` the cursor goes to the last."""
        self._measure()
        if follow:
            self.cursor = len(self.rows) - 1

    def _measure(self) -> None:
        self.virtual_size = Size(0, len(self.rows) + self._lines.top)
        self.refresh()
        self.refresh_bindings()

    def show_empty(self, text: str) -> None:
        """What is shown in place of rows where there are none."""
        self._lines = replace(self._lines, empty=Content(text))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        content, part = self._lines.line(y, self.scroll_offset.y, self.cursor, width)
        style = self._style(part)
        if content is None:
            return Strip.blank(width, style.rich_style)
        if content.cell_length > width:
            content = content.truncate(width, ellipsis=True)
        return Strip(content.render_segments(style)).crop_extend(0, width, style.rich_style)

    def _style(self, part: Part) -> Style:
        if part == "row":
            return self.visual_style
        blurred = "-blurred" if part == "cursor" and not self.has_focus else ""
        return self.get_visual_style(f"row-list--{part}{blurred}")

    def validate_cursor(self, cursor: int) -> int:
        return self._lines.clamp(cursor)

    def watch_cursor(self, old: int, new: int) -> None:
        if not self.rows:
            return
        first = self.scroll_offset.y
        self._sight.keep_cursor()
        for index in (old, new):
            self.refresh(Region(0, index - first + self._lines.top, self.size.width, 1))
        self.post_message(self.Highlighted(self, new))

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self._sight.find_room()

    def on_show(self) -> None:
        """What was to be in sight while the list was not comes into sight with it."""
        self._sight.find_room()

    @property
    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height - self._lines.top)

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        index = self.scroll_offset.y + event.y - self._lines.top
        if event.y >= self._lines.top and 0 <= index < len(self.rows):
            self.cursor = index
            if event.chain == 2:
                self.action_choose()

    def action_move(self, rows: int) -> None:
        self.cursor += rows

    def action_page(self, pages: int) -> None:
        self.cursor += pages * self._page

    def action_choose(self) -> None:
        self.post_message(self.Chosen(self, self.cursor))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return bool(self.rows) if action == "choose" else super().check_action(action, parameters)
