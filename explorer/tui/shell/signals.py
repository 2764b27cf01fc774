"""A closed terminal (SIGHUP) or a request to end (SIGTERM) ends the program as the user would: nothing half done."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

ENDINGS = tuple(getattr(signal, name) for name in ("SIGHUP", "SIGTERM") if hasattr(signal, name))


TERMINAL_THREAD = "textual-output"
"""Name of Textual's thread that writes to the terminal."""


def end_for_sure(status: int, seconds: float) -> None:
    """End the process with `status` when `seconds` are over and it still runs: Textual waits for ever for a terminal
    that is gone."""
    timer = threading.Timer(seconds, os._exit, (status,))
    timer.daemon = True
    timer.start()


def end_on_signals(loop: asyncio.AbstractEventLoop, end: Callable[[str], None]) -> Callable[[], None]:
    """Call `end(name)` on `loop` at the first SIGHUP or SIGTERM; further ones are taken to mean the same, and so is a
    terminal that can no longer be written to.

    Returns what undoes this. Where the loop cannot watch signals (not the main thread, Windows) nothing is
    done: steps are on disk as they arrive, so a harder end loses nothing either.
    """
    heard: list[str] = []

    def hear(number: signal.Signals) -> None:
        if not heard:
            heard.append(number.name)
            end(number.name)

    before = {}
    for number in ENDINGS:
        handler = signal.getsignal(number)
        try:
            loop.add_signal_handler(number, hear, number)
        except (NotImplementedError, RuntimeError, ValueError):
            continue
        before[number] = handler

    unwatch = _watch_terminal(lambda: loop.call_soon_threadsafe(hear, signal.SIGHUP))

    def undo() -> None:
        unwatch()
        for number, handler in before.items():
            loop.remove_signal_handler(number)  # which leaves the default, even where the signal was ignored (nohup)
            signal.signal(number, handler)

    return undo


def _watch_terminal(hear_loss: Callable[[], object]) -> Callable[[], None]:
    """Call `hear_loss`, in another thread, when the terminal can no longer be written to; returns what undoes this."""
    usual = threading.excepthook

    def lost(args: threading.ExceptHookArgs) -> None:
        is_terminal = args.thread is not None and args.thread.name == TERMINAL_THREAD
        if is_terminal and issubclass(args.exc_type, OSError) and hasattr(signal, "SIGHUP"):
            hear_loss()
        else:
            usual(args)

    def unwatch() -> None:
        threading.excepthook = usual

    threading.excepthook = lost
    return unwatch
