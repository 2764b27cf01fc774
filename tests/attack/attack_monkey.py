"""A monkey at the keys: the program must not end, tell an internal error, or go deaf."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from tests.attack.monkey import KINDS, play


def run(minutes: float, seed: int) -> int:
    """1,000 keys a run for so long, each run with the next seed; how many went wrong."""
    home, until, runs, bad, longest, work = os.getcwd(), time.monotonic() + 60 * minutes, 0, 0, 0.0, 0.0
    while time.monotonic() < until:
        kind = KINDS[seed % len(KINDS)]
        with tempfile.TemporaryDirectory() as place:
            os.chdir(place)  # what is exported lies there
            found = asyncio.run(play(kind, seed, Path(place)))
            os.chdir(home)
        print(found.line, *found.wrong, sep="\n    ", flush=True)
        runs, bad, seed = runs + 1, bad + bool(found.wrong), seed + 1
        longest, work = max(longest, found.gaps.longest), max(work, found.gaps.longest_work)
    gap = f"{1000 * longest:.0f} ms, by work alone {1000 * work:.0f} ms"
    print(f"{runs} runs, {bad} went wrong; the event loop's longest gap {gap}; load {os.getloadavg()[0]:.1f}")
    return bad
