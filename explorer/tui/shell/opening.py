"""From the first paint to panes that take commands."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from textual.app import App

from explorer.base.errors import ExplorerError
from explorer.settings import state_folder
from explorer.specs.registry import REGISTRY
from explorer.tui.shell.guarded import Work, run_guarded
from explorer.tui.shell.sweeper import PERIOD, Sweeper

if TYPE_CHECKING:
    from explorer.tui.shell.stage import Stage

TURN = 0.0005
"""Seconds that a thread may keep the interpreter from the screen. With Python's 5 ms, a turn of the loop beside a busy
thread waits 6.5 ms by median (11 at the 99th percentile); with this 2.0 ms (5.4)."""


def find_plugins() -> tuple[str, ...]:
    """Add the verbs of other packages to the registry; what was wrong with those left out, one line each."""
    from explorer.specs.plugins import add_plugins  # brings importlib.metadata: not before the first paint

    return add_plugins()


def open_after_paint(stage: Stage, begin: Work) -> None:
    """Have `begin` open the panes after the first paint; where it fails there is nothing to use: the program ends."""

    async def opening() -> None:
        stage.is_painted = True
        try:
            await begin()
        except Exception as error:
            App._handle_exception(stage, error)

    # Not in the screen's own pump: it would draw nothing until all panes are there, and then everything at once.
    stage.call_after_refresh(run_guarded, stage, opening, group="open")


async def open_panes(stage: Stage) -> None:
    """Mount the panes."""
    for problem in await asyncio.to_thread(find_plugins):
        stage.remark(problem, problem=True)
    workspace = stage.workspace
    stage.dispatcher.add_tabs(workspace.add_tabs(REGISTRY.tabs()), workspace.show_tab, stage.ask_of_token)
    await workspace.open(stage.settings, stage.selection)
    await _divide(stage)
    stage.looks.read_all()
    sys.setswitchinterval(TURN)
    sweeper = Sweeper(lambda: stage.dispatcher.last_key)
    sweeper.begin()
    stage.set_interval(PERIOD, sweeper.sweep)
    stage.select()


async def _divide(stage: Stage) -> None:
    """Divide the window as the user left it."""
    try:
        await asyncio.to_thread(stage.workspace.room.recall, state_folder(stage.settings))
    except ExplorerError as error:
        stage.remark(error.line, problem=True)
    stage.workspace.share_room()


def hear_commands(stage: Stage) -> None:
    """The panes show what they show at first; before this only a few commands can be given."""
    stage.is_open = True
    stage.workspace.fit_window()
    stage.refresh_bindings()
    stage.call_later(stage.dispatcher.hear)
    for problem in stage.dispatcher.key_problems():
        stage.remark(problem, problem=True)
