"""Every key with what it does, made from the table of commands and the bindings of the panes; and a glossary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from explorer.tui.screens.dialog import Dialog
from explorer.tui.screens.glossary import TERMS
from explorer.tui.shell.commands import COMMANDS, Command, key_names
from explorer.tui.shell.pane_keys import KeyGroup

Row = tuple[str, str]
"""Keys or a word, and what is said of them."""
_LONGEST_KEY = 18
"""Cells; longer ones stand on a line of their own."""


def help_text(
    keys: Mapping[str, str], width: int, commands: Sequence[Command] = COMMANDS, groups: Sequence[KeyGroup] = ()
) -> Content:
    """All commands by group in lines of `width` cells, with the user's `keys` (changed ones are marked with `*`), then
    the `groups` of panes' keys, then the glossary."""
    parts = [*_command_groups(keys, commands), *groups]
    cells = [cell_len(key) for _, rows in parts for key, _ in rows]
    room = max(each for each in cells if each <= min(_LONGEST_KEY, width // 3)) + 2
    lines = [line for heading, rows in parts for line in _group_lines(heading, rows, room, width)]
    if any(_is_changed(command, keys) for command in commands):
        lines += [Content.styled("* changed in your settings", "$foreground-muted"), Content("")]
    terms = min(max(cell_len(term) for term, _ in TERMS) + 2, width // 3)
    return Content("\n").join([*lines, *_group_lines("What the words mean", TERMS, terms, width)])


def _command_groups(keys: Mapping[str, str], commands: Sequence[Command]) -> Iterator[tuple[str, list[Row]]]:
    for group in dict.fromkeys(command.group for command in commands):
        yield (
            group,
            [
                (f"{key_names(command, keys)}{'*' if _is_changed(command, keys) else ''}", command.help)
                for command in commands
                if command.group == group
            ],
        )


def _is_changed(command: Command, keys: Mapping[str, str]) -> bool:
    return keys.get(command.name, command.key) != command.key


def _group_lines(heading: str, rows: Sequence[Row], room: int, width: int) -> Iterator[Content]:
    """A heading, its rows with the explanation `room` cells to the right, and an empty line."""
    yield Content.styled(heading, "bold $accent")
    indent = " " * (room + 2)
    for key, said in rows:
        first, *more = wrap(said, max(12, width - len(indent)))
        if cell_len(key) >= room:
            yield Content.assemble((f"  {key}", "bold $primary"))
            more, key, first = [first, *more], "", ""
        else:
            yield Content.assemble((f"  {key}{' ' * (room - cell_len(key))}", "bold $primary"), first)
        yield from (Content(indent + line) for line in more)
    yield Content("")


class HelpScreen(Dialog[None]):
    """Scrolls with the arrows; `?` or Esc closes."""

    dialog_title: ClassVar[str] = "Keys and words"
    keys_line = "↑↓ scroll · ? q esc close"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,q", "leave", "close", show=False)]

    def __init__(
        self,
        keys: Mapping[str, str] | None = None,
        commands: Sequence[Command] = COMMANDS,
        groups: Sequence[KeyGroup] = (),
    ) -> None:
        super().__init__()
        self._groups = groups
        self._keys = dict(keys or {})
        self._commands = commands

    def compose_body(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Content(""))

    def on_mount(self) -> None:
        self.set_focus(self.query_one(VerticalScroll))
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._lay_out)

    def _lay_out(self) -> None:
        width = self.query_one(VerticalScroll).scrollable_content_region.width
        # Before the first layout there is no width; a scrollbar may take two cells.
        self.query_one(Static).update(help_text(self._keys, max(30, width - 2), self._commands, self._groups))
