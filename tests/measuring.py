"""How long a thing takes at its best: what a busy machine does meanwhile is in some tries, a slow program in all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

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


@asynccontextmanager
async def bursts() -> AsyncIterator[list[float]]:
    """How long the running event loop was busy at a time, in seconds; the list grows meanwhile.

    In processor time of its thread: what else the machine does is not blamed on it.
    """
    found: list[float] = []

    async def beat() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            found.append(time.thread_time() - before)

    task = asyncio.create_task(beat())
    try:
        yield found
    finally:
        task.cancel()
