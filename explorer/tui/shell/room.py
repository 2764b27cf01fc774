"""How the panes share the window: by its width, by splits that the user moves, and by one pane that has all of it."""

from __future__ import annotations

from typing import Any, Literal

from textual.app import App

NARROW = 100
"""Cells of width below which the token table and the panes take turns."""
_STEP = 5
"""Percent of the width that one key press moves the split by."""
_LEAST, _MOST = 20, 80
_ROWS = 3
"""Rows of the details that one key press adds or takes."""
_FEWEST = 4

Part = Literal["tokens", "detail", "right"]
"""The token table, the details below it, or the pane of the right column."""


class Room:
    """Divides the window; a part that has the keys is always in sight."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self.part: Part = "tokens"
        """Where the keys go, or went last."""
        self.is_zoomed = False
        """Whether that part has the whole window."""
        self._split: int | None = None
        """Percent of the width that the left column has; None: as the style sheet says."""
        self._rows: int | None = None
        """Rows of the details, likewise."""

    def share(self) -> None:
        """Divide the window as it is now."""
        # Not by classes: that would style all that is inside again, which takes 40 ms.
        screen, is_zoomed = self._app.default_screen, self.is_zoomed
        left, right = screen.query_one("#left"), screen.query_one("#right-side")
        tokens, detail = screen.query_one("#tokens-pane"), screen.query_one("#detail-pane")
        detail_title, right_title = screen.query_one("#detail-title"), screen.query_one("#right-title")
        takes_turns = is_zoomed or self.is_narrow
        left.display = self.part != "right" or not takes_turns
        right.display = self.part == "right" or not takes_turns
        tokens.display = not (is_zoomed and self.part == "detail")
        detail.display = detail_title.display = not (is_zoomed and self.part == "tokens")
        left.styles.width = "100%" if takes_turns else _percent(self._split)
        left.styles.border_right = ("none", "transparent") if takes_turns else None
        detail.styles.height = "1fr" if is_zoomed else self._rows
        right_title.display = not self.is_narrow

    @property
    def is_narrow(self) -> bool:
        """Whether the token table and the panes take turns."""
        return self._app.size.width < NARROW

    def toggle_zoom(self) -> None:
        """Give the part with the keys the whole window, or share it again."""
        self.is_zoomed = not self.is_zoomed
        self.share()

    def grow(self, step: int) -> None:
        """Give the part with the keys more room, or with −1 less."""
        if self.is_zoomed:
            return
        if self.part == "detail" or (self.part == "tokens" and self.is_narrow):
            self._grow_details(step if self.part == "detail" else -step)
        elif not self.is_narrow:
            self._move_split(step if self.part == "tokens" else -step)
        self.share()

    def _move_split(self, step: int) -> None:
        now = round(100 * self._app.default_screen.query_one("#left").outer_size.width / self._app.size.width)
        self._split = max(_LEAST, min(_MOST, now + step * _STEP))

    def _grow_details(self, step: int) -> None:
        screen = self._app.default_screen
        most = screen.query_one("#left").size.height - 2 * _FEWEST
        now = screen.query_one("#detail-pane").outer_size.height
        self._rows = max(_FEWEST, min(most, now + step * _ROWS))


def _percent(split: int | None) -> str | None:
    return None if split is None else f"{split}%"
