"""A list of what can be copied; one of it is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from explorer.base.text import visible
from explorer.tui.panes.takeaway import Clip
from explorer.tui.screens.dialog import Dialog
from explorer.tui.widgets.row_list import RowList

DIGITS = "123456789"


class CopyMenu(Dialog[Clip]):
    """Enter, or the digit before a line, dismisses with what is to be copied; Esc with None."""

    dialog_title: ClassVar[str] = "Copy"
    keys_line = "↑↓ choose · enter or digit copy · esc close"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(digit, f"choose({place})", show=False) for place, digit in enumerate(DIGITS)),
        Binding("y,Y", "choose_current", show=False),
    ]
    DEFAULT_CSS = """
    CopyMenu {
        & > #dialog-box { height: auto; max-height: 90%; }
        & RowList { height: auto; max-height: 70vh; }
    }
    """

    def __init__(self, clips: Sequence[Clip]) -> None:
        super().__init__()
        self._clips = clips

    def compose_body(self) -> ComposeResult:
        yield RowList(id="copy-list")

    def on_mount(self) -> None:
        rows = self.query_one(RowList)
        rows.show_rows([_line(place, clip) for place, clip in enumerate(self._clips)])
        self.set_focus(rows)

    @on(RowList.Chosen)
    def take_chosen(self, event: RowList.Chosen) -> None:
        event.stop()
        self.action_choose(event.index)

    def action_choose_current(self) -> None:
        """Copy what is under the cursor."""
        self.action_choose(self.query_one(RowList).cursor)

    def action_choose(self, place: int) -> None:
        """Copy what stands in a line."""
        if place < len(self._clips):
            self.dismiss(self._clips[place])


def _line(place: int, clip: Clip) -> Content:
    digit = DIGITS[place] if place < len(DIGITS) else " "
    return Content.assemble((f"{digit} ", "$foreground-muted"), visible(clip.what, spaces=False))
