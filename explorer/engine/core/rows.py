"""Walking over the rows of a big matrix in float64, a few megabytes at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_CHUNK_BYTES = {"cpu": 2**21, "cuda": 2**28}
"""Float64 bytes converted at once: on a CPU a chunk stays in its cache, a GPU wants more to do."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: a chunk is too little work to share out. Measured on two busy cores, sharing
    made a pass over 32,768 x 2,048 bf16 take 400 to 2,000 ms instead of 27 ms."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def chunks(
    matrix: Float[Tensor, "rows width"],
) -> Iterator[tuple[slice, Float[Tensor, "chunk width"]]]:
    """The rows in float64, chunk by chunk, with their place. A chunk is overwritten by the next one.

    All rows of a chunk buffer are computed on even when the last chunk fills only a part of it, see `map_rows`.
    """
    rows, width = matrix.shape
    size = max(1, min(rows, _CHUNK_BYTES.get(matrix.device.type, 2**21) // (8 * max(width, 1))))
    buffer = torch.zeros(size, width, dtype=torch.float64, device=matrix.device)
    for start in range(0, rows, size):
        stop = min(start + size, rows)
        buffer[: stop - start].copy_(matrix[start:stop])
        buffer[stop - start :].zero_()
        yield slice(start, stop), buffer


@torch.no_grad()
def map_rows(
    matrix: Float[Tensor, "rows width"],
    measure: Callable[[Float[Tensor, "chunk width"]], Float[Tensor, " chunk"]],
) -> Float[Tensor, " rows"]:
    """`measure` of every row, float64 on the CPU; it must reduce each row by itself (no matrix product).

    Equal rows then have equal results to the last bit, because every chunk has the same shape: a tie stays
    a tie, and is not decided by rounding. `measure` may overwrite its chunk, and had better: fresh memory
    for each chunk's intermediate results costs more than the arithmetic.
    """
    measured = torch.empty(len(matrix), dtype=torch.float64)
    with one_thread():
        for place, chunk in chunks(matrix):
            measured[place] = measure(chunk)[: place.stop - place.start].cpu()
    return measured


@torch.no_grad()
def sum_rows(
    matrix: Float[Tensor, "rows width"],
    counted: Bool[Tensor, " rows"],
    weigh: Callable[[Float[Tensor, "chunk width"]], Float[Tensor, " chunk"]] | None = None,
) -> Float[Tensor, " width"]:
    """The sum of the counted rows, each times its `weigh` (1 without one), float64 on the CPU."""
    total = torch.zeros(matrix.shape[1], dtype=torch.float64, device=matrix.device)
    left_out = ~counted.cpu()
    with one_thread():
        for place, chunk in chunks(matrix):
            rows = chunk[: place.stop - place.start]
            if left_out[place].any():
                rows[left_out[place].to(rows.device)] = 0  # they may hold NaN, and 0 · NaN is NaN
            weights = torch.ones(len(rows), dtype=rows.dtype, device=rows.device) if weigh is None else weigh(rows)
            total += weights @ rows
    return total.cpu()
