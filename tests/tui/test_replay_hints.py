"""In a replay every key that is named somewhere does something, and no key is named that would ask a model."""

from __future__ import annotations

import re
from pathlib import Path

from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import TextArea

from explorer.tui.panes.base import Pane
from explorer.tui.replay.app import ReplayApp
from explorer.tui.shell.commands import REPLAY_COMMANDS
from explorer.tui.shell.replayed import NOTHING_RECORDED
from explorer.tui.shell.tabs import in_row
from explorer.tui.widgets.form_status import FormStatus
from explorer.tui.widgets.key_line import Hint, KeyLine
from tests.app_driver import screen_text
from tests.replay_driver import at, rendered, replaying
from tests.tui.snapshot_samples import write_tour

COMMANDS = {command.title for command in REPLAY_COMMANDS}
ENDS = ("quit", "continue live", "help", "palette")
"""They act for sure, and would take the screen away."""


def hints_at(app: ReplayApp, widget: Widget) -> list[Hint]:
    app.screen.set_focus(widget)
    line = app.query_one(KeyLine)
    line._update()
    return [hint for hint in line.hints if hint.label not in ENDS]


def own_keys(pane: Pane) -> set[str]:
    return {binding.description for each in pane._bindings.key_to_bindings.values() for binding in each}


def seen(app: ReplayApp) -> tuple[object, ...]:
    """All that a key may change."""
    fields = [(field.text, field.cursor_location) for field in app.screen.query(TextArea)]
    return screen_text(app), app.focused, app.screen, app.current.position, app.current.speed, fields


async def test_every_key_in_the_last_line_acts_in_every_pane_of_a_replay(tmp_path: Path) -> None:
    async with replaying(write_tour(tmp_path / "tour.jsonl")) as (app, pilot):
        middle, last = len(app.session) // 2, len(app.session) - 1
        pressed, idle = set(), []
        await at(app, pilot, last)  # every pane shows something
        for tab in in_row(app.workspace.tabs):
            app.workspace.show_tab(tab.name)
            await pilot.pause()
            pane = app.workspace.pane(tab.name)
            for widget in [each for each in pane.query(Widget) if each.focusable and each.is_on_screen]:
                for hint in hints_at(app, widget):
                    kind = "" if hint.label in COMMANDS else tab.name if hint.label in own_keys(pane) else type(widget)
                    if (kind, hint.label) in pressed:
                        continue
                    pressed.add((kind, hint.label))
                    await go_back(app, pilot, tab.name, last if kind else middle)
                    app.screen.set_focus(widget)
                    await pilot.pause()
                    before = seen(app)
                    await pilot.press(hint.press)
                    if seen(app) == before:
                        idle.append(f"{tab.name} {type(widget).__name__} {widget.id} {hint.key} {hint.label}")
                await go_back(app, pilot, tab.name, last)
        assert not idle
        assert not app._notifications, "nothing is refused"
        assert len({tab for tab, _ in pressed if isinstance(tab, str)}) > 1
        assert len(pressed) > 20


async def go_back(app: ReplayApp, pilot: Pilot[None], tab: str, position: int) -> None:
    """To how it was before a key was pressed."""
    while len(app.screen_stack) > 1:
        app.pop_screen()
        await pilot.pause()
    if app.current.playing:
        await pilot.press("space")
    if app.workspace.room.division.is_zoomed:
        await pilot.press("z")
    if app.current.position != position:
        await at(app, pilot, position)
        app.workspace.show_tab(tab)
        await pilot.pause()


async def test_empty_panes_and_forms_of_a_replay_name_no_key_that_asks(tmp_path: Path) -> None:
    async with replaying(write_tour(tmp_path / "tour.jsonl")) as (app, pilot):
        for tab in in_row(app.workspace.tabs):
            if tab.name in ("tokens", "session"):
                continue
            app.workspace.show_tab(tab.name)
            await pilot.pause()
            lines = rendered(app.workspace.pane(tab.name))
            assert any(NOTHING_RECORDED in line for line in lines), tab.name
            assert not re.search(r"[Pp]ress |/enter", "\n".join(lines)), tab.name
        hints = [str(status.content) for status in app.query(FormStatus)]
        assert len(hints) == 3
        assert not any("run" in hint or "newline" in hint for hint in hints)
