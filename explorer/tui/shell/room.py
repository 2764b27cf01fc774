"""How the panes share the window: by its width, by splits that the user moves, and by one pane that has all of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace
from textual.app import App

from explorer.tui.shell.messages import Remark
from explorer.tui.shell.room_kept import (
    FEWEST_ROWS,
    LEAST_SPLIT,
    MOST_SPLIT,
    Division,
    division_file,
    read_division,
    write_division,
)

NARROW = 100
"""Cells of width below which the token table and the panes take turns."""
_STEP = 5
"""Percent of the width that one key press moves the split by."""
_ROWS = 3
"""Rows of the details that one key press adds or takes."""
_OTHERS = 12
"""Rows of the window that the details leave to bars, titles and the token table."""

Part = Literal["tokens", "detail", "right"]
"""The token table, the details below it, or the pane of the right column."""


class Room:
    """Divides the window; a part that has the keys is always in sight."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self.part: Part = "tokens"
        """Where the keys go, or went last."""
        self.division = Division()
        """What the user moved."""
        self._kept: Division | None = None
        """What the state folder holds; None: nothing that can be read."""

    def recall(self, folder: Path) -> None:
        """Divide the window from now on as it was left. Raises `ExplorerError` where that cannot be read."""
        self._kept = None
        self.division = self._kept = read_division(division_file(folder))

    def keep(self, folder: Path) -> None:
        """Keep the division for the next start, where it is another one."""
        if self.division != self._kept:
            with suppress(OSError):  # the program ends: nobody is there to be told
                write_division(division_file(folder), self.division)

    def share(self) -> None:
        """Divide the window as it is now."""
        # Not by classes: that would style all that is inside again, which takes 40 ms.
        screen, is_zoomed = self._app.default_screen, self.division.is_zoomed
        left, right = screen.query_one("#left"), screen.query_one("#right-side")
        tokens, detail = screen.query_one("#tokens-pane"), screen.query_one("#detail-pane")
        detail_title, right_title = screen.query_one("#detail-title"), screen.query_one("#right-title")
        takes_turns = self.takes_turns
        left.display = self.part != "right" or not takes_turns
        right.display = self.part == "right" or not takes_turns
        tokens.display = not (is_zoomed and self.part == "detail")
        detail.display = detail_title.display = not (is_zoomed and self.part == "tokens")
        left.styles.width = "100%" if takes_turns else _percent(self.division.split)
        left.styles.border_right = ("none", "transparent") if takes_turns else None
        detail.styles.height = "1fr" if is_zoomed else self._rows_that_fit
        right_title.display = not self.is_narrow

    @property
    def is_narrow(self) -> bool:
        """Whether the token table and the panes do not fit beside each other."""
        return self._app.size.width < NARROW

    @property
    def takes_turns(self) -> bool:
        """Whether either the token table or a pane is in sight."""
        return self.division.is_zoomed or self.is_narrow

    def toggle_zoom(self) -> None:
        """Give the part with the keys the whole window, or share it again."""
        self.division = replace(self.division, is_zoomed=not self.division.is_zoomed)
        self.share()

    def grow(self, step: int) -> None:
        """Give the part with the keys more room, or with −1 less."""
        before = self.division
        if before.is_zoomed:
            self._app.post_message(Remark("One pane has the whole window: z shares it again."))
            return
        if self.part == "detail" or (self.part == "tokens" and self.is_narrow):
            self._grow_details(step if self.part == "detail" else -step)
        elif not self.is_narrow:
            self._move_split(step if self.part == "tokens" else -step)
        if self.division == before:
            why = "There is no more room to give." if step > 0 else "It cannot be smaller."
            self._app.post_message(Remark(f"{why} z gives one pane the whole window."))
        self.share()

    def _move_split(self, step: int) -> None:
        now = round(100 * self._app.default_screen.query_one("#left").outer_size.width / self._app.size.width)
        split = max(LEAST_SPLIT, min(MOST_SPLIT, now + step * _STEP))
        self.division = replace(self.division, split=split)

    def _grow_details(self, step: int) -> None:
        screen = self._app.default_screen
        most = screen.query_one("#left").size.height - 2 * FEWEST_ROWS
        now = screen.query_one("#detail-pane").outer_size.height
        rows = max(FEWEST_ROWS, min(most, now + step * _ROWS))
        self.division = replace(self.division, rows=rows)

    @property
    def _rows_that_fit(self) -> int | None:
        """Rows of the details that leave some to the table: the window may have had more when they were chosen."""
        rows = self.division.rows
        return None if rows is None else max(FEWEST_ROWS, min(rows, self._app.size.height - _OTHERS))


def _percent(split: int | None) -> str | None:
    return None if split is None else f"{split}%"
