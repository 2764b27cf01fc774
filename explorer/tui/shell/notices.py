"""What the user is told in passing: one line at a time, and unexpected errors."""

from __future__ import annotations

from typing import Any

from textual.app import App

from explorer.base.text import visible
from explorer.tui.shell.guarded import Defects


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
