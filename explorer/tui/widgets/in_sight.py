"""Scrolling that keeps the row under a cursor in sight."""

from __future__ import annotations

from collections.abc import Callable

from textual.scroll_view import ScrollView


def first_row(cursor: int, first: int, room: int) -> int:
    """The row at the top so that `cursor` is among the `room` rows from it on, as near to `first` as can be."""
    return min(first, cursor) + max(0, cursor - (first + room - 1))


class Sight:
    """What of a view of rows is in sight: the row under its cursor always, at once or as soon as there is room.

    While the view itself is out of sight nothing is scrolled: there is no telling yet how many rows will have room.
    """

    def __init__(self, view: ScrollView, cursor: Callable[[], int], room: Callable[[], int]) -> None:
        self._view, self._cursor, self._room = view, cursor, room
        self._pointed: int | None = None
        self._awaited: int | None = None

    def keep_cursor(self) -> None:
        """Scroll as far as it takes to have the cursor in sight."""
        cursor = self._cursor()
        if cursor != self._pointed:
            self._pointed = None
        if self._has_room:
            first = self._view.scroll_offset.y if self._pointed is None else 0
            top = first_row(cursor, first, self._room())
            if top != self._view.scroll_offset.y:
                self._view.scroll_to(y=top, animate=False, force=True)

    def find_room(self) -> None:
        """The view came into sight, or has another size: show what waited for that, and the cursor."""
        if self._awaited is not None:
            self.show_from(self._awaited)
        self.keep_cursor()

    def come_down_to(self, cursor: int) -> None:
        """Show row `cursor`, which is under the cursor, as if that had come down to it from the first row.

        So it is shown whatever room there comes to be, until the cursor is moved.
        """
        self._pointed = cursor
        self.keep_cursor()

    def show_from(self, position: int) -> None:
        """Have a row at the top, or as near to it as keeps the cursor in sight."""
        self._awaited = None
        self._view.scroll_to(y=max(0, position), animate=False, force=True, immediate=True)
        self.keep_cursor()
        self._awaited = None if self._has_room else position

    @property
    def _has_room(self) -> bool:
        return self._view.is_on_screen and self._room() > 0
