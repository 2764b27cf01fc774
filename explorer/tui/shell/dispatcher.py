"""From a key to what it does: the table of acts, the user's own keys, and keys that were typed ahead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from inspect import isawaitable
from time import monotonic
from typing import Any

from textual.app import App, SystemCommand
from textual.events import Event, Key
from textual.markup import escape
from textual.widget import Widget

from explorer.base.text import visible
from explorer.specs.registry import REGISTRY
from explorer.specs.spec import Tab
from explorer.tui.panes.base import Pane
from explorer.tui.shell.commands import (
    COMMANDS,
    REPLAY_COMMANDS,
    Command,
    action_of,
    bindings,
    key_names,
    show_commands,
    tab_commands,
)
from explorer.tui.shell.keys import key_problems, usable_keys, without_aliases
from explorer.tui.shell.tabs import in_row
from explorer.tui.shell.type_ahead import TypeAhead, is_text

Act = Callable[[], Awaitable[None] | None]
TabAct = Callable[[str], None]
"""Does something with the tab of a name."""
Forward = Callable[[Event], Awaitable[None]]
NEED_NO_PANES = {"quit", "help", "log", "theme", "cancel", "defect"}
LONGEST_OPENING = 0.5
"""Seconds after which keys are commands again where nothing was opened; for a box: after the last letter."""
_LOOK = 0.02
"""Seconds from one look whether a box is there to the next."""


def show_acts(tabs: Sequence[Tab], show: TabAct) -> dict[str, Act]:
    """What the commands do that show a tab."""
    return {f"show_{tab.name}": partial(show, tab.name) for tab in in_row(tabs)}


def ask_acts(tabs: Sequence[Tab], ask: TabAct) -> dict[str, Act]:
    """What the commands do that ask something of the selected token."""
    return {tab.command: partial(ask, tab.name) for tab in tabs if tab.command}


class Dispatcher:
    """Carries out the commands of one screen."""

    def __init__(self, app: App[Any], keys: Mapping[str, str], forward: Forward) -> None:
        """`keys`: the settings' `[keys]` table. `forward`: handles an event of the App as usual."""
        self._app = app
        self._forward = forward
        self._chosen = without_aliases(keys)
        self._type_ahead = TypeAhead()
        self._type_ahead.heed([app.COMMAND_PALETTE_BINDING])
        self.last_key = 0.0
        """When the last key came, by `time.monotonic`."""
        self.commands: list[Command] = []
        self.acts: dict[str, Act] = {"help": self.show_help}
        """What each command does, by its name."""
        self.offers: list[Callable[[], Iterator[SystemCommand]]] = []
        """What the palette offers besides the commands."""

    @property
    def keys(self) -> dict[str, str]:
        """The user's own keys, by command."""
        return usable_keys(self._chosen, self.commands)

    def add(self, commands: Sequence[Command], acts: Mapping[str, Act]) -> None:
        """Bind the keys of `commands`. What they do may be added later (`acts` of commands that are known)."""
        self.commands += commands
        self.acts |= acts
        for binding in bindings(self.keys, commands):
            self._app._bindings.bind(binding.key, binding.action, binding.description, show=binding.show)
        for command in commands:
            if command.opens:
                keys = self.keys.get(command.name, command.key).split(",")
                self._type_ahead.heed(keys, open_box=command.opens == "box")

    def add_tabs(self, tabs: Sequence[Tab], show: TabAct, ask: TabAct | None) -> None:
        """Commands for tabs of other packages; `ask` asks what their pane asks of the selected token."""
        self.add(show_commands(tabs), show_acts(tabs, show))
        if ask is not None:
            self.add(tab_commands(tabs), ask_acts(tabs, ask))

    def key_problems(self) -> list[str]:
        """What is wrong with the settings' `[keys]` table, a line each."""
        return key_problems(self._chosen, self.commands, (*COMMANDS, *REPLAY_COMMANDS))

    def show_help(self) -> None:
        """Every key."""
        from explorer.tui.screens.help import HelpScreen
        from explorer.tui.shell.pane_keys import pane_groups

        panes = self._app.default_screen.query(Pane)
        self._app.push_screen(HelpScreen(self.keys, self.commands, pane_groups(panes, REGISTRY.tabs())))

    def is_ready(self, action: str, parameters: tuple[object, ...], *, is_open: bool) -> bool:
        """Whether an action can be carried out; until the panes are open there is nothing to act on."""
        if action != "command":
            return True
        if parameters[0] == "cancel" and len(self._app.screen_stack) > 1:
            return False  # a field's esc leaves the box that it stands in
        return is_open or parameters[0] in NEED_NO_PANES

    def palette(self) -> Iterator[SystemCommand]:
        """Every command, as the palette lists it: with its key."""
        for command in self.commands:
            act = partial(self._app.run_action, f"app.{action_of(command)}")
            title = f"{command.title[0].upper()}{command.title[1:]}  ({key_names(command, self.keys)})"
            yield SystemCommand(title, command.help, act)
        for offer in self.offers:
            yield from map(_as_written, offer())

    async def carry_out(self, name: str) -> None:
        """Do what a command does; keys that were typed ahead go to the box or pane that it opened."""
        try:
            done = self.acts[name]()
            if isawaitable(done):
                await done
        finally:
            await self._look(is_done=True)

    def keeps(self, event: Event, *, is_open: bool) -> bool:
        """Whether `event` is a key for a box that is being opened: it is forwarded when the box is there."""
        if not isinstance(event, Key) or event.is_forwarded:
            return False
        self.last_key = monotonic()
        is_free = len(self._app.screen_stack) == 1 and not _takes_letters(self._app.focused)
        was_waiting = self._type_ahead.is_waiting
        is_kept = self._type_ahead.keeps(event, is_free=is_free, is_open=is_open)
        if is_open and self._type_ahead.is_waiting and not was_waiting:
            self._watch_box()
        return is_kept

    async def hear(self) -> None:
        """Commands can be carried out from now on: of what was typed before, a key that opens a box, and what is
        meant for the box."""
        for event in self._type_ahead.release():
            if not self.keeps(event, is_open=True):
                await self._forward(event)

    @property
    def waits(self) -> bool:
        """Whether keys are kept for what is being opened."""
        return self._type_ahead.is_waiting

    def _watch_box(self) -> None:
        self._watch = self._app.set_interval(_LOOK, self._look)

    async def _look(self, *, is_done: bool = False) -> None:
        """Type on once a box has the keys, or a pane was told to take them (`is_done`). Where no box came, drop what
        was written for it: as commands those letters would do what nobody wants."""
        ahead = self._type_ahead
        if not ahead.is_waiting:
            return
        is_late = ahead.is_silent_for(LONGEST_OPENING)
        if self._has_box() if ahead.is_for_box else is_done or is_late:
            self._watch.stop()
            for event in ahead.release():
                await self._forward(event)
        elif is_late:
            self._watch.stop()
            for event in ahead.release():
                if not is_text(event):
                    await self._forward(event)

    def _has_box(self) -> bool:
        app = self._app
        return app.focused is not None if len(app.screen_stack) > 1 else _takes_letters(app.focused)


def _as_written(offered: SystemCommand) -> SystemCommand:
    """With its words as they are: the palette takes them for markup, and names come from files."""
    title, said = (escape(visible(text, spaces=False)) for text in (offered.title, offered.help))
    return offered._replace(title=title, help=said)


def _takes_letters(focused: Widget | None) -> bool:
    from textual.widgets import Input, TextArea  # come with the panes: not before the first paint

    return isinstance(focused, Input) or (isinstance(focused, TextArea) and not focused.read_only)
