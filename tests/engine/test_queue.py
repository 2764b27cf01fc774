"""The device queue: one at a time, in order, cancellable, urgent requests before a sweep."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.models import ReadRoster
from explorer.base.records.notes import Noted, WriteNote
from explorer.base.records.record import Failure, Progress
from explorer.base.records.unions import AnyOutcome, AnyPart, AnyRequest, Cancelled
from explorer.engine.queue import Control, DeviceQueue, Job, Report
from tests.direct_client import Gate

WAIT = 10.0
"""Seconds until a test gives up; nothing here takes a fraction of it."""


class Listener:
    """Collects what a queue reports, and lets a test wait for an answer."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, AnyOutcome]] = []
        self.parts: list[tuple[int, AnyPart]] = []
        self._changed = threading.Condition()

    @property
    def report(self) -> Report:
        return Report(part=self._part, answer=self._answer)

    def _part(self, number: int, part: AnyPart) -> None:
        self.parts.append((number, part))

    def _answer(self, number: int, outcome: AnyOutcome, seconds: float) -> None:
        with self._changed:
            self.answers.append((number, outcome))
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.answers) >= count, WAIT)

    def order(self) -> list[int]:
        return [number for number, _ in self.answers]


Work = Generator[AnyPart, None, AnyOutcome]


def note(text: str) -> WriteNote:
    return WriteNote(text=text)


def at_once(request: AnyRequest, control: Control) -> Work:
    yield from ()
    return Noted()


def test_requests_are_answered_in_the_order_they_came() -> None:
    gate, heard = Gate(), Listener()

    def begin(request: AnyRequest, control: Control) -> Work:
        if request == note("first"):
            gate.wait()
        yield from ()
        return Noted()

    queue = DeviceQueue(begin, heard.report)
    queue.start()
    for number, text in enumerate(("first", "second", "third"), start=1):
        queue.add(Job(number, note(text)))
    gate.opened.set()
    heard.wait_for(3)
    assert heard.order() == [1, 2, 3]


def test_a_waiting_request_is_cancelled_while_another_runs() -> None:
    gate, heard = Gate(), Listener()

    def begin(request: AnyRequest, control: Control) -> Work:
        gate.wait()
        yield from ()
        return Noted()

    queue = DeviceQueue(begin, heard.report)
    queue.start()
    queue.add(Job(1, note("runs")))
    assert gate.reached.wait(WAIT)
    queue.add(Job(2, note("waits")))
    queue.cancel(2)
    heard.wait_for(1)
    assert heard.answers == [(2, Cancelled())]
    gate.opened.set()
    heard.wait_for(2)
    assert heard.answers[1] == (1, Noted())


def test_a_running_request_sees_its_cancellation_between_two_steps() -> None:
    gate, heard = Gate(), Listener()

    def begin(request: AnyRequest, control: Control) -> Work:
        steps = 0
        while not control.cancelled():
            yield Progress(done=steps, total=0, what="steps")
            steps += 1
            if steps == 3:
                gate.wait()
        return Cancelled()

    queue = DeviceQueue(begin, heard.report)
    queue.start()
    queue.add(Job(7, note("endless")))
    assert gate.reached.wait(WAIT)
    queue.cancel(7)
    gate.opened.set()
    heard.wait_for(1)
    assert heard.answers == [(7, Cancelled())]
    assert [part.done for _, part in heard.parts if isinstance(part, Progress)] == [0, 1, 2]


def test_a_quick_request_passes_a_sweep_between_two_of_its_parts() -> None:
    gate, heard = Gate(), Listener()

    def begin(request: AnyRequest, control: Control) -> Work:
        if isinstance(request, ReadRoster):
            return Noted()
        for done in range(4):
            if done == 2:
                gate.wait()
            yield Progress(done=done, total=4, what="batches")
        return Noted()

    queue = DeviceQueue(begin, heard.report)
    queue.start()
    queue.add(Job(1, note("sweep"), background=True))
    assert gate.reached.wait(WAIT)
    queue.add(Job(2, ReadRoster()))
    gate.opened.set()
    heard.wait_for(2)
    assert heard.order() == [2, 1]
    assert [part.done for number, part in heard.parts if number == 1 and isinstance(part, Progress)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ExplorerError("no room", hint="Make some."), Failure(message="no room", hint="Make some.")),
        (
            ZeroDivisionError("division by zero"),
            Failure(
                message="WriteNote failed: ZeroDivisionError: division by zero",
                hint="This is a bug of glitch-explore; its traceback is in the engine's log (ctrl+l).",
            ),
        ),
        (AssertionError(), None),
    ],
)
def test_an_error_is_an_answer_and_the_queue_goes_on(error: Exception, failure: Failure | None) -> None:
    heard = Listener()

    def begin(request: AnyRequest, control: Control) -> Work:
        yield from ()
        if request == note("breaks"):
            raise error
        return Noted()

    queue = DeviceQueue(begin, heard.report)
    queue.start()
    queue.add(Job(1, note("breaks")))
    queue.add(Job(2, note("works")))
    heard.wait_for(2)
    first = heard.answers[0][1]
    assert isinstance(first, Failure)
    assert failure is None or first == failure
    assert heard.answers[1] == (2, Noted())


def test_a_cancelled_sweep_that_gave_way_is_answered_once() -> None:
    gate, heard = Gate(), Listener()

    def begin(request: AnyRequest, control: Control) -> Work:
        if isinstance(request, ReadRoster):
            gate.wait()
            return Noted()
        done = 0
        while not control.cancelled():
            yield Progress(done=done, total=0, what="batches")
            done += 1
        return Cancelled()

    queue = DeviceQueue(begin, heard.report)
    queue.start()
    queue.add(Job(1, note("sweep"), background=True))
    queue.add(Job(2, ReadRoster()))
    assert gate.reached.wait(WAIT)
    queue.cancel(1)
    gate.opened.set()
    heard.wait_for(2)
    assert sorted(heard.order()) == [1, 2]
    assert dict(heard.answers)[1] == Cancelled()
