"""Requests in line for the resources (devices, servers) that they need: one at a time on each of them.

An answer is a generator that yields parts and returns an outcome. A worker thread advances it; between two parts the
answer looks whether the request was cancelled, and the worker, where it is a background request (a sweep), whether
somebody waits for a quick one.

Every resource has a worker thread of its own, so that requests for different resources do not wait for each other.
There is one line: foreground requests in order of arrival, behind them the background ones. A request begins when all
its resources are free and nobody before it in line waits for one of them. So on one resource the order of the line
holds; a request for several resources stands in line for each of them and takes them all at once, never one while it
waits for another; and a request of which nobody can say what it needs waits for all that came before it.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

from explorer.base.errors import ExplorerError, UsageError
from explorer.base.records.record import Failure
from explorer.base.records.unions import AnyOutcome, AnyPart, AnyRequest, Cancelled
from explorer.engine.control import Control, Stopped, put_to_work

Work = Generator[AnyPart, None, AnyOutcome]


def until_cancelled(work: Work, control: Control) -> Work:
    """`work`, looked at before each of its parts; `Cancelled` once the user stopped it, between two parts or inside."""
    while not control.cancelled():
        try:
            yield next(work)
        except StopIteration as end:
            outcome: AnyOutcome = end.value
            return outcome
        except Stopped:
            break
    work.close()
    return Cancelled()


Begin = Callable[[AnyRequest, Control], Work]
"""Makes the generator that answers a request."""


@dataclass
class Job:
    """A request on its way through the queue."""

    number: int
    request: AnyRequest
    background: bool = False
    resources: frozenset[str] = frozenset({"cpu"})
    """What it needs, all at once; empty: all that is in use or in line when it is added."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    work: Work | None = None
    seconds: float = 0.0
    """Time the handler worked, without waiting."""


@dataclass(frozen=True)
class Report:
    """Where parts and outcomes go; called from the worker thread, and from `cancel`'s for a waiting job."""

    part: Callable[[int, AnyPart], None]
    answer: Callable[[int, AnyOutcome, float], None]


class WorkQueue:
    """Runs jobs, each on the worker thread of its first resource by name."""

    def __init__(self, begin: Begin, report: Report) -> None:
        self._begin = begin
        self._report = report
        self._foreground: deque[Job] = deque()
        self._background: deque[Job] = deque()
        self._running: dict[str, Job] = {}
        """By worker."""
        self._workers: set[str] = set()
        self._changed = threading.Condition()

    def add(self, job: Job) -> None:
        """Put `job` in line."""
        with self._changed:
            job.resources = job.resources or self._resources_in_use()
            (self._background if job.background else self._foreground).append(job)
            self._employ(worker_of(job))
            self._changed.notify_all()

    def cancel(self, number: int) -> None:
        """Stop a job: a waiting one is answered now, a running one at its next look."""
        with self._changed:
            waiting = [job for job in self._line() if job.number == number]
            for job in waiting:
                job.cancelled.set()
                if job.work is None:
                    (self._background if job.background else self._foreground).remove(job)
            for job in self._running.values():
                if job.number == number:
                    job.cancelled.set()
            self._changed.notify_all()
        for job in waiting:
            if job.work is None:
                self._report.answer(job.number, Cancelled(), 0.0)

    def _employ(self, worker: str) -> None:
        if worker not in self._workers:
            self._workers.add(worker)
            threading.Thread(target=self._run, args=(worker,), name=worker, daemon=True).start()

    def _line(self) -> Iterator[Job]:
        yield from self._foreground
        yield from self._background

    def _resources_in_use(self) -> frozenset[str]:
        jobs = [*self._line(), *self._running.values()]
        used: frozenset[str] = frozenset().union(*(job.resources for job in jobs))
        return used or Job.resources

    def _startable(self, worker: str) -> Job | None:
        """The first job in line for this worker whose resources are neither in use nor waited for before it."""
        taken = {resource for job in self._running.values() for resource in job.resources}
        for job in self._line():
            if taken.isdisjoint(job.resources) and worker_of(job) == worker:
                return job
            taken |= job.resources
        return None

    def _next(self, worker: str) -> Job:
        with self._changed:
            while (job := self._startable(worker)) is None:
                self._changed.wait()
            (self._background if job.background else self._foreground).remove(job)
            self._running[worker] = job
            return job

    def _run(self, worker: str) -> None:
        while True:
            job = self._next(worker)
            began = time.perf_counter()
            outcome = self._advance(job)
            job.seconds += time.perf_counter() - began
            if outcome is not None:
                self._report.answer(job.number, outcome, job.seconds)
            with self._changed:
                del self._running[worker]
                if outcome is None:
                    self._background.appendleft(job)
                self._changed.notify_all()

    def _control(self, job: Job) -> Control:
        return Control(job.cancelled.is_set, lambda part: self._report.part(job.number, part))

    def _gives_way(self, job: Job) -> bool:
        """Whether a quick request waits for a resource of this background job."""
        if not job.background:
            return False
        with self._changed:
            return any(not job.resources.isdisjoint(other.resources) for other in self._foreground)

    def _advance(self, job: Job) -> AnyOutcome | None:
        """Work on `job` until it is answered, or (background only, None) until another waits."""
        control = self._control(job)
        put_to_work(control)
        try:
            if job.work is None:
                job.work = self._begin(job.request, control)
            while True:
                self._report.part(job.number, next(job.work))
                if self._gives_way(job):
                    return None
        except StopIteration as finished:
            outcome: AnyOutcome = finished.value
            return outcome
        except Stopped:
            return Cancelled()
        except ExplorerError as error:
            return Failure(message=error.message, hint=error.hint, wrong_usage=isinstance(error, UsageError))
        except BaseException as error:  # the one edge where everything is caught, also a panic of a library in Rust
            traceback.print_exc(file=sys.stderr)
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            return Failure(
                message=f"{type(job.request).__name__} failed: {said}",
                hint="This is a bug of glitch-explore; its traceback is in the engine's log (ctrl+l).",
            )


def worker_of(job: Job) -> str:
    """The resource whose worker thread runs the job."""
    return min(job.resources)
