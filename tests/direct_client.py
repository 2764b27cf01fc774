"""An engine in the test's own process, behind the interface of the client: no pipe, no second interpreter."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from collections.abc import Callable
from itertools import count
from typing import Any

from explorer.base.records.models import LoadModel, ModelLoaded, ModelUnloaded
from explorer.base.records.unions import AnyOutcome, AnyPart, AnyRequest
from explorer.engine.handlers import Engine
from explorer.engine.queue import Report, WorkQueue
from explorer.pipe.client import Answered, EngineState, Listeners, OnPart, Pending
from explorer.pipe.frames import PROTOCOL, Hello

Run = Callable[..., tuple[int, list[dict[str, Any]], str]]
"""The fixture `run` of tests/headless: words to a status, the objects on stdout, and stderr."""


class DirectClient:
    """Speaks with a real `Engine` through its real queue; answers arrive on the event loop as from a pipe."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine or Engine()
        self.listeners = Listeners()
        self.state: EngineState = "starting"
        self.hello: Hello | None = None
        self._numbers = count(1)
        self._telling = threading.Lock()
        self._pending: dict[int, Pending] = {}
        self._queue = WorkQueue(self.engine.begin, Report(part=self._part, answer=self._answer))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: contextvars.Context | None = None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()  # the App's, as the tasks of a real client have it
        self.state = "ready"
        roster = self.engine.roster_state()
        self.hello = Hello(protocol=PROTOCOL, versions={"glitch-explore": "test"}, pid=os.getpid(), roster=roster)
        self.listeners.hello(self.hello)

    async def stop(self, grace: float = 0.3) -> None:
        self.state = "stopped"

    async def come_to_rest(self, seconds: float = 10.0) -> None:
        """Stop what is under way: the next test may have the same engine, which is made for one queue."""
        for number in list(self._pending):
            self.cancel(number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._pending:
                    await asyncio.sleep(0.001)

    def submit(self, request: AnyRequest, on_part: OnPart | None = None) -> Pending:
        pending = Pending(next(self._numbers), request, asyncio.get_running_loop().create_future(), on_part)
        self._pending[pending.number] = pending
        self._queue.add(self.engine.job(pending.number, request))
        return pending

    async def ask(self, request: AnyRequest, on_part: OnPart | None = None) -> Answered:
        return await self.submit(request, on_part).answer

    def cancel(self, number: int) -> None:
        self._queue.cancel(number)

    def cancel_all(self) -> None:
        """Nothing is under way where a test leaves for a replay."""

    def log_lines(self) -> tuple[str, ...]:
        return ()

    def _on_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments, context=self._context)

    def _part(self, number: int, part: AnyPart) -> None:
        pending = self._pending.get(number)
        if pending is not None and pending.on_part is not None:
            self._on_loop(pending.on_part, part)

    def _answer(self, number: int, outcome: AnyOutcome, seconds: float) -> None:
        if isinstance(outcome, ModelLoaded | ModelUnloaded):
            with (
                self._telling
            ):  # of two at the same time the later state is told last, as by the engine's `RosterTeller`
                self._on_loop(self.listeners.roster, self.engine.roster_state())
        self._on_loop(self._settle, number, Answered(outcome, seconds))

    def _settle(self, number: int, answered: Answered) -> None:
        pending = self._pending.pop(number)
        if not pending.answer.done():
            pending.answer.set_result(answered)


class SlowClient(DirectClient):
    """An engine that is at its first model for as long as the test wants."""

    def __init__(self, engine: Engine | None = None) -> None:
        super().__init__(engine)
        self.loads: list[Pending] = []

    def submit(self, request: AnyRequest, on_part: OnPart | None = None) -> Pending:
        if not isinstance(request, LoadModel):
            return super().submit(request, on_part)
        pending = Pending(1000 + len(self.loads), request, asyncio.get_running_loop().create_future(), on_part)
        self.loads.append(pending)
        return pending

    async def load(self) -> None:
        """Load them now."""
        for each in self.loads:
            each.answer.set_result(await super().submit(each.request, each.on_part).answer)


class Gate:
    """A door that a test opens: work that passes it waits until then, and tells that it waits."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self.opened.wait(10), "the test never opened the gate"
