"""The engine's last log lines, and the unexpected errors of the screen's side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from explorer.base.text import visible
from explorer.tui.screens.defect import DefectScreen
from explorer.tui.screens.dialog import Dialog
from explorer.tui.shell.guarded import Defect
from explorer.tui.widgets.row_list import RowList


class LogScreen(Dialog[None]):
    """Lists the lines, newest last; the line under the cursor stands below in full."""

    dialog_title: ClassVar[str] = "Engine log"
    keys_line = "↑↓ line · end newest · q esc close"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,ctrl+l", "leave", "close", show=False)]
    DEFAULT_CSS = """
    LogScreen #log-line { height: auto; max-height: 6; border-top: solid $border-blurred; }
    """

    def __init__(self, lines: Iterable[str] = (), defects: Iterable[Defect] = ()) -> None:
        """`lines` of the engine; `defects` of the screen's side stand after them."""
        super().__init__()
        self._defects = tuple(defects)
        self._lines = [_row(line) for line in lines]
        self._first_defect = len(self._lines)
        self._lines += [_row(f"✗ internal error: {defect.summary} (enter shows all)") for defect in self._defects]
        if not self._lines:
            self.keys_line = "q esc close"

    def compose_body(self) -> ComposeResult:
        yield RowList(id="log-lines", empty="The engine has logged nothing.")
        yield Static(Content(""), id="log-line")

    def on_mount(self) -> None:
        rows = self.query_one(RowList)
        rows.show_rows(self._lines)
        self.set_focus(rows)
        # The last line is in view once the list has its height.
        self.call_after_refresh(rows.action_move, len(self._lines))

    def on_row_list_highlighted(self, event: RowList.Highlighted) -> None:
        event.stop()
        self.query_one("#log-line", Static).update(self._lines[event.index])

    def on_row_list_chosen(self, event: RowList.Chosen) -> None:
        event.stop()
        if event.index >= self._first_defect:
            self.app.push_screen(DefectScreen(self._defects[event.index - self._first_defect]))


def _row(line: str) -> Content:
    return Content(visible(line.rstrip("\r\n"), spaces=False))
