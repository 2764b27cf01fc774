"""Work that may be asked for 500 times a second, where a screen needs it a few times."""

from __future__ import annotations

from collections.abc import Callable

from textual.message_pump import MessagePump


class Soon:
    """Does `work` once, `seconds` after it was first asked for, for however many times until then."""

    def __init__(self, pump: MessagePump, seconds: float, work: Callable[[], None]) -> None:
        self._pump, self._seconds, self._work = pump, seconds, work
        self.is_due = False
        """Whether the work was asked for and not yet done."""

    def ask(self) -> None:
        """Have the work done."""
        if not self.is_due:
            self.is_due = True
            self._pump.set_timer(self._seconds, self._do)

    def drop(self) -> None:
        """It was done otherwise."""
        self.is_due = False

    def _do(self) -> None:
        if self.is_due:
            self.is_due = False
            self._work()
