"""What the user is told in passing: one line at a time, and unexpected errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual.app import App
from textual.notifications import Notification
from textual.widgets._toast import Toast

from explorer.base.text import visible
from explorer.tui.shell.guarded import Defects

MOST_PLAIN, MOST_PROBLEMS = 2, 3
"""Notices of a kind that are on the screen at once."""


class Notices:
    """Notifications of the App; token text in them is safe to show."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self.defects = Defects()

    def remark(self, text: str, *, problem: bool = False) -> None:
        """One line for the user, never markup."""
        self._app.notify(
            visible(text, spaces=False),
            severity="error" if problem else "information",
            timeout=10 if problem else 3,
            markup=False,
        )
        self._app.call_later(self._thin_out)  # the notice itself comes by the same queue

    def _thin_out(self) -> None:
        """Take away what newer notices leave no place for."""
        gone = superseded(self._app._notifications)
        for toast in self._app.screen.query(Toast) if self._app.screen_stack else ():
            if toast._notification in gone:
                toast._expire()  # with its holder, which `_unnotify` leaves behind: empty, and a line high
        for each in gone:
            self._app._unnotify(each)

    def report(self, error: Exception) -> None:
        """Say once that there was an unexpected error, and keep it."""
        if (defect := self.defects.note(error)) is not None:
            self.remark(f"Internal error: {defect.summary}. Press f12 to read and copy it.", problem=True)

    def show_last_defect(self) -> None:
        """The last unexpected error in full."""
        from explorer.tui.screens.defect import DefectScreen

        if self.defects.found:
            self._app.push_screen(DefectScreen(self.defects.found[-1]))
        else:
            self.remark("There was no internal error.")


def superseded(notices: Iterable[Notification]) -> list[Notification]:
    """Which of `notices`, the newest last, have to go: plain ones that begin with the word that a newer one begins
    with ("Theme …", "Copied …"), and the oldest where there are too many. A plain one takes no problem's place."""
    newest_first = list(notices)[::-1]
    plain = [each for each in newest_first if each.severity != "error"]
    problems = [each for each in newest_first if each.severity == "error"]
    kinds: dict[str, Notification] = {}
    for each in plain:
        kinds.setdefault(each.message.partition(" ")[0], each)
    kept = [*list(kinds.values())[:MOST_PLAIN], *problems[:MOST_PROBLEMS]]
    return [each for each in newest_first if each not in kept]
