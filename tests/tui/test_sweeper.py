"""Garbage collection in portions: what survives a pass that was long work is set aside, and only then."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import pytest

from explorer.tui.shell import sweeper
from explorer.tui.shell.sweeper import Sweeper


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
    Sweeper(lambda: 0.0).sweep()
    assert len(told) == frozen


@pytest.mark.parametrize(("middle", "collected"), [(1, 0), (4, 1)])
def test_while_keys_come_it_waits_until_much_has_gathered(
    monkeypatch: pytest.MonkeyPatch, middle: int, collected: int
) -> None:
    told: list[str] = []
    monkeypatch.setattr(gc, "get_count", lambda: (0, 9, middle))
    monkeypatch.setattr(gc, "collect", lambda: told.append("collected"))
    now = 100.0
    monkeypatch.setattr(sweeper, "monotonic", lambda: now)
    swept = Sweeper(lambda: 99.9)
    swept.sweep()
    assert len(told) == collected
    now += 1
    swept.sweep()
    assert len(told) == collected + 1, "nobody waits for the screen"
