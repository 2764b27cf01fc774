"""Rows that are the same: proof that no training ever told their tokens apart.

Two tokens whose rows were ever trained get different gradients (a softmax pushes the token that occurred one way and
the other one the other way), so rows that are equal to the last digit have been moved by nothing but what moves all
unused rows alike: initialisation, weight decay and the common push of the softmax. SmolLM2-135M has 15 such rows.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt64
from torch import Tensor

from explorer.engine.core.rows import chunks, one_thread

AXES = 16
"""Random directions onto which rows are projected: rows that are the same lie together along each of them."""
GRIDS = 3
"""Grids of cells, shifted against each other, so that an edge of one does not part twins in all."""
CELL = 16.0
"""Width of a cell, in times what two twins are apart along one direction on average."""
COMPARED_AT_ONCE = 256
"""Rows of a cell whose distances to all of it are held at once."""
LARGEST_HEAP = 4096
"""Rows of one cell that are compared each with each; of a larger cell each is compared with the first one."""


COARSEST = 2.0**-7
"""The step of eight bits, and the greatest that is used: coarser formats would make one of rows that differ."""


def relative_step(dtype: torch.dtype, *, quantised: bool = False) -> float:
    """What rounding may put between two copies of one number, relative to it: in bfloat16 2⁻⁷, float16 2⁻¹⁰, float32
    2⁻²³; in a quantised matrix, whatever it was dequantised to, and in coarser formats 2⁻⁷ as well. Rows no further
    apart than this are the same, as far as the checkpoint can say."""
    return COARSEST if quantised else min(torch.finfo(dtype).eps, COARSEST)


@torch.no_grad()
def find_twins(matrix: Float[Tensor, "rows width"], step: float | None = None) -> dict[int, int]:
    """Each row that has a twin, with the lowest other row that is one.

    Twins are at most `step` (None: `relative_step` of the matrix) times the longer one's norm apart. Rows that hold
    NaN or infinity have none, all-zero rows are twins of each other. Where rows are so narrow that chance alone would
    make twins, there are none.

    Never compares all rows with all: rows are put into cells of a grid by random projections, and compared in float64
    with the others of their cell. Equal rows are always found; rows about a whole step apart may be missed.
    """
    step = relative_step(matrix.dtype) if step is None else step
    rows, width = matrix.shape
    if rows < 2 or not _is_proof(rows, width, step):
        return {}
    with one_thread():
        places, zero = _project(matrix)
        found = _pair(np.flatnonzero(zero))
        cell = CELL * max(step, 2.0**-40) / math.sqrt(width)
        generator = np.random.default_rng(0)
        for _ in range(GRIDS):
            for heap in _heaps(_keys(places, cell, generator), np.isfinite(places).all(axis=1)):
                for token_id, twin in _compare(matrix, heap, step).items():
                    found[token_id] = min(twin, found.get(token_id, twin))
    return found


def _is_proof(rows: int, width: int, step: float) -> bool:
    """Whether chance makes fewer than one pair in a thousand such vocabularies: pairs · step^width, roughly."""
    return 2 * math.log2(rows) + width * math.log2(max(step, 2.0**-40)) < -10


def _project(
    matrix: Float[Tensor, "rows width"],
) -> tuple[Float[np.ndarray, "rows axes"], Bool[np.ndarray, " rows"]]:
    """The direction of every row along the random axes, and which rows are zero."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.randn(matrix.shape[1], AXES, dtype=torch.float64, generator=generator)
    axes = (axes / torch.linalg.vector_norm(axes, dim=0)).to(matrix.device)
    places = np.empty((len(matrix), AXES))
    zero = np.empty(len(matrix), dtype=np.bool_)
    for place, chunk in chunks(matrix):
        lengths = torch.linalg.vector_norm(chunk, dim=1)
        kept = place.stop - place.start
        zero[place] = (lengths == 0).cpu().numpy()[:kept]
        places[place] = (chunk @ axes / lengths[:, None]).cpu().numpy()[:kept]
    return places, zero


def _keys(
    places: Float[np.ndarray, "rows axes"], cell: float, generator: np.random.Generator
) -> UInt64[np.ndarray, " rows"]:
    """One number for each row, the same for rows in one cell of a grid of its own."""
    with np.errstate(invalid="ignore"):  # NaN rows are left out afterwards
        shift = generator.random(AXES)
        odd = generator.integers(0, 2**63, AXES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        keys = np.zeros(len(places), dtype=np.uint64)
        for axis in range(AXES):  # one at a time, so that nothing of the size of `places` is made
            cells = np.floor(places[:, axis] / cell + shift[axis]).astype(np.int64).view(np.uint64)
            keys += cells * odd[axis]
    return keys


def _heaps(keys: UInt64[np.ndarray, " rows"], usable: Bool[np.ndarray, " rows"]) -> list[Int[np.ndarray, " heap"]]:
    """The ids of usable rows that share a key, two or more together, each heap in rising order."""
    ids = np.flatnonzero(usable)
    ids = ids[np.argsort(keys[ids], kind="stable")]
    edges = np.concatenate([[0], np.flatnonzero(np.diff(keys[ids])) + 1, [len(ids)]])
    shared = np.flatnonzero(np.diff(edges) > 1)
    return [ids[first:last] for first, last in zip(edges[shared], edges[shared + 1], strict=True)]


def _compare(matrix: Float[Tensor, "rows width"], ids: Int[np.ndarray, " heap"], step: float) -> dict[int, int]:
    """The twins among some rows. Distances are taken from the first row, so that no digits are lost in them."""
    heap = matrix[torch.from_numpy(ids).to(matrix.device)].to(torch.float64)
    longest = torch.linalg.vector_norm(heap, dim=1)
    heap -= heap[0].clone()
    if len(ids) > LARGEST_HEAP:
        apart = torch.linalg.vector_norm(heap, dim=1)
        return _pair(ids[(apart <= step * torch.maximum(longest, longest[0])).cpu().numpy()])
    found: dict[int, int] = {}
    for first in range(0, len(ids), COMPARED_AT_ONCE):
        some = slice(first, first + COMPARED_AT_ONCE)
        apart = torch.cdist(heap[some], heap, compute_mode="use_mm_for_euclid_dist")
        near = (apart <= step * torch.maximum(longest[some, None], longest)).cpu().numpy()
        near[np.arange(len(near)), np.arange(first, first + len(near))] = False
        twins = near.argmax(axis=1)
        found |= {int(ids[first + at]): int(ids[twins[at]]) for at in np.flatnonzero(near.any(axis=1))}
    return found


def _pair(ids: Int[np.ndarray, " n"]) -> dict[int, int]:
    """Rows that are all the same, in rising order: each with the lowest other one; nothing for one alone."""
    return {int(one): int(ids[0] if at else ids[1]) for at, one in enumerate(ids)} if len(ids) > 1 else {}
