"""Garbage collection in small portions, so that none of it holds a key up.

Textual's strips hold themselves in their own caches: every line drawn is garbage that only a full collection
finds. Left to Python, it comes when 100,000 such objects have gathered, and stops the screen for 60 ms.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import monotonic, thread_time

PERIOD = 0.25
"""Seconds between two looks."""
QUIET = 0.4
"""Seconds since the last key from which on nobody waits for the screen."""
_YOUNG_PASSES = 2
"""Collections of the youngest objects since the last look that make a full one worth its time."""
_MIDDLE_PASSES = 4
"""Of those a little older, 7,000 new objects each: so many are not put off for keys that go on coming."""

_SLOW = 0.015
"""Seconds of work."""


class Sweeper:
    """Does the full collections, where it can between two keys: beside the drawing of a map they are 5 of 15 ms."""

    def __init__(self, last_key: Callable[[], float]) -> None:
        """`last_key`: when the last key came, by `time.monotonic`."""
        self._last_key = last_key

    def begin(self) -> None:
        """Set what there is now aside for good; from here on `sweep` does the full collections."""
        gc.freeze()
        gc.set_threshold(700, 10, 1000)
        gc.enable()

    def sweep(self) -> None:
        """Collect all, where enough has been made since the last time. What survives a slow pass (modules that were
        imported late, for the most part) is set aside too, so that the next ones are quick again."""
        _, young, middle = gc.get_count()
        is_quiet = monotonic() - self._last_key() > QUIET
        if middle >= _MIDDLE_PASSES or (is_quiet and (middle or young >= _YOUNG_PASSES)):
            began = thread_time()  # not the clock: another program may have had the processor
            gc.collect()
            if thread_time() - began > _SLOW:
                gc.freeze()
