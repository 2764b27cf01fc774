"""How many requests a server is sent at once: fewer when it says that they are too many, slowly more again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

ANSWERS_TO_RAISE = 16
"""Answers without a complaint after which one more request may be in flight."""


class Pace:
    """Lets so many requests pass at once."""

    def __init__(self, most: int) -> None:
        self.most = self.now = most
        self._in_flight = 0
        self._changed = asyncio.Event()
        self._times_lowered = 0
        self._answered = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[int]:
        """Wait until a request may be sent; what it gives is for `lower`."""
        while self._in_flight >= self.now:
            self._changed.clear()
            await self._changed.wait()
        self._in_flight += 1
        try:
            yield self._times_lowered
        finally:
            self._in_flight -= 1
            self._changed.set()

    def lower(self, begun: int) -> None:
        """Halve. `begun`: what the turn of the request that was refused gave: several that were in flight when the
        server complained are one complaint."""
        if begun == self._times_lowered:
            self.now = max(1, self.now // 2)
            self._times_lowered += 1
        self._answered = 0

    def note_answer(self) -> None:
        """A request was answered."""
        self._answered += 1
        if self._answered >= ANSWERS_TO_RAISE and self.now < self.most:
            self._answered = 0
            self.now += 1
            self._changed.set()
