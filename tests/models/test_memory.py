"""Memory of the CPU: what the system has, or what the container may use."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from explorer.engine.models import memory
from explorer.engine.models.memory import Memory, describe_free, free_memory, readable

GIB = 2**30


def test_the_systems_memory_is_told_where_no_container_limits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_cgroup", lambda: (None, 0))
    told = free_memory("cpu")
    assert told.total == psutil.virtual_memory().total
    assert 0 < told.free <= told.total
    assert 0 < told.used < told.total


@pytest.mark.parametrize(
    ("limit", "taken", "total", "free"),
    [
        (3 * GIB, GIB, 3 * GIB, 2 * GIB),
        (3 * GIB, 4 * GIB, 3 * GIB, 0),
        (64 * GIB, 60 * GIB, 16 * GIB, 8 * GIB),
        (12 * GIB, GIB, 12 * GIB, 8 * GIB),
    ],
)
def test_a_containers_limit_counts_where_it_is_less(
    monkeypatch: pytest.MonkeyPatch, limit: int, taken: int, total: int, free: int
) -> None:
    class System:
        total = 16 * GIB
        available = 8 * GIB

    system: Callable[[], object] = System
    monkeypatch.setattr(memory, "_cgroup", lambda: (limit, taken))
    monkeypatch.setattr(psutil, "virtual_memory", system)
    told = free_memory("cpu")
    assert (told.total, told.free) == (total, free)


def test_sizes_are_worded_in_binary_units() -> None:
    assert [readable(size) for size in (512, 4_200, 310 * 2**20, int(6.25 * GIB))] == [
        "0.5 KiB", "4.1 KiB", "310.0 MiB", "6.2 GiB",
    ]  # fmt: skip
    assert describe_free(Memory(used=0, free=2 * GIB, total=24 * GIB)) == "2.0 GiB of 24.0 GiB are free"
