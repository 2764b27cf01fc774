"""The token table: a virtual table with a cursor, sorted and filtered by whoever gives it rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from explorer.tables.table import AddedColumn
from explorer.tui.panes.tokens.table_drawing import PARTS, TABLE_CSS, TableDrawing, read_palette
from explorer.tui.panes.tokens.table_layout import Sort
from explorer.tui.panes.tokens.table_rows import TokenRows
from explorer.tui.shell.guarded import Guarded
from explorer.tui.widgets.in_sight import Sight


class TokenTable(Guarded, ScrollView, can_focus=True):
    """Rows of tokens to walk through with keys and mouse.

    The cursor keeps to the token that the user put it on, through sorting and filtering, for as long as
    the token is in the view, and returns to it when it comes back.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "down", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("home", "move_to_end(False)", "first", show=False),
        Binding("end", "move_to_end(True)", "last", show=False),
        Binding("left", "scroll_columns(-1)", "columns left", show=False),
        Binding("right", "scroll_columns(1)", "columns right", show=False),
        Binding("enter", "open", "open", show=False),
    ]

    ALLOW_SELECT = False
    DEFAULT_CSS = TABLE_CSS
    COMPONENT_CLASSES: ClassVar[set[str]] = set(PARTS)

    cursor: reactive[int] = reactive(0, repaint=False)
    """Position of the cursor in the view."""

    class RowHighlighted(Message):
        """The cursor is on another token, or the table shows other rows."""

        def __init__(self, token_id: int) -> None:
            super().__init__()
            self.token_id = token_id

    class RowOpened(Message):
        """Enter was pressed on a token, or its row clicked twice."""

        def __init__(self, token_id: int) -> None:
            super().__init__()
            self.token_id = token_id

    class HeaderClicked(Message):
        """A heading was clicked; `name` is what sorts by its column."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, *, id: str | None = None) -> None:
        self.drawing = TableDrawing(lambda: read_palette(self.get_component_rich_style, self.rich_style))
        super().__init__(id=id)
        self._anchor: int | None = None
        """The token the user last put the cursor on."""
        self._sight = Sight(self, lambda: self.cursor, lambda: self.scrollable_size.height - 1)

    @property
    def rows(self) -> TokenRows | None:
        """The rows on display."""
        return self.drawing.rows

    @property
    def token_id(self) -> int | None:
        """The token under the cursor."""
        return self.rows.token_at(self.cursor) if self.rows is not None and self.drawing.has_cursor else None

    def set_added(self, columns: Mapping[str, AddedColumn]) -> None:
        """Show these columns beside the lead indicator, and no others."""
        is_same = self.drawing.set_added(columns)
        self._repaint(layout=not is_same)

    def set_marked(self, token_ids: Iterable[int]) -> None:
        """Show a tick at these tokens, and at no others."""
        self.drawing.set_marked(token_ids)
        self._repaint(layout=False)

    def show_rows(self, rows: TokenRows, *, sort: str, descending: bool, lead: str) -> None:
        """Show `rows`, already sorted by `sort`; `lead` is the indicator to put first and to colour."""
        on_screen = self.cursor - self.scroll_offset.y
        self.drawing.set_rows(rows, Sort(sort, descending), lead)
        self._repaint(layout=True)
        position = (rows.position_of(self._anchor) if self._anchor is not None else None) or 0
        self.scroll_to(y=max(0, position - max(0, on_screen)), animate=False, force=True)
        self.set_reactive(TokenTable.cursor, position)
        self._sight.keep_cursor()
        self._tell()

    def forget_cursor(self) -> None:
        """Start the next rows at the top: the tokens are others."""
        self._anchor = None

    def go_to(self, token_id: int) -> bool:
        """Put the cursor on a token; False where the view does not have it."""
        position = self.rows.position_of(token_id) if self.rows is not None else None
        if position is not None:
            self._move_to(position)
        return position is not None

    def wait_for(self, token_id: int) -> None:
        """Put the cursor on a token as soon as rows are shown that have it; till then, or till it is moved, on none."""
        self._anchor, self.drawing.has_cursor = token_id, False
        self.refresh()

    def watch_cursor(self, old: int, new: int) -> None:
        """Two lines are drawn again, not the screen."""
        self._sight.keep_cursor()
        for position in (old, new):
            self.refresh(Region(0, position - self.scroll_offset.y + 1, self.scrollable_size.width, 1))
        self._tell()

    def _tell(self) -> None:
        if self.token_id is not None:
            self.post_message(self.RowHighlighted(self.token_id))

    def _move_to(self, position: int) -> None:
        if self.rows is not None and len(self.rows):
            had_cursor, self.drawing.has_cursor = self.drawing.has_cursor, True
            self.cursor = max(0, min(position, len(self.rows) - 1))
            self._anchor = self.token_id
            if not had_cursor:
                self.watch_cursor(self.cursor, self.cursor)

    def action_move(self, rows: int) -> None:
        """Move the cursor by some rows."""
        self._move_to(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by screenfuls."""
        self._move_to(self.cursor + pages * max(1, self.scrollable_size.height - 2))

    def action_move_to_end(self, last: bool) -> None:
        """Move the cursor to the first or the last row."""
        self._move_to(len(self.rows) - 1 if last and self.rows is not None else 0)

    def action_scroll_columns(self, columns: int) -> None:
        """Scroll sideways so that another column comes first after the token."""
        if self.drawing.painter is not None:
            self.scroll_to(x=self.drawing.column_start(self.scroll_offset.x, columns), animate=False, force=True)

    def action_open(self) -> None:
        """Open the token under the cursor."""
        if self.token_id is not None:
            self.post_message(self.RowOpened(self.token_id))

    def on_click(self, event: events.Click) -> None:
        """A heading sorts, a row is selected, a double click opens it."""
        hit = self.drawing.at(event.x, event.y, *self.scroll_offset)
        if isinstance(hit, str):
            self.post_message(self.HeaderClicked(hit))
        elif hit is not None:
            self._move_to(hit)
            if event.chain == 2:
                self.action_open()

    # ── drawing ──

    def render_line(self, y: int) -> Strip:
        """Line 0 is the heading; the others are rows, from the scroll offset on."""
        width = self.scrollable_size.width
        left, top = self.scroll_offset
        strip = self.drawing.line(y, left, top, width, self.cursor)
        return Strip.blank(width, self.rich_style) if strip is None else strip

    def _repaint(self, *, layout: bool) -> None:
        """Everything drawn so far is stale; with `layout`, so are the columns and their widths."""
        if self.is_attached:
            size = self.drawing.paint(self.scrollable_size.width, layout=layout)
            self.virtual_size = self.virtual_size if size is None else size
            self.refresh()

    def notify_style_update(self) -> None:
        """The theme or the focus changed; the styles of the parts are computed only after this."""
        super().notify_style_update()
        self.drawing.forget_palette()
        self.refresh()

    def on_resize(self) -> None:
        """The token column's width follows the table's; the cursor stays in sight."""
        self._repaint(layout=True)
        self._sight.find_room()

    def on_show(self) -> None:
        """What was to be in sight while the table was not comes into sight with it."""
        self._sight.find_room()

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        """The moving columns of every kept strip are stale."""
        self.drawing.forget_strips()
        super().watch_scroll_x(old_value, new_value)

    def show_from(self, position: int) -> None:
        """Scroll so that a position is at the top, or as near to it as keeps the cursor in sight; while the table is
        not in sight itself, as soon as it is."""
        self._sight.show_from(position)
