"""The token table: a virtual table with a cursor, sorted and filtered by whoever gives it rows."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message

from explorer.tui.panes.tokens.table_layout import Sort
from explorer.tui.panes.tokens.table_rows import TokenRows
from explorer.tui.panes.tokens.table_view import TableView


class TokenTable(TableView, can_focus=True):
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
        super().__init__(id=id)
        self._anchor: int | None = None
        """The token the user last put the cursor on."""

    def show_rows(self, rows: TokenRows, *, sort: str, descending: bool, lead: str) -> None:
        """Show `rows`, already sorted by `sort`; `lead` is the indicator to put first and to colour."""
        on_screen = self.cursor - self.scroll_offset.y
        self.rows, self._sort, self._lead = rows, Sort(sort, descending), lead
        self._repaint(layout=True)
        found = rows.position_of(self._anchor) if self._anchor is not None else None
        position = found if found is not None else 0
        self.scroll_to(y=max(0, position - max(0, on_screen)), animate=False, force=True)
        self.set_reactive(TableView.cursor, position)
        self._reveal(position)
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

    def seek(self, token_id: int) -> None:
        """Put the cursor on a token, now or as soon as rows are shown that have it."""
        if not self.go_to(token_id):
            self._anchor = token_id

    def watch_cursor(self, old: int, new: int) -> None:
        """Two lines are drawn again, not the screen."""
        self._reveal(new)
        for position in (old, new):
            self.refresh(Region(0, position - self.scroll_offset.y + 1, self.scrollable_size.width, 1))
        self._tell()

    def _tell(self) -> None:
        if self.token_id is not None:
            self.post_message(self.RowHighlighted(self.token_id))

    def _move_to(self, position: int) -> None:
        if self.rows is not None and len(self.rows):
            self.cursor = max(0, min(position, len(self.rows) - 1))
            self._anchor = self.token_id

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
        if self._painter is None:
            return
        starts = self._painter.layout.starts()
        x = self.scroll_offset.x
        if columns < 0:
            target = max((start for start in starts if start < x), default=0)
        else:
            target = min((start for start in starts if start > x), default=x)
        self.scroll_to(x=target, animate=False, force=True)

    def action_open(self) -> None:
        """Open the token under the cursor."""
        if self.token_id is not None:
            self.post_message(self.RowOpened(self.token_id))

    def on_click(self, event: events.Click) -> None:
        """A heading sorts, a row is selected, a double click opens it."""
        if self._painter is None:
            return
        if event.y == 0:
            column = self._painter.layout.column_at(event.x, self.scroll_offset.x)
            if column is not None and column.name:
                self.post_message(self.HeaderClicked(column.name))
            return
        position = self.scroll_offset.y + event.y - 1
        if position < len(self._painter.rows):
            self._move_to(position)
            if event.chain == 2:
                self.action_open()
