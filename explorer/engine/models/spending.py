"""What asking a server costs, counted for whoever it is done for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Spent:
    """What went over the line, with every try that failed."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    """At most: a reply may end earlier."""


_counted: ContextVar[tuple[Spent, ...]] = ContextVar("counted", default=())


@contextmanager
def counting(spent: Spent) -> Iterator[None]:
    """What is asked inside, and what goes on of it later on the loop, is added to `spent`."""
    token = _counted.set((*_counted.get(), spent))
    try:
        yield
    finally:
        _counted.reset(token)


def note_request(tokens_in: int, tokens_out: int) -> None:
    """A request is sent."""
    for spent in _counted.get():
        spent.requests += 1
        spent.tokens_in += tokens_in
        spent.tokens_out += tokens_out
