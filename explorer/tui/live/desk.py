"""Where requests leave the screen and outcomes come back: everything asynchronous about the engine, in one place."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from explorer.base.records.record import Progress, Request
from explorer.base.records.unions import AnyPart, AnyRequest, Step
from explorer.pipe.client import Answered as EngineAnswer
from explorer.pipe.client import EngineClient, Pending
from explorer.sessions.file.store import SessionWriter


@dataclass
class Running:
    """A request that has not been answered."""

    pending: Pending
    record: bool
    since: float = field(default_factory=time.monotonic)
    progress: Progress | None = None


@dataclass(frozen=True)
class Ears:
    """Who hears of what happens at the desk; called on the event loop."""

    asked: Callable[[AnyRequest], None]
    part: Callable[[AnyRequest, AnyPart], None]
    answered: Callable[[AnyRequest, EngineAnswer, bool], None]
    changed: Callable[[], None]
    """The list of running requests, or the progress of one, changed."""


class Desk:
    """Sends requests to the engine and keeps track of those under way."""

    def __init__(self, client: EngineClient, ears: Ears) -> None:
        self.client = client
        self.ears = ears
        self.running: dict[int, Running] = {}
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
        self.ears.asked(request)
        self.ears.changed()
        task = asyncio.create_task(self._wait(pending))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return pending.number

    def cancel_all(self, kinds: tuple[type[Request], ...] = (Request,)) -> int:
        """Ask the engine to stop every request of these kinds under way; how many there were."""
        numbers = [number for number, running in self.running.items() if isinstance(running.pending.request, kinds)]
        for number in numbers:
            self.client.cancel(number)
        return len(numbers)

    def current(self) -> Running | None:
        """The request the engine works on: the oldest one."""
        return next(iter(self.running.values()), None)

    def _part(self, number: int, part: AnyPart) -> None:
        running = self.running.get(number)
        if running is None:
            return
        if isinstance(part, Progress):
            running.progress = part
            self.ears.changed()
        self.ears.part(running.pending.request, part)

    async def _wait(self, pending: Pending) -> None:
        answered = await pending.answer
        running = self.running.pop(pending.number)
        self.ears.answered(pending.request, answered, running.record)
        self.ears.changed()


class Recorder:
    """Writes steps to the session file off the event loop, in order; a slow disk never holds a key up."""

    def __init__(self, session: SessionWriter, wrote: Callable[[Step, str], None]) -> None:
        self.session = session
        self._wrote = wrote
        self._waiting: asyncio.Queue[Step] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._at_the_file = asyncio.Lock()

    def start(self) -> None:
        """Begin to write; needs the running event loop."""
        self._task = asyncio.create_task(self._write())

    def record(self, step: Step) -> None:
        """Put `step` in line for the disk."""
        self._waiting.put_nowait(step)

    async def save_as(self, path: Path) -> None:
        """Go on in another file, with everything so far. Raises `ExplorerError`."""
        await self._waiting.join()
        async with self._at_the_file:
            await asyncio.to_thread(self.session.save_as, path)

    async def finish(self, seconds: float = 5.0) -> None:
        """Wait until everything is on disk (or `seconds` are over), then stop. What failed is tried once more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._waiting.join()
                async with self._at_the_file:
                    if self.session.unwritten:
                        await asyncio.to_thread(self.session.flush)
        if self._task is not None:
            self._task.cancel()

    def loss(self) -> str:
        """What the user must hear of steps that are not on disk; empty where all are."""
        return self.session.loss(more=self._waiting.qsize())

    async def _write(self) -> None:
        while True:
            step = await self._waiting.get()
            async with self._at_the_file:
                await asyncio.to_thread(self.session.append, step)
            self._waiting.task_done()
            self._wrote(step, self.session.trouble)
