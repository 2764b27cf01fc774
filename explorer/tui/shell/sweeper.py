"""Garbage collection in small portions, so that none of it holds a key up.

Textual's strips hold themselves in their own caches: every line drawn is garbage that only a full collection
finds. Left to Python, it comes when 100,000 such objects have gathered, and stops the screen for 60 ms.
"""

from __future__ import annotations

import gc
import time

PERIOD = 0.25
"""Seconds between two looks."""
_YOUNG_PASSES = 2
"""Collections of the youngest objects since the last look that make a full one worth its time."""

_SLOW = 0.015
"""Seconds of work."""


def begin_sweeping() -> None:
    """Set what there is now aside for good; from here on `sweep` does the full collections."""
    gc.freeze()
    gc.set_threshold(700, 10, 1000)
    gc.enable()


def sweep() -> None:
    """Collect all, where enough has been made since the last time. What survives a slow pass (modules that were
    imported late, for the most part) is set aside too, so that the next ones are quick again."""
    _, young, middle = gc.get_count()
    if middle or young >= _YOUNG_PASSES:
        began = time.thread_time()  # not the clock: another program may have had the processor
        gc.collect()
        if time.thread_time() - began > _SLOW:
            gc.freeze()
