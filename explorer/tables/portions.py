"""Long work in Python, in portions: while one runs in a thread, the screen has half of the interpreter at most."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")

_PORTION = 1 << 14
"""Strings: some 10 ms."""
_HEAPS = 1 << 10


def finish(work: Generator[None, None, T]) -> T:
    """What `work` returns, without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result


def rank_strings(strings: Sequence[str]) -> Generator[None, None, npt.NDArray[np.uint32]]:
    """uint32 [n]: each string's place in the order of all that differ; equal ones share one."""
    # Sorted by the first four characters and then each heap alone: one sort of all would hold the interpreter, and with
    # it the event loop, for 100 ms at 262,144 strings.
    starts = range(0, len(strings), _PORTION)
    heaps: dict[str, set[str]] = {}
    for start in starts:
        for string in strings[start : start + _PORTION]:
            heaps.setdefault(string[:4], set()).add(string)
        yield
    places: dict[str, int] = {}
    for done, beginning in enumerate(sorted(heaps)):
        for string in sorted(heaps.pop(beginning)):
            places[string] = len(places)
        if done % _HEAPS == 0:
            yield
    ranks = np.empty(len(strings), dtype=np.uint32)
    for start in starts:
        ranks[start : start + _PORTION] = [places[string] for string in strings[start : start + _PORTION]]
        yield
    return ranks
