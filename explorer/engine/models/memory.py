"""How much memory a device has, and how much is left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

import psutil

from explorer.engine.models.errors import ModelError


@dataclass(frozen=True)
class Memory:
    """Memory of one device, in bytes."""

    used: int
    """Taken by this process."""
    free: int
    total: int


def free_memory(device: str) -> Memory:
    """Memory of `cpu` or `cuda[:N]` now.

    The CPU's is what the system calls available, or the room under the process's cgroup limit where that
    is less (containers).
    """
    if device.startswith("cuda"):
        import torch

        free, total = torch.cuda.mem_get_info(device)
        return Memory(used=torch.cuda.memory_reserved(device), free=free, total=total)
    system = psutil.virtual_memory()
    total, available = system.total, system.available
    limit, taken = _cgroup()
    if limit is not None and limit < total:
        total, available = limit, min(available, max(limit - taken, 0))
    return Memory(used=psutil.Process().memory_info().rss, free=available, total=total)


def together(memories: Iterable[Memory]) -> Memory:
    """Of several devices."""
    used, free, total = (sum(each) for each in zip(*map(astuple, memories), strict=True))
    return Memory(used=used, free=free, total=total)


def local_devices() -> tuple[str, ...]:
    """The CPU and every CUDA device, as `free_memory` takes them."""
    import torch

    return ("cpu", *(f"cuda:{place}" for place in range(torch.cuda.device_count())))


def refuse_misfit(memory: Memory, needed: int, name: str, dtype: str, device: object) -> None:
    """Raise `ModelError` where the bytes `needed` for a model in `dtype` are more than the device has free."""
    if needed > memory.free:
        raise ModelError(
            f"{name} needs {readable(needed)} as {dtype}; {describe_free(memory)} on {device}",
            hint="Unload a model, take a smaller dtype, or look at its geometry alone with weights:.",
        )


def describe_free(memory: Memory) -> str:
    """'1.9 GiB of 23.4 GiB are free'."""
    return f"{readable(memory.free)} of {readable(memory.total)} are free"


def readable(size: int) -> str:
    """Bytes with a binary unit: '6.2 GiB', '310.0 MiB', '4.1 KiB'."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 2**10:.1f} KiB"


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
