"""Every key with what it does, made from the table of commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from explorer.tui.screens.dialog import Dialog
from explorer.tui.shell.commands import COMMANDS, Command, key_names


def help_text(keys: Mapping[str, str], width: int, commands: Sequence[Command] = COMMANDS) -> Content:
    """All commands by group in lines of `width` cells, with the user's `keys`; changed ones are marked with `*`."""
    room = max(len(key_names(command, keys)) for command in commands) + 2
    indent = " " * (room + 2)
    lines: list[Content] = []
    for group in dict.fromkeys(command.group for command in commands):
        lines += [Content("")] if lines else []
        lines.append(Content.styled(group, "bold $accent"))
        for command in commands:
            if command.group == group:
                changed = keys.get(command.name, command.key) != command.key
                key = f"{key_names(command, keys)}{'*' if changed else ''}"
                first, *more = wrap(command.help, max(20, width - len(indent)))
                lines.append(Content.assemble((f"  {key:<{room}}", "bold $primary"), first))
                lines += [Content(indent + line) for line in more]
    if any(keys.get(command.name, command.key) != command.key for command in commands):
        lines += [Content(""), Content.styled("* changed in your settings", "$foreground-muted")]
    return Content("\n").join(lines)


class HelpScreen(Dialog[None]):
    """Scrolls with the arrows; `?` or Esc closes."""

    dialog_title: ClassVar[str] = "Keys"
    keys_line: ClassVar[str] = "↑↓ scroll · esc close"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,q", "leave", "close", show=False)]

    def __init__(self, keys: Mapping[str, str] | None = None, commands: Sequence[Command] = COMMANDS) -> None:
        super().__init__()
        self._keys = dict(keys or {})
        self._commands = commands

    def compose_body(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Content(""))

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._lay_out)

    def _lay_out(self) -> None:
        width = self.query_one(VerticalScroll).scrollable_content_region.width
        # Before the first layout there is no width; a scrollbar may take two cells.
        self.query_one(Static).update(help_text(self._keys, max(30, width - 2), self._commands))
