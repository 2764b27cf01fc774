"""What every dialogue is: a framed box in the middle, left with Esc, at home on 80x24."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from textual._callback import invoke
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from explorer.tui.shell.guarded import Guarded, is_on_top, is_there
from explorer.tui.widgets.fitted_line import fitting

Result = TypeVar("Result")
_SEPARATOR = " · "
_CORNERS = 6
"""Cells of the frame that a line on it leaves free."""


def key_lines(keys: str) -> list[str]:
    """A line of keys, and what is left of it where there is less room: whole keys give way from the last but one on;
    the last one closes the box."""
    *others, closing = keys.split(_SEPARATOR)
    return [_SEPARATOR.join((*others[:most], closing)) for most in range(len(others), -1, -1)]


class DialogBox(Vertical):
    """A frame with a title, and below the keys that fit its width."""

    def __init__(self, title: str, keys: str) -> None:
        super().__init__(id="dialog-box")
        self.border_title = Content(title)
        self._keys = keys

    def on_resize(self) -> None:
        """Name as many keys as there is room for."""
        self.border_subtitle = Content(fitting(key_lines(self._keys), self.outer_size.width - _CORNERS))


class Dialog(Guarded, ModalScreen[Result], Generic[Result]):
    """A modal box with a title and a line of keys; Esc dismisses it with None.

    Subclasses give `dialog_title`, `keys_line` and `compose_body`. Textual keeps the App's keys away from a
    modal screen, so printable keys may be bound here.
    """

    dialog_title: ClassVar[str] = ""
    keys_line: str = "esc close"
    """What the keys do here, with ` · ` between two."""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "close", show=False)]
    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        & > #dialog-box {
            width: 92%; max-width: 110; height: 90%;
            padding: 0 1;
            background: $surface;
            border: round $border;
            border-title-color: $accent;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
        }
        & Static { text-wrap: wrap; }
    }
    """

    def compose(self) -> ComposeResult:
        with DialogBox(self.dialog_title, self.keys_line):
            yield from self.compose_body()

    def compose_body(self) -> ComposeResult:
        """The widgets in the box."""
        yield Static(Content(""))

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """As Textual has it, but only where this box has the keys: of two keys pressed fast the second one would be
        taken for whatever has them by then, and close that."""
        return super().dismiss(result) if is_on_top(self) else AwaitComplete()

    def action_leave(self) -> None:
        """Close without a result."""
        self.dismiss(None)

    def call_after_refresh(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """As Textual has it, but not once this screen has gone: the screen below would do it, look for widgets in vain,
        and forget what others want done after it."""
        return super().call_after_refresh(self._call_if_there, partial(callback, *args, **kwargs))

    async def _call_if_there(self, call: Callable[[], Any]) -> None:
        if is_there(self):
            await invoke(call)
