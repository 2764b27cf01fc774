"""Says who is waited for where an answer takes long: an answer that never comes must not look like work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from explorer.base.records.record import Progress
from explorer.base.servers import Server
from explorer.engine.control import control_at_work

TELLS_FROM, TELLS_EVERY = 5.0, 5.0
"""Seconds without an answer from which on it is told, and between two such lines."""


class Waits:
    """The queries to one server that are on their way; only the oldest is told of."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._out: list[_Wait] = []

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A query is on its way."""
        wait = _Wait(self._tell)
        self._out.append(wait)
        try:
            yield
        finally:
            wait.end()
            self._out.remove(wait)
            if wait.was_told:
                say_waiting("")

    def _tell(self, wait: _Wait) -> bool:
        if wait is not self._out[0]:
            return False
        seconds = time.monotonic() - wait.began
        say_waiting(f"waiting {seconds:.0f} of {self._server.timeout:.0f} s for {self._server.called}")
        return True


class _Wait:
    """One query."""

    def __init__(self, tell: Callable[[_Wait], bool]) -> None:
        self.began = time.monotonic()
        self.was_told = False
        self._tell = tell
        self._timer = asyncio.get_running_loop().call_later(TELLS_FROM, self._tick)

    def _tick(self) -> None:
        self.was_told |= self._tell(self)
        self._timer = asyncio.get_running_loop().call_later(TELLS_EVERY, self._tick)

    def end(self) -> None:
        """It was answered, or given up."""
        self._timer.cancel()


def say_waiting(what: str) -> None:
    """What is waited for, for the user of whatever this thread works on; empty: nothing any more."""
    if (control := control_at_work()) is not None:
        control.tell(Progress(done=0, total=0, what="", waits=what))
