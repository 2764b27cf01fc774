"""How long a thing takes at its best: what a busy machine does meanwhile is in some tries, a slow program in all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

TRIES = 5
STALL = 0.05
"""Seconds that no key should have to wait."""


def fastest(measure: Callable[[], float], limit: float) -> float:
    """The least that `measure` gives in a few tries; the first below `limit` will do."""
    best = float("inf")
    for _ in range(TRIES):
        best = min(best, measure())
        if best < limit:
            break
    return best


async def fastest_of(measure: Callable[[], Awaitable[float]], limit: float) -> float:
    """`fastest`, of what has to be awaited."""
    best = float("inf")
    for _ in range(TRIES):
        best = min(best, await measure())
        if best < limit:
            break
    return best
