"""Running out of memory: known on every device, told with numbers, and the memory given back."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from explorer.engine.models.errors import OutOfMemory
from explorer.engine.models.memory import describe_free, free_memory

_CPU_OUT_OF_MEMORY = "DefaultCPUAllocator"


@contextmanager
def out_of_memory_as_failure(device: torch.device, what: str) -> Iterator[None]:
    """Turn running out of memory inside into an `OutOfMemory` with numbers, with the memory given back."""
    problem: str | None = None
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        problem = str(error)
    if problem is not None:  # outside the handler: the traceback no longer holds the tensors of the attempt
        release_memory()
        raise OutOfMemory(
            f"{device} has no memory left for {what}; {describe_free(free_memory(str(device)))}",
            hint="Take fewer samples or a shorter prompt, or unload a model.",
        )


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch, on any device, or Python had no memory left."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or _CPU_OUT_OF_MEMORY in str(error)


def release_memory() -> None:
    """Give back what nothing refers to any more, to the device and to the system too.

    A tokenizer of 262k tokens leaves 200 MB of freed pieces behind it (glibc keeps them for later)."""
    gc.collect()
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
