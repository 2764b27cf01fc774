"""Pressing every key that a screen names, and telling which of them do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

from textual.widget import Widget

from explorer.tui.panes.map.body import MapBody
from explorer.tui.panes.map.plots_view import PlotsView
from explorer.tui.screens.dialog import DialogBox
from explorer.tui.shell.stage import Stage
from explorer.tui.shell.tabs import in_row
from explorer.tui.widgets.key_line import Hint, KeyLine
from explorer.tui.widgets.lines_view import LinesView
from tests.app_driver import LOOK, WAITING

QUIET = 3
"""Looks in which nothing was drawn after which the screen has come to rest."""
SILENCE = 3.0
"""Seconds after which a key that changed nothing is said to do nothing."""
LEAVING = ("quit", "go_live", "restart_engine")
"""Commands that end the screen or the engine: it is noted that they were given."""
_OPPOSITE = {"left": "right", "up": "down", "plus": "minus"}
"""Of keys that share a hint, each may be at its end."""


_OF_PANE = ("submit", "run", "choose")
"""Actions of widgets that several panes have, to which each pane gives its own meaning."""


FRAME_KEYS = {"↑↓": "down", "esc": "escape", "?": "question_mark", "digit": "2"} | {
    key: key for key in ("enter", "tab", "end", "a", "q", "r", "x", "y")
}
"""Keys as the frame of a dialogue names them, and as they are pressed."""


class Named(NamedTuple):
    """A key that the last line names while a widget has the focus."""

    hint: Hint
    owner: object
    """What the key is bound to."""
    action: str


class Presser:
    """Presses keys of a screen, one after the other, each on a screen that has come to rest."""

    def __init__(self, app: Stage) -> None:
        self.app = app
        self.silent: list[str] = []
        """Keys that did nothing, and where they were pressed."""
        self.pressed: set[tuple[object, ...]] = set()
        self._given: list[str] = []
        self._draws = 0
        for name in LEAVING:
            if name in app.dispatcher.acts:
                app.dispatcher.acts[name] = partial(self._given.append, name)
        app.ending.leave_for = self._note_leaving  # type: ignore[method-assign]
        self._count_draws()

    async def _note_leaving(self, opening: object) -> None:
        self._given.append(str(opening))

    def _count_draws(self) -> None:
        display = self.app._display

        def count(*drawn: Any) -> None:
            self._draws += 1
            display(*drawn)

        self.app._display = count  # type: ignore[method-assign, assignment]

    # ── looking ──

    def look(self) -> tuple[object, ...]:
        """All that a user could notice, below the edge of the screen too."""
        app = self.app
        shown = [strip._segments for strip in app.screen._compositor.render_strips()]
        views = [[line.plain for line in view.lines] for view in app.screen.query(LinesView) if view.is_on_screen]
        notes = [note.message for note in app._notifications]
        return shown, views, notes, tuple(map(id, app.screen_stack)), id(app.focused), tuple(self._given)

    async def rest(self) -> None:
        """Wait until nothing is drawn and nothing is under way."""
        quiet = 0
        while quiet < QUIET:
            before = self._draws
            await asyncio.sleep(LOOK)
            quiet = quiet + 1 if before == self._draws and not self._is_busy() else 0

    def _is_busy(self) -> bool:
        working = any(not each.is_finished and each.group not in WAITING for each in self.app.workers)
        return working or self.app.dispatcher.waits or self.app.message_queue_size > 0

    def named(self, widget: Widget) -> list[Named]:
        """The keys on the last line while `widget` has the focus."""
        self.app.screen.set_focus(widget)
        line = self.app.default_screen.query_one(KeyLine)
        line._update()
        bound = self.app.screen.active_bindings
        return [Named(hint, bound[hint.press].node, bound[hint.press].binding.action) for hint in line.hints]

    # ── pressing ──

    async def press(self, *keys: str) -> None:
        """Press keys without asking what they do."""
        for key in keys:
            self.app.simulate_key(key)
            await self.rest()

    def show_tab(self, name: str) -> None:
        """Give the keys to what a tab shows, unless it has them."""
        pane = self.app.workspace.pane(name)
        if (
            self.app.focused is None
            or type(self.app.focused).__name__.endswith("Box")
            or pane not in self.app.focused.ancestors
        ):
            self.app.workspace.show_tab(name)

    async def leave_boxes(self) -> None:
        """Back to the panes."""
        while len(self.app.screen_stack) > 1:
            await self.press("escape")

    async def does_something(self, key: str) -> bool:
        """Whether a key changes anything that a user could notice."""
        if len(self.app._notifications):
            self.app.clear_notifications()
        await self.rest()
        before, changes, end = self.look(), (-1, -1), monotonic() + SILENCE
        self.app.simulate_key(key)
        while monotonic() < end:
            await asyncio.sleep(LOOK)
            now = self._draws, len(self.app._notifications) + len(self._given)  # notices are not drawn in a test
            if changes != now:
                changes = now
                if self.look() != before:
                    return True
        return False

    async def try_key(self, key: str, where: str, back: Callable[[], object]) -> None:
        """Press a key after `back`, and note where it does nothing."""
        for each in (key, _OPPOSITE.get(key)):
            await self.rest()  # what the key before led to
            back()
            if each is not None and await self.does_something(each):
                break
        else:
            self.silent.append(f"{where}: {key}")
        await self.rest()  # what was drawn late may have come before the box that the key opens
        await self.leave_boxes()

    async def try_dialogue(self, key: str) -> None:
        """Press the keys on the frame of the dialogue that `key` opens."""
        await self.press(key)
        named = str(self.app.screen.query_one(DialogBox).border_subtitle)
        await self.leave_boxes()
        for hint in named.split(" · "):
            for word in [word for word in hint.split()[:-1] if word in FRAME_KEYS]:
                await self.press(key)
                assert len(self.app.screen_stack) == 2, key
                if not await self.does_something(FRAME_KEYS[word]):
                    self.silent.append(f"dialogue of {key}: {word}")
                await self.leave_boxes()

    async def try_panes(self, *, state: str = "", only_content: bool = False) -> None:
        """Press the keys that panes and what is in them name for themselves: each key of a class once a pane and
        `state` of it."""
        for tab in in_row(self.app.workspace.tabs):
            pane = self.app.workspace.pane(tab.name)
            self.app.workspace.show_tab(tab.name)
            await self.rest()
            content = pane.query_one(pane.content) if pane.content else pane
            for widget in [each for each in self.app.screen.focus_chain if pane in each.ancestors]:
                if content in widget.ancestors_with_self or not only_content:
                    await self.try_widget(tab.name, widget, state)

    def give_keys(self, tab: str, widget: Widget) -> None:
        """Show a tab, and in it give a widget the focus, unless it has it."""
        if self.app.focused is not widget or not widget.is_on_screen:
            self.app.workspace.show_tab(tab)
            if tab == "map" and not widget.is_on_screen:
                self.app.screen.query_one(MapBody).show_plots(shown=isinstance(widget, PlotsView))
            self.app.screen.set_focus(widget)

    def _was_pressed(self, key: Named, tab: str, state: str) -> bool:
        """Whether a key was pressed already where it does the same."""
        is_same = type(key.owner).__module__.startswith("explorer.tui.widgets.") and key.action not in _OF_PANE
        known = (type(key.owner), key.action, *(() if is_same else (tab, state)))
        was_pressed = known in self.pressed
        self.pressed.add(known)
        return was_pressed

    async def try_widget(self, tab: str, widget: Widget, state: str) -> None:
        """Press the keys that a widget and what it stands in name for themselves."""
        for key in self.named(widget):
            if key.owner is self.app or self._was_pressed(key, tab, state):
                continue
            where = f"{tab}, {type(widget).__name__} #{widget.id}, {state}"
            await self.try_key(key.hint.press, where, partial(self.give_keys, tab, widget))
            if getattr(widget, "expanded", False):
                await self.press("escape")
