"""What is under way at the engine, and what was paused: where requests leave the screen and outcomes come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from explorer.base.pace import CountClock, known_now
from explorer.base.records.record import Progress, Request
from explorer.base.records.unions import AnyPart, AnyRequest, Cancelled, Step
from explorer.pipe.client import Answered as EngineAnswer
from explorer.pipe.client import EngineClient, Pending
from explorer.specs.registry import models_of, spec_of

PATIENCE = 2.0
"""Seconds that a cancellation is waited for before the engine's end is offered."""


class Running(msgspec.Struct):
    """A request that has not been answered."""

    pending: Pending
    record: bool
    clock: CountClock = msgspec.field(default_factory=CountClock)
    progress: Progress | None = None
    stopping_since: float | None = None
    """When it was first asked to stop."""


class Shown(Protocol):
    """Where requests and their parts are shown."""

    def show_asked(self, request: AnyRequest) -> None:
        """A request was sent."""

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        """A part of its answer came."""


class Ears(msgspec.Struct, frozen=True):
    """Who hears of what happens to requests; called on the event loop."""

    shown: Shown
    answered: Callable[[AnyRequest, EngineAnswer, bool], None]
    """The last says whether the request is to be recorded."""
    changed: Callable[[], None]
    """The list of running requests, or the progress of one, changed."""
    failed: Callable[[Exception], None]
    """One of these functions failed."""
    deaf: Callable[[AnyRequest], None]
    """The engine does not answer a cancellation."""


def is_resumable(request: Request) -> bool:
    """Whether what was found is kept on disk, so that it can be paused and resumed."""
    return spec_of(request).resumable


def any_request(request: Request) -> bool:
    """Of every request."""
    return True


class Runs:
    """Sends requests to the engine, and keeps track of those under way and of those that were paused."""

    def __init__(self, client: EngineClient, ears: Ears) -> None:
        self.client = client
        self.ears = ears
        self.running: dict[int, Running] = {}
        self.paused: dict[AnyRequest, None] = {}
        """Runs that were stopped and can be resumed, in that order."""
        self._latest: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, request: AnyRequest, *, record: bool = True, latest: str = "") -> int:
        """Send `request`; its number. With `latest`, an earlier unanswered request of that name is cancelled."""
        if latest and (earlier := self._latest.get(latest)) in self.running:
            assert earlier is not None
            self.client.cancel(earlier)
        pending = self.client.submit(request)
        pending.on_part = lambda part: self._part(pending.number, part)
        self.running[pending.number] = Running(pending, record)
        if latest:
            self._latest[latest] = pending.number
        self.ears.shown.show_asked(request)
        self.ears.changed()
        task = asyncio.create_task(self._wait(pending))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return pending.number

    def cancel(self, which: Callable[[Request], bool] = any_request) -> int:
        """Ask the engine to stop every such request under way that was not asked to before; how many there were."""
        asked = [
            number
            for number, running in self.running.items()
            if running.stopping_since is None and which(running.pending.request)
        ]
        for number in asked:
            self.client.cancel(number)
            self.running[number].stopping_since = time.monotonic()
            asyncio.get_running_loop().call_later(PATIENCE, self._check_heard, number)
        return len(asked)

    @property
    def is_deaf(self) -> bool:
        """Whether a request was asked to stop and has not for `PATIENCE` seconds: the engine is inside a call that
        hears nothing, and only its end ends it."""
        now = time.monotonic()
        since = (running.stopping_since for running in self.running.values())
        return any(start is not None and now - start >= PATIENCE for start in since)

    def _check_heard(self, number: int) -> None:
        if (running := self.running.get(number)) is not None:
            self.ears.deaf(running.pending.request)

    def pause(self) -> int:
        """Stop the runs that keep on disk what they have; how many are stopping."""
        self.cancel(is_resumable)
        return sum(is_resumable(running.pending.request) for running in self.running.values())

    def resume(self) -> int:
        """Ask again for what was paused; how many runs there were."""
        waiting, self.paused = list(self.paused), {}
        for request in waiting:
            self.ask(request)
        return len(waiting)

    def note(self, step: Step) -> None:
        """A step that was stopped may be resumed, until it is asked for again."""
        if is_resumable(step.request):
            self.paused.pop(step.request, None)
            if isinstance(step.outcome, Cancelled):
                self.paused[step.request] = None

    def forget_model(self, name: str) -> None:
        """Another model has the name: runs over the previous one cannot be resumed."""
        self.paused = {request: None for request in self.paused if name not in models_of(request)}

    def current(self) -> Running | None:
        """The request the engine works on: the oldest one."""
        return next(iter(self.running.values()), None)

    def _part(self, number: int, part: AnyPart) -> None:
        running = self.running.get(number)
        if running is None:
            return
        if isinstance(part, Progress):
            running.progress = part = known_now(running.progress, part)
            running.clock.hear(part)
            self.ears.changed()
        self.ears.shown.show_part(running.pending.request, part)

    async def _wait(self, pending: Pending) -> None:
        answered = await pending.answer
        running = self.running.pop(pending.number)
        try:
            self.ears.answered(pending.request, answered, running.record)
            self.ears.changed()
        except Exception as error:  # a task's error would be heard by nobody
            self.ears.failed(error)
