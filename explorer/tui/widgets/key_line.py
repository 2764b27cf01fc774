"""The last line of the screen: the keys that act where the focus is, and always those of help, quit and palette."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.keys import key_to_character
from textual.widget import Widget

from explorer.tui.shell.commands import key_name
from explorer.tui.shell.guarded import Guarded

_PALETTE = "palette"
_JOINED = "←→↑↓+-"
"""Keys that stand together where they do the same this way and that."""
_ALWAYS = ("command('help')", "command('quit')")
"""Actions that are named whatever the width."""
_FIRST = "command('step_forward')"
"""What a replay is for: named first, wherever the focus is."""


@dataclass(frozen=True)
class Hint:
    """A key and what it does."""

    key: str
    """As on a keyboard: `/`, `ctrl+t`, `←→`."""
    label: str
    press: str = ""
    """What a click presses, in Textual's spelling."""
    is_kept: bool = False
    """Whether it is named whatever the width."""
    is_first: bool = False
    """Whether it stands before all others."""

    @property
    def width(self) -> int:
        """Cells that it takes."""
        return cell_len(self.key) + cell_len(self.label) + 3


def fitting(hints: Sequence[Hint], width: int) -> tuple[list[Hint], list[Hint]]:
    """What stands at the left and at the right of `width` cells: the last of the hints that are not kept give way."""
    kept = sorted((hint for hint in hints if hint.is_kept), key=lambda hint: hint.label == _PALETTE)
    room = width - sum(hint.width for hint in kept)
    shown: list[Hint] = []
    for hint in hints:
        if hint.is_kept:
            continue
        room -= hint.width
        if room < 0:
            break
        shown.append(hint)
    return shown, kept


def merged(hints: Iterable[Hint]) -> list[Hint]:
    """Neighbours with one label as one hint: `←→ column`, `+- zoom`, and of other keys the first."""
    found = []
    for _, same in groupby(hints, key=lambda hint: hint.label):
        first, *others = same
        arrows = "".join(hint.key for hint in (first, *others) if hint.key in _JOINED)
        found.append(replace(first, key=arrows or first.key))
    return found


def line_of(hints: Sequence[Hint], width: int) -> Content:
    """The hints in `width` cells."""
    left, right = (Content.assemble(*map(_content, part)) for part in fitting(hints, width))
    return Content.assemble(left, " " * max(0, width - left.cell_length - right.cell_length), right)


def _character(key: str) -> str | None:
    """What a key writes into a field, if anything."""
    name = key_name(key)
    return name if len(name) == 1 else key_to_character(key)


def _content(hint: Hint) -> Content:
    return Content.assemble((f" {hint.key} ", "bold $footer-key-foreground"), f"{hint.label} ")


class KeyLine(Guarded, Widget):
    """Follows the focus; a click presses the key."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; background: $footer-background; color: $footer-foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.hints: list[Hint] = []
        """What is on the line, as far as there is room."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda screen: self._update())
        self._update()

    def _update(self) -> None:
        hints = merged(sorted(self._active(), key=lambda hint: not hint.is_first))
        if self.app.app_focus and hints != self.hints:
            self.hints = hints
            self.refresh()

    def _active(self) -> Iterator[Hint]:
        """Those of the widget with the focus first, then those of its pane and of the App."""
        app, focused = self.app, self.screen.focused
        for key, (node, binding, is_enabled, _) in self.screen.active_bindings.items():
            is_palette = key == app.COMMAND_PALETTE_BINDING
            is_typed = focused is not None and node is app and focused.check_consume_key(key, _character(key))
            if is_enabled and not is_typed and (binding.show or is_palette):
                label = _PALETTE if is_palette else binding.description
                is_kept = is_palette or binding.action in _ALWAYS
                yield Hint(key_name(binding.key), label, key, is_kept, binding.action == _FIRST)

    def render(self) -> Content:
        return line_of(self.hints, self.size.width)

    def on_click(self, event: events.Click) -> None:
        """Press the key under the mouse."""
        left, right = fitting(self.hints, self.size.width)
        x = 0
        for hint in left:
            if x <= event.x < x + hint.width:
                self.app.simulate_key(hint.press)
            x += hint.width
        x = self.size.width - sum(hint.width for hint in right)
        for hint in right:
            if x <= event.x < x + hint.width:
                self.app.simulate_key(hint.press)
            x += hint.width
