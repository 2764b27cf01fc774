"""What work may look at and say while it runs, at any depth: it never hears of queues, workers or pipes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from explorer.base.records.unions import AnyPart


@dataclass(frozen=True)
class Control:
    """What a handler may look at and say while it works; it never hears of threads or pipes."""

    cancelled: Callable[[], bool]
    """Whether the user stopped the request."""
    tell: Callable[[AnyPart], None]
    """Say a part from inside a call that cannot yield (a download's progress)."""


class Stopped(BaseException):
    """The request was cancelled while its handler waited for something that cannot yield; answered as `Cancelled`.

    No `Exception`, as `asyncio.CancelledError` is none: libraries catch those, say that a tensor is broken and go on.
    """


_at_work = threading.local()


def put_to_work(control: Control) -> None:
    """From here on this thread works on the request of `control`."""
    _at_work.control = control


def control_at_work() -> Control | None:
    """What the request that this thread works on may look at and say; None on other threads.

    For what waits for others deep inside a call (a server's answer), where no handler can look.
    """
    return getattr(_at_work, "control", None)


def stop_if_cancelled() -> None:
    """Raise `Stopped` where the request that this thread works on was cancelled: for what takes long where no handler
    can look."""
    control = control_at_work()
    if control is not None and control.cancelled():
        raise Stopped("cancelled")
