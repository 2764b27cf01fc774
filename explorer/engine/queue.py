"""One device, one queue: requests run one at a time, can be cancelled, and let urgent ones pass.

A handler is a generator that yields parts and returns an outcome. The worker thread advances it; between
two parts it looks whether the request was cancelled and, for a background request (a sweep), whether
somebody waits for a quick one.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Failure
from explorer.base.records.unions import AnyOutcome, AnyPart, AnyRequest, Cancelled

Work = Generator[AnyPart, None, AnyOutcome]


@dataclass(frozen=True)
class Control:
    """What a handler may look at and say while it works; it never hears of threads or pipes."""

    cancelled: Callable[[], bool]
    """Whether the user stopped the request."""
    tell: Callable[[AnyPart], None]
    """Say a part from inside a call that cannot yield (a download's progress)."""


Begin = Callable[[AnyRequest, Control], Work]
"""Makes the generator that answers a request."""


@dataclass
class Job:
    """A request on its way through the queue."""

    number: int
    request: AnyRequest
    background: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)
    work: Work | None = None
    seconds: float = 0.0
    """Time the handler worked, without waiting."""


@dataclass(frozen=True)
class Report:
    """Where parts and outcomes go; called from the worker thread, and from `cancel`'s for a waiting job."""

    part: Callable[[int, AnyPart], None]
    answer: Callable[[int, AnyOutcome, float], None]


class DeviceQueue:
    """Runs jobs on one worker thread, foreground ones in order of arrival and before background ones."""

    def __init__(self, begin: Begin, report: Report) -> None:
        self._begin = begin
        self._report = report
        self._foreground: deque[Job] = deque()
        self._background: deque[Job] = deque()
        self._running: Job | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def add(self, job: Job) -> None:
        """Put `job` in the queue."""
        with self._changed:
            (self._background if job.background else self._foreground).append(job)
            self._changed.notify()

    def cancel(self, number: int) -> None:
        """Stop a job: a waiting one is answered now, a running one at its next look."""
        with self._changed:
            waiting = [job for queue in (self._foreground, self._background) for job in queue if job.number == number]
            for job in waiting:
                job.cancelled.set()
                if job.work is None:
                    (self._background if job.background else self._foreground).remove(job)
            if self._running is not None and self._running.number == number:
                self._running.cancelled.set()
            self._changed.notify()
        for job in waiting:
            if job.work is None:
                self._report.answer(job.number, Cancelled(), 0.0)

    def _next(self) -> Job:
        with self._changed:
            self._running = None
            while not (self._foreground or self._background):
                self._changed.wait()
            self._running = (self._foreground or self._background).popleft()
            return self._running

    def _run(self) -> None:
        while True:
            job = self._next()
            began = time.perf_counter()
            outcome = self._advance(job)
            job.seconds += time.perf_counter() - began
            if outcome is None:
                with self._changed:
                    self._background.appendleft(job)
            else:
                self._report.answer(job.number, outcome, job.seconds)

    def _control(self, job: Job) -> Control:
        return Control(job.cancelled.is_set, lambda part: self._report.part(job.number, part))

    def _advance(self, job: Job) -> AnyOutcome | None:
        """Work on `job` until it is answered, or (background only, None) until another waits."""
        try:
            if job.work is None:
                job.work = self._begin(job.request, self._control(job))
            while True:
                self._report.part(job.number, next(job.work))
                if job.background and self._foreground:
                    return None
        except StopIteration as finished:
            outcome: AnyOutcome = finished.value
            return outcome
        except ExplorerError as error:
            return Failure(message=error.message, hint=error.hint)
        except Exception as error:  # the one edge where everything is caught: a bug must not end the engine
            traceback.print_exc(file=sys.stderr)
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            return Failure(
                message=f"{type(job.request).__name__} failed: {said}",
                hint="This is a bug of glitch-explore; its traceback is in the engine's log (ctrl+l).",
            )
