"""Looking for steps in a replay: the next one, the next with some words, only those about a token or a model."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from explorer.sessions.search import Found, Query
from explorer.tui.replay.current_step import CurrentStep
from explorer.tui.replay.reading import SLICE, Reading
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.stage import Stage

_BEYOND = 1 << 60
"""A place behind every step."""


class Seeker:
    """Finds steps in slices between which keys are heard, and has them shown."""

    def __init__(self, stage: Stage, reading: Reading, current: CurrentStep) -> None:
        self._stage = stage
        self._reading = reading
        self._current = current
        self.sought = Query()
        """What was searched for last."""

    def step_by(self, step: int) -> None:
        """Go a step forwards (1) or backwards (−1) among those that are gone through."""
        run_guarded(self._stage, partial(self._step_by, step), group="seek", exclusive=True)

    async def _step_by(self, step: int) -> None:
        position = await self.next_position(step)
        if position is None:
            self._current.show("no such step after this one" if step > 0 else "no such step before this one")
        else:
            self._current.go_to(position)

    async def next_position(self, step: int) -> int | None:
        """The next of the steps that are gone through, which has been read; None: there is none."""
        return await self._look(self._current.only, self._current.position + step, step)

    async def _look(self, query: Query, start: int, step: int) -> int | None:
        """The first step from `start` on that `query` wants, once it has been read; None: there is none."""
        found = Found(None, start)
        begun = False
        while found.position is None and found.go_on is not None:
            if begun:
                self._current.show("searching …")
                await asyncio.sleep(SLICE / 3)
            found, begun = self._reading.index.find(query, found.go_on, step, SLICE), True
        return None if found.position is None else await self._reading.read_until(found.position)

    def ask_step(self) -> None:
        """Ask for a step's number and go there."""
        run_guarded(self._stage, self._ask_step, group="ask", exclusive=True)

    async def _ask_step(self) -> None:
        from explorer.tui.screens.ask_line import AskLine

        def problem(answer: str) -> str | None:
            return None if answer.isdecimal() and int(answer) >= 1 else "Write a whole number from 1 up."

        answer = await self._stage.push_screen_wait(AskLine("Go to step", validate=problem))
        if answer:
            self._current.jump(int(answer[:18]) - 1)

    def ask_words(self) -> None:
        """Ask for words and go to the next step that has them."""
        run_guarded(self._stage, self._ask_words, group="ask", exclusive=True)

    async def _ask_words(self) -> None:
        from explorer.tui.screens.ask_line import AskLine

        words = await self._stage.push_screen_wait(AskLine("Search the steps", placeholder="words, or #tag"))
        if words and words.strip("# "):
            tagged = words.startswith("#")
            self.sought = Query(tag=words[1:].strip()) if tagged else Query(text=words)
            self.search(1)

    def search(self, step: int) -> None:
        """Go to the next or the previous match of the search; after the last one to the first."""
        if self.sought == Query():
            self._stage.remark("Search for something first: press /.")
        else:
            run_guarded(self._stage, partial(self._search, step), group="seek", exclusive=True)

    async def _search(self, step: int) -> None:
        here = self._current.position
        found = await self._look(self.sought, here + step, step)
        wrapped = found is None
        if wrapped:
            found = await self._look(self.sought, 0 if step > 0 else await self._reading.read_until(_BEYOND), step)
        if found is None or found == here:
            self._current.show("no such step" if found is None else "no such step besides this one")
            return
        self._current.go_to(found)
        if wrapped:
            self._current.show("from the first step on" if step > 0 else "from the last step back")

    def toggle_only_token(self) -> None:
        """Only steps about the selected token, or all again."""
        only, selection = self._current.only, self._stage.selection
        if only.token_id is not None:
            self._current.choose(replace(only, token_id=None))
        elif selection.token is None or selection.model is None:
            self._stage.remark("No token is selected here.")
        else:
            self._current.choose(replace(only, token_id=selection.token.token_id))

    def toggle_only_model(self) -> None:
        """Only steps about the selected model, or all again."""
        only, model = self._current.only, self._stage.selection.model
        if only.model:
            self._current.choose(replace(only, model=""))
        elif model is None:
            self._stage.remark("No model is selected here.")
        else:
            self._current.choose(replace(only, model=model.name))
