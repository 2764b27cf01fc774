"""`glitch-explore replay FILE`: a session on the same panes, with no engine and no model.

Stepping, searching and playing; `replay_steps.py` shows the place that is gone to. Searching a large file is done in
slices between which keys are heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on

from explorer.base.records.unions import Step
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.search import Found, Query
from explorer.settings import Settings
from explorer.tui.replay.steps import SLICE, ReplaySteps
from explorer.tui.shell.commands import REPLAY_COMMANDS, Command
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.messages import Answered, Ask, NeighbourOpened, StepOpened, TokenSelected, ViewSettled
from explorer.tui.shell.openings import Opening, OpenLive
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.row_list import RowList

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
LONGEST_WAIT = 10.0
"""Seconds between two steps at speed 1, at most: nobody wants to sit through a lunch break."""
SHORTEST_WAIT = 0.05


def open_replay(path: Path, settings: Settings, go_on: Callable[[Opening], int] | None = None) -> int:
    """Show the session at `path`; the exit status. `go_on` opens what the user asks to see next (live models).

    Raises `ExplorerError` where the file is not a session or was written by a newer version.
    """
    app = ReplayApp(SessionFile(path), settings)
    app.run()
    if app.ending.then is not None and go_on is not None:
        return go_on(app.ending.then)
    return app.return_code or 0


class ReplayApp(ReplaySteps):
    """A session file on the screen."""

    commands: ClassVar[tuple[Command, ...]] = REPLAY_COMMANDS

    def __init__(self, session: SessionFile, settings: Settings, settings_path: Path | None = None) -> None:
        super().__init__(session, settings, settings_path)
        self.sought = Query()
        """What was searched for last."""
        own = {command.name for command in REPLAY_COMMANDS} - self.dispatcher.acts.keys()
        self.dispatcher.add((), {name: getattr(self, f"action_{name}") for name in own})
        for key, step in (("right", 1), ("left", -1)):
            self._bindings.bind(key, f"arrow({step})", show=False, priority=True)

    # ── stepping ──────────────────────────────────────────────────────────────────────────────────────────

    def action_step_forward(self) -> None:
        self.seek(self.only, 1)

    def action_step_back(self) -> None:
        self.seek(self.only, -1)

    def action_arrow(self, step: int) -> None:
        self.seek(self.only, step)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The arrows step where nothing else wants them: not in dialogues, boxes and tables with columns."""
        if action == "arrow":
            focused = self.focused
            free = focused is None or isinstance(focused, RowList) or type(focused) is LinesView
            return self.is_open and len(self.screen_stack) == 1 and free
        return super().check_action(action, parameters)

    def action_go_to_step(self) -> None:
        run_guarded(self, self._ask_step, group="ask", exclusive=True)

    async def _ask_step(self) -> None:
        from explorer.tui.screens.ask_line import AskLine

        def problem(answer: str) -> str | None:
            return None if answer.isdecimal() and int(answer) >= 1 else "Write a whole number from 1 up."

        answer = await self.push_screen_wait(AskLine("Go to step", validate=problem))
        if answer:
            self.jump(int(answer[:18]) - 1)

    @on(StepOpened)
    def open_step(self, message: StepOpened) -> None:
        self.jump(message.place)

    # ── looking for steps ─────────────────────────────────────────────────────────────────────────────────

    def seek(self, query: Query, step: int) -> None:
        """Go to the next step that `query` wants, forwards or backwards."""
        run_guarded(self, partial(self._find_step, query, step), group="seek", exclusive=True)

    async def _find_step(self, query: Query, step: int) -> None:
        await self._seek(query, step)

    async def _seek(self, query: Query, step: int) -> bool:
        found = Found(None, self.position + step)
        begun = False
        while found.position is None and found.go_on is not None:
            if begun:
                self.show_place("searching …")
                await asyncio.sleep(SLICE / 3)
            found, begun = self.index.find(query, found.go_on, step, SLICE), True
        if found.position is None:
            self.show_place("no such step after this one" if step > 0 else "no such step before this one")
            return False
        self.go_to(await self._read_until(found.position))
        return True

    def action_search(self) -> None:
        run_guarded(self, self._ask_words, group="ask", exclusive=True)

    async def _ask_words(self) -> None:
        from explorer.tui.screens.ask_line import AskLine

        words = await self.push_screen_wait(AskLine("Search the steps", placeholder="words, or #tag"))
        if words and words.strip("# "):
            tagged = words.startswith("#")
            self.sought = Query(tag=words[1:].strip()) if tagged else Query(text=words)
            self.action_search_next()

    def action_search_next(self) -> None:
        self._search(1)

    def action_search_previous(self) -> None:
        self._search(-1)

    def _search(self, step: int) -> None:
        if self.sought == Query():
            self.remark("Search for something first: press /.")
        else:
            self.seek(self.sought, step)

    def action_only_token(self) -> None:
        token, model = self.selection.token, self.selection.model
        if self.only.token_id is not None:
            self.only = replace(self.only, token_id=None)
        elif token is None or model is None:
            self.remark("No token is selected here.")
        else:
            self.only = replace(self.only, token_id=token.token_id)
        self.show_place()

    def action_only_model(self) -> None:
        if self.only.model:
            self.only = replace(self.only, model="")
        elif self.selection.model is None:
            self.remark("No model is selected here.")
        else:
            self.only = replace(self.only, model=self.selection.model.name)
        self.show_place()

    # ── playing ───────────────────────────────────────────────────────────────────────────────────────────

    def action_play(self) -> None:
        self.playing = not self.playing
        if self.playing:
            run_guarded(self, self._play, group="play", exclusive=True)
        else:
            self.workers.cancel_group(self, "play")
        self.show_place()

    async def _play(self) -> None:
        try:
            while True:
                upcoming = self.position + 1
                wait = pause_between(self.session, self.position, upcoming) / self.speed
                await asyncio.sleep(max(SHORTEST_WAIT, wait))
                if not await self._seek(self.only, 1):
                    break
        finally:
            self.playing = False
            self.show_place()

    def action_faster(self) -> None:
        self._change_speed(1)

    def action_slower(self) -> None:
        self._change_speed(-1)

    def _change_speed(self, by: int) -> None:
        self.speed = SPEEDS[max(0, min(SPEEDS.index(self.speed) + by, len(SPEEDS) - 1))]
        self.show_place()

    # ── what the panes say ────────────────────────────────────────────────────────────────────────────────

    @on(TokenSelected)
    def follow_token(self, message: TokenSelected) -> None:
        """The user walks through the recorded rows; where the replay itself put the cursor is no news."""
        if message.row.token_id != self._shown_token or message.opened:
            self._shown_token = None
            self.select(token=message.row)

    @on(NeighbourOpened)
    def go_to_neighbour(self, message: NeighbourOpened) -> None:
        self.workspace.token_pane.jump_to(message.token_id)

    @on(Answered)
    def show_answered(self, message: Answered) -> None:
        self.workspace.show_step(message.step)

    @on(Ask)
    def refuse(self, message: Ask) -> None:
        """Nothing is asked in a replay."""
        self.remark("This is a replay: press c to continue with live models.")

    @on(ViewSettled)
    def drop_view(self, message: ViewSettled) -> None:
        """Nothing is recorded in a replay."""

    # ── live ──────────────────────────────────────────────────────────────────────────────────────────────

    async def action_go_live(self) -> None:
        """End the replay; the models that were loaded at this moment are loaded in a new session."""
        if not self.situation.loaded:
            self.remark("No model was loaded at this moment: go to a later step.")
            return
        models = tuple(loaded.request for loaded in self.situation.loaded)
        await self.ending.leave_for(OpenLive(self.session.path, models))


def pause_between(session: Sequence[Step], position: int, upcoming: int) -> float:
    """Seconds that passed between two steps, at most `LONGEST_WAIT`; 0 where that is not known."""
    if not 0 <= position < upcoming < len(session):
        return 0.0
    try:
        then, after = (datetime.fromisoformat(session[place].at) for place in (position, upcoming))
        passed = (after - then).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no time, or one with a zone and one without
        return 0.0
    return max(0.0, min(passed, LONGEST_WAIT))
