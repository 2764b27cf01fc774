"""Progress of a headless verb on stderr: a line that changes on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

from explorer.base.pace import CountClock, count_words, describe_pace, known_now
from explorer.base.records.record import Progress
from explorer.base.records.unions import AnyPart

LINE_EVERY = 60.0
"""Seconds between two lines where stderr is no terminal: enough to see that it goes on, and a log stays readable."""


class ProgressLine:
    """Tells how far one request is."""

    def __init__(self, out: TextIO, *, quiet: bool = False) -> None:
        """`quiet`: tell nothing on a terminal, where JSON rows may scroll by."""
        self._out, self._quiet = out, quiet
        self._clock, self._told = CountClock(), time.monotonic()
        self._known: Progress | None = None
        self.reached: Progress | None = None
        """How far it was when that was told last."""

    def tell(self, part: AnyPart) -> None:
        """Tell of `part` if it is progress and due."""
        if not isinstance(part, Progress) or self._out.closed:
            return
        was_waiting = self._known is not None and bool(self._known.waits)
        self._known = part = known_now(self._known, part)
        if part.total:
            self._clock.hear(part)
            self.reached = part
        elif not part.waits and not was_waiting:
            return
        now = time.monotonic()
        if self._out.isatty():
            if not self._quiet:
                print(f"\r{progress_words(part, now - self._clock.since)}\x1b[K", end="", file=self._out, flush=True)
        elif now - self._told >= LINE_EVERY:
            self._told = now
            print(progress_words(part, now - self._clock.since), file=self._out, flush=True)


def progress_words(part: Progress, elapsed: float) -> str:
    """`7 of 24 tokens verified, 3.6/min, 5 min left, float32 on cpu, 2 threads`."""
    facts = (count_words(part), describe_pace(part, elapsed), part.note)
    return ", ".join(fact for fact in facts if fact)
