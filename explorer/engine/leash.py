"""The end of the engine when its client is gone, also while it still imports its libraries and reads nothing."""

from __future__ import annotations

import os
import select
import threading


def end_with_client() -> None:
    """End this process at once when the other end of its stdin is closed, whatever it does; by a thread. Does nothing
    where the system cannot tell (Windows)."""
    if hasattr(select, "poll"):
        threading.Thread(target=_wait_and_end, name="leash", daemon=True).start()


def _wait_and_end() -> None:
    poller = select.poll()
    poller.register(0, select.POLLHUP)  # not POLLIN: what is read is the main thread's business
    if any(event & select.POLLHUP for _, event in poller.poll()):
        os._exit(0)
