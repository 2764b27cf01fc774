"""Whether a record read from a file makes sense beyond its types, so that no pane meets what no engine sends.

The types are checked by msgspec as it decodes; here stand the laws of all records behind the types: integers of 64
bits, token bytes that are hexadecimal, log-probabilities that are not positive. A record's own laws are in its
`problem`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from explorer.base.records.record import Failure, Record
from explorer.base.records.unions import Cancelled, Step
from explorer.specs.registry import spec_of

_INTEGERS = 2**63
_ROUNDING = 1.0
"""Nats by which a log-probability may be above 0; far beyond that its percentage is no number."""
_LARGEST_COORDINATE = 1e100
_LOGPROBS = ("logprob", "token_logprob", "logprobs")
_COORDINATES = ("x", "y")


def problem_of(record: msgspec.Struct) -> str:
    """What is wrong with `record`, in one line; empty where nothing is."""
    return next(_problems(record), "")


def _problems(record: msgspec.Struct) -> Iterator[str]:
    for name in record.__struct_fields__:
        yield from _value_problems(name, getattr(record, name))
    if isinstance(record, Record) and (problem := record.problem()):
        yield problem
    if isinstance(record, Step) and (problem := _step_problem(record)):
        yield problem


def _step_problem(step: Step) -> str:
    """What is wrong with a step whose request and outcome are sound; empty where nothing is."""
    spec = spec_of(step.request)
    if not spec.recorded:
        return "a step of this kind cannot be in a session file"
    outcome = step.outcome.partial if isinstance(step.outcome, Cancelled) else step.outcome
    if outcome is None or isinstance(outcome, Failure | spec.outcome):
        return ""
    return f"{type(outcome).__name__} is no answer to {type(step.request).__name__}"


def _value_problems(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, msgspec.Struct):
        yield from _problems(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _value_problems(name, item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _value_problems(name, item)
    elif isinstance(value, float):
        if name in _LOGPROBS and value > _ROUNDING:
            yield f"{name} {value:g} is not a log-probability"
        elif name in _COORDINATES and abs(value) > _LARGEST_COORDINATE:
            yield f"{name} {value:g} is not a place in a picture"
    elif isinstance(value, int):
        if not -_INTEGERS <= value < _INTEGERS:
            yield f"{name} is too large a number"
    elif name == "token_bytes" and isinstance(value, str) and not _is_hexadecimal(value):
        yield "token_bytes are not hexadecimal"


def _is_hexadecimal(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
