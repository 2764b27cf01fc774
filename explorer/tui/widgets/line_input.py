"""A one-line box that opens when a key asks for it: the filter, the jump prompt."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from explorer.tui.shell.guarded import Guarded
from explorer.tui.widgets.shown_characters import ShowHidden


class LineInput(Guarded, Input):
    """A one-line box that holds what was typed, and draws a sign in the place of what cannot be seen.

    It is compact: without, Textual draws a border round a value that is not valid, where there is room for no text.
    """

    DEFAULT_CSS = """
    LineInput { display: none; background: $boost; &.-textual-compact { padding: 0 1; } }
    LineInput:focus { background: $panel; }
    LineInput.-open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "to the table"),
        Binding("down", "submit", "to the table", show=False),
        Binding("escape", "leave", "leave"),
    ]

    def __init__(self, *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(placeholder=placeholder, highlighter=ShowHidden(), compact=True, id=id)

    class Left(Message):
        """Escape was pressed in the box."""

        def __init__(self, box: LineInput) -> None:
            super().__init__()
            self.box = box

        @property
        def control(self) -> LineInput:
            """The box, for `on` selectors."""
            return self.box

    def open(self) -> None:
        """Show the box and type into it."""
        self.add_class("-open")
        # At once: `focus()` waits its turn, and a key typed meanwhile would be taken for a command.
        self.screen.set_focus(self)

    def close(self, *, empty: bool = True) -> None:
        """Hide the box; with `empty`, its text is gone too."""
        self.remove_class("-open")
        if empty:
            self.value = ""

    def on_blur(self) -> None:
        """An empty box that was left is of no use, unless it was the terminal's window that was left."""
        if not self.value and self.app.app_focus:
            self.remove_class("-open")

    def action_leave(self) -> None:
        """Give the box up."""
        self.post_message(self.Left(self))
