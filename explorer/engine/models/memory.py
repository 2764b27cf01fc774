"""How much memory a device has, and how much is left."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Memory of one device, in bytes."""

    used: int
    """Taken by this process."""
    free: int
    total: int


def free_memory(device: str) -> Memory:
    """Memory of `cpu` or `cuda[:N]` now.

    The CPU's is what the kernel calls available, or the room under the process's cgroup limit where that
    is less (containers). Off Linux only the total is known and counts as free.
    """
    if device.startswith("cuda"):
        import torch

        free, total = torch.cuda.mem_get_info(device)
        return Memory(used=torch.cuda.memory_reserved(device), free=free, total=total)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    available = _kilobytes(Path("/proc/meminfo"), "MemAvailable") or total
    limit, taken = _cgroup()
    if limit is not None and limit < total:
        total, available = limit, min(available, max(limit - taken, 0))
    return Memory(used=_kilobytes(Path("/proc/self/status"), "VmRSS") or 0, free=available, total=total)


def describe_free(memory: Memory) -> str:
    """'1.9 GB of 23.4 GB are free'."""
    return f"{readable(memory.free)} of {readable(memory.total)} are free"


def readable(size: int) -> str:
    """Bytes with a decimal unit: '6.2 GB', '310.0 MB', '4.1 kB'."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1000:.1f} kB"


def _kilobytes(file: Path, key: str) -> int | None:
    """A line `Key:  123 kB` of a file under /proc, in bytes; None where there is none."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup() -> tuple[int | None, int]:
    """Limit and use of this process's memory cgroup (version 2, then 1), page cache not counted."""
    for folder, limit_file, use_file, cache_key in (
        (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            limit = (folder / limit_file).read_text().strip()
            use = int((folder / use_file).read_text())
            statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        if limit.isdigit():
            return int(limit), max(use - int(statistics.get(cache_key, 0)), 0)
    return None, 0
