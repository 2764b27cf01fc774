"""The engine's generators run to their end in the test's own thread."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from explorer.base.records.lineage import Rung
from explorer.base.records.record import Progress
from explorer.base.records.unions import AnyOutcome, AnyRequest
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from tests.behaviour.behaviour_fakes import run_through

CONTROL = Control(cancelled=lambda: False, tell=lambda part: None)


def outcome_of(work: Any) -> Any:
    """What a generator returns; its parts are left aside."""
    return run_through(work)[1]


def answer(engine: Engine, request: AnyRequest) -> AnyOutcome:
    """The outcome of a request, from the same handler that answers the screen."""
    outcome: AnyOutcome = outcome_of(engine.begin(request, CONTROL))
    return outcome


@contextmanager
def without_weights() -> Iterator[None]:
    """Lineage without its tests of weights, which give no verdict and have tests of their own: half of the time."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("weight_rungs", "state_rungs"):
            patched.setattr(f"explorer.engine.answers.lineage.answer.{name}", _look_at_no_weights)
        yield


def _look_at_no_weights(*_: object) -> Generator[Progress, None, list[Rung]]:
    yield from ()
    return []
