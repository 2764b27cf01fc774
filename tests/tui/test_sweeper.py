"""Garbage collection in portions: what survives a pass that was long work is set aside, and only then."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import pytest

from explorer.tui.shell.sweeper import sweep


def wait() -> None:
    """Other programs have the processor."""
    time.sleep(0.03)


def work() -> None:
    """Take the processor."""
    end = time.thread_time() + 0.03
    while time.thread_time() < end:
        pass


@pytest.mark.parametrize(("pass_over", "frozen"), [(wait, 0), (work, 1)])
def test_what_survives_is_set_aside_after_long_work_and_not_after_a_long_wait(
    monkeypatch: pytest.MonkeyPatch, pass_over: Callable[[], None], frozen: int
) -> None:
    told: list[str] = []
    monkeypatch.setattr(gc, "get_count", lambda: (0, 5, 0))
    monkeypatch.setattr(gc, "collect", pass_over)
    monkeypatch.setattr(gc, "freeze", lambda: told.append("frozen"))
    sweep()
    assert len(told) == frozen
