"""The queue: one at a time on a resource, in order, cancellable, urgent requests before a sweep."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.models import ReadRoster
from explorer.base.records.notes import Noted, WriteNote
from explorer.base.records.record import Failure, Progress
from explorer.base.records.unions import AnyOutcome, AnyPart, AnyRequest, Cancelled
from explorer.engine.control import Control
from explorer.engine.queue import Begin, Job, Report, WorkQueue
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

    queue = WorkQueue(begin, heard.report)
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

    queue = WorkQueue(begin, heard.report)
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

    queue = WorkQueue(begin, heard.report)
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

    queue = WorkQueue(begin, heard.report)
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

    queue = WorkQueue(begin, heard.report)
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

    queue = WorkQueue(begin, heard.report)
    queue.add(Job(1, note("sweep"), background=True))
    queue.add(Job(2, ReadRoster()))
    assert gate.reached.wait(WAIT)
    queue.cancel(1)
    gate.opened.set()
    heard.wait_for(2)
    assert sorted(heard.order()) == [1, 2]
    assert dict(heard.answers)[1] == Cancelled()


# ── several resources ─────────────────────────────────────────────────────────────────────────────────────

CPU, GPU, BOTH = frozenset({"cpu"}), frozenset({"cuda:0"}), frozenset({"cpu", "cuda:0"})


def gated(gates: dict[str, Gate]) -> Begin:
    """Requests wait at the gate of their name, where there is one."""

    def begin(request: AnyRequest, control: Control) -> Work:
        assert isinstance(request, WriteNote)
        if request.text in gates:
            gates[request.text].wait()
        yield from ()
        return Noted()

    return begin


def test_resources_do_not_wait_for_each_other() -> None:
    gate, heard = Gate(), Listener()
    queue = WorkQueue(gated({"blocks": gate}), heard.report)
    queue.add(Job(1, note("blocks"), resources=GPU))
    assert gate.reached.wait(WAIT)
    for number in (2, 3):
        queue.add(Job(number, note("quick"), resources=CPU))
    queue.add(Job(4, note("behind"), resources=GPU))
    heard.wait_for(2)
    assert heard.order() == [2, 3]
    gate.opened.set()
    heard.wait_for(4)
    assert heard.order() == [2, 3, 1, 4]


def test_a_request_for_several_resources_has_its_place_in_line_on_each() -> None:
    """It waits for both, nobody who came later passes it on either, and it holds neither while it waits."""
    gate, heard = Gate(), Listener()
    queue = WorkQueue(gated({"blocks": gate}), heard.report)
    queue.add(Job(1, note("blocks"), resources=GPU))
    assert gate.reached.wait(WAIT)
    queue.add(Job(2, note("quick"), resources=CPU))
    queue.add(Job(3, note("both"), resources=BOTH))
    queue.add(Job(4, note("later"), resources=CPU))
    queue.add(Job(5, note("later"), resources=GPU))
    queue.add(Job(6, note("elsewhere"), resources=frozenset({"cuda:1"})))
    heard.wait_for(2)
    assert sorted(heard.order()) == [2, 6]
    gate.opened.set()
    heard.wait_for(6)
    assert heard.order()[2:4] == [1, 3]
    assert sorted(heard.order()[4:]) == [4, 5]


def test_a_request_that_nobody_can_place_waits_for_all_before_it() -> None:
    gates, heard = {"cpu": Gate(), "gpu": Gate()}, Listener()
    queue = WorkQueue(gated(gates), heard.report)
    queue.add(Job(1, note("cpu"), resources=CPU))
    queue.add(Job(2, note("gpu"), resources=GPU))
    assert all(gate.reached.wait(WAIT) for gate in gates.values()), "both run at once"
    queue.add(Job(3, note("of a model that is being loaded"), resources=frozenset()))
    gates["cpu"].opened.set()
    heard.wait_for(1)
    gates["gpu"].opened.set()
    heard.wait_for(3)
    assert heard.order() == [1, 2, 3]


def test_a_sweep_gives_way_only_on_its_own_resource() -> None:
    gate, heard = Gate(), Listener()

    def begin(request: AnyRequest, control: Control) -> Work:
        if isinstance(request, ReadRoster):
            return Noted()
        for done in range(3):
            if done == 1:
                gate.wait()
            yield Progress(done=done, total=3, what="batches")
        return Noted()

    queue = WorkQueue(begin, heard.report)
    queue.add(Job(1, note("sweep"), background=True, resources=GPU))
    assert gate.reached.wait(WAIT)
    queue.add(Job(2, ReadRoster(), resources=CPU))
    heard.wait_for(1)
    queue.add(Job(3, ReadRoster(), resources=GPU))
    gate.opened.set()
    heard.wait_for(3)
    assert heard.order() == [2, 3, 1]


def test_cancelling_one_resource_leaves_the_other_alone() -> None:
    gates, heard = {"cpu": Gate(), "gpu": Gate()}, Listener()

    def begin(request: AnyRequest, control: Control) -> Work:
        assert isinstance(request, WriteNote)
        gates[request.text].wait()
        yield Progress(done=1, total=1, what="steps")
        return Cancelled() if control.cancelled() else Noted()

    queue = WorkQueue(begin, heard.report)
    queue.add(Job(1, note("cpu"), resources=CPU))
    queue.add(Job(2, note("gpu"), resources=GPU))
    queue.add(Job(3, note("gpu"), resources=BOTH))
    assert all(gate.reached.wait(WAIT) for gate in gates.values())
    queue.cancel(3)
    queue.cancel(2)
    for gate in gates.values():
        gate.opened.set()
    heard.wait_for(3)
    assert dict(heard.answers) == {1: Noted(), 2: Cancelled(), 3: Cancelled()}
