"""From a key to what it does: the table of acts, the user's own keys, and keys that were typed ahead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from inspect import isawaitable
from typing import Any

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.events import Event, Key
from textual.widgets import Input, TextArea

from explorer.tui.shell.commands import COMMANDS, REPLAY_COMMANDS, Command, action_of, bindings
from explorer.tui.shell.keys import key_problems, usable_keys, without_aliases
from explorer.tui.shell.type_ahead import TypeAhead

Act = Callable[[], Awaitable[None] | None]
Forward = Callable[[Event], Awaitable[None]]
NEED_NO_PANES = {"quit", "help", "log", "theme", "cancel", "defect"}
LONGEST_OPENING = 0.5
"""Seconds after which keys are commands again where no box was opened."""


class Dispatcher:
    """Carries out the commands of one screen."""

    def __init__(
        self,
        app: App[Any],
        commands: Sequence[Command],
        keys: Mapping[str, str],
        acts: Mapping[str, Act],
        forward: Forward,
    ) -> None:
        """`keys`: the settings' `[keys]` table. `acts`: what each command does. `forward`: handles an event of the App
        as usual."""
        self._app = app
        self._acts = acts
        self._forward = forward
        self._chosen = without_aliases(keys)
        self.commands = tuple(commands)
        self.keys = usable_keys(self._chosen, self.commands)
        """The user's own keys, by command."""
        boxes = (self.keys.get(command.name, command.key) for command in self.commands if command.opens_box)
        self._type_ahead = TypeAhead({key.strip() for keys in boxes for key in keys.split(",")})

    def bindings(self) -> list[Binding]:
        """A binding for each command that has a key."""
        return bindings(self.keys, self.commands)

    def key_problems(self) -> list[str]:
        """What is wrong with the settings' `[keys]` table, a line each."""
        return key_problems(self._chosen, self.commands, (*COMMANDS, *REPLAY_COMMANDS))

    def is_ready(self, action: str, parameters: tuple[object, ...], *, is_open: bool) -> bool:
        """Whether an action can be carried out; until the panes are open there is nothing to act on."""
        return is_open or action != "command" or parameters[0] in NEED_NO_PANES

    def palette(self) -> Iterator[SystemCommand]:
        """Every command, as the palette lists it."""
        for command in self.commands:
            act = partial(self._app.run_action, f"app.{action_of(command)}")
            yield SystemCommand(command.title.capitalize(), command.help, act)

    async def carry_out(self, name: str) -> None:
        """Do what a command does; keys that were typed ahead go to the box that it opened."""
        try:
            done = self._acts[name]()
            if isawaitable(done):
                await done
        finally:
            await self._type_on()

    def keeps(self, event: Event, *, is_open: bool) -> bool:
        """Whether `event` is a key for a box that is being opened: it is forwarded when the box is there."""
        if not isinstance(event, Key) or event.is_forwarded:
            return False
        app, was_waiting = self._app, self._type_ahead.is_waiting
        is_free = is_open and len(app.screen_stack) == 1 and not isinstance(app.focused, Input | TextArea)
        if self._type_ahead.keeps(event, is_free=is_free):
            return True
        if self._type_ahead.is_waiting and not was_waiting:
            app.set_timer(LONGEST_OPENING, self._type_on)
        return False

    async def _type_on(self) -> None:
        for event in self._type_ahead.release():
            await self._forward(event)
