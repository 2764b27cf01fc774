"""An unexpected error in full, to be copied into a report."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from explorer.base.text import visible
from explorer.tui.screens.dialog import Dialog
from explorer.tui.shell.guarded import Defect


class DefectScreen(Dialog[None]):
    """Shows the traceback; `y` copies it through the terminal (OSC 52)."""

    dialog_title: ClassVar[str] = "Internal error"
    keys_line = "↑↓ scroll · y copy · q esc close"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "copy", show=False),
        Binding("q", "leave", "close", show=False),
    ]
    DEFAULT_CSS = """
    DefectScreen {
        & #defect-summary { height: auto; color: $error; margin: 0 0 1 0; }
        & #defect-done { height: 1; color: $foreground-muted; }
    }
    """

    def __init__(self, defect: Defect) -> None:
        super().__init__()
        self._defect = defect

    def compose_body(self) -> ComposeResult:
        yield Static(Content(visible(self._defect.summary, spaces=False)), id="defect-summary")
        with VerticalScroll():
            lines = [visible(line, spaces=False) for line in self._defect.traceback.splitlines()]
            yield Static(Content("\n".join(lines)))
        yield Static(Content("The program continues. Please report this with the text above."), id="defect-done")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(VerticalScroll))

    def action_copy(self) -> None:
        """Put the traceback on the clipboard."""
        self.app.copy_to_clipboard(self._defect.traceback)
        self.query_one("#defect-done", Static).update(Content("Copied, where the terminal allows it."))
