"""The engine's generators run to their end in the test's own thread."""

from __future__ import annotations

from typing import Any

from explorer.base.records.unions import AnyOutcome, AnyRequest
from explorer.engine.handlers import Engine
from explorer.engine.queue import Control
from tests.behaviour.behaviour_fakes import run_through

CONTROL = Control(cancelled=lambda: False, tell=lambda part: None)


def outcome_of(work: Any) -> Any:
    """What a generator returns; its parts are left aside."""
    return run_through(work)[1]


def answer(engine: Engine, request: AnyRequest) -> AnyOutcome:
    """The outcome of a request, from the same handler that answers the screen."""
    outcome: AnyOutcome = outcome_of(engine.begin(request, CONTROL))
    return outcome
