"""A session file, read a little at a time: between two slices keys are heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from explorer.base.records.notes import WriteNote
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.search import SessionIndex
from explorer.tui.replay.situation import Situations

SLICE = 0.015
"""Seconds that work continues before keys are heard again."""
SAY_EVERY = 0.25
"""Seconds between two looks at how far the reading is: drawing takes time too."""


class Reading:
    """The file, what its steps are about, and how the screen stood at each of them."""

    def __init__(self, session: SessionFile) -> None:
        self.session = session
        self.index = SessionIndex(session)
        self.situations = Situations(self.index)

    @property
    def is_complete(self) -> bool:
        """Whether the whole file has been read."""
        return self.index.complete and len(self.situations) == len(self.index)

    def read_slice(self) -> None:
        """Read a slice."""
        self.index.index_more(SLICE)
        self.situations.take_in()

    async def read_opening(self) -> int | None:
        """Read as far as the first step that a pane shows something of; its position, or that of the first step where
        no pane does; None: there are no steps."""
        self.read_slice()
        while (shown := self.situations.first_shown()) is None and not self.is_complete:
            await asyncio.sleep(SLICE / 3)
            self.read_slice()
        return shown if shown is not None or not len(self.session) else 0

    async def read_on(self, tell: Callable[[], None]) -> None:
        """Read the rest; `tell` is called now and then meanwhile."""
        told = time.monotonic()
        while not self.index.index_more(SLICE):
            self.situations.take_in()
            if time.monotonic() - told > SAY_EVERY:
                told = time.monotonic()
                tell()
            await asyncio.sleep(SLICE / 3)
        self.situations.take_in()

    def notes_next(self, position: int) -> range:
        """The places of the notes that follow the step at `position`, with nothing else between: they are steps of
        their own, and the next that are shown."""
        end = position + 1
        while end < len(self.index) and self.index.fact(end).kind == WriteNote.__name__:
            end += 1
        return range(position + 1, end)

    async def read_until(self, position: int) -> int:
        """Wait until the step at `position` has been read, or the last one; which."""
        while len(self.situations) <= position and not self.is_complete:
            await asyncio.sleep(SLICE)
        return min(position, len(self.situations) - 1)
