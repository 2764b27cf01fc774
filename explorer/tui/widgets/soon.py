"""Work that may be asked for 500 times a second, where a screen needs it a few times."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.message_pump import MessagePump
from textual.timer import Timer

_REST = 9
"""Of the time from one doing to the next, how many times as long as the work itself is left for everything else."""


class Rest:
    """Does `work` once nothing has asked for it for `seconds`."""

    def __init__(self, pump: MessagePump, seconds: float, work: Callable[[], object]) -> None:
        self._pump, self._seconds, self._work = pump, seconds, work
        self._timer: Timer | None = None

    def ask(self) -> None:
        """Have the work done, unless it is asked for again before."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._pump.set_timer(self._seconds, self._work)


class Soon:
    """Does `work` once, `seconds` after it was first asked for, for however many times until then; later where the work
    itself takes long, so that keys are heard meanwhile."""

    def __init__(self, pump: MessagePump, seconds: float, work: Callable[[], None]) -> None:
        self._pump, self._seconds, self._work = pump, seconds, work
        self.is_due = False
        """Whether the work was asked for and not yet done."""
        self._spent = 0.0
        """Seconds that the work took the last time."""

    def ask(self) -> None:
        """Have the work done."""
        if not self.is_due:
            self.is_due = True
            self._pump.set_timer(max(self._seconds, _REST * self._spent), self._do)

    def drop(self) -> None:
        """It was done otherwise."""
        self.is_due = False

    def _do(self) -> None:
        if self.is_due:
            self.is_due = False
            begun = time.perf_counter()
            self._work()
            self._spent = time.perf_counter() - begun
