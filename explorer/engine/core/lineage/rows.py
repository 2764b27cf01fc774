"""W1: whether two embedding matrices go together, by the coordinates of the residual stream.

Rows are aligned: row i of both is the same token. Shuffling rows is no null for trained ones: shared data gives the
rows of any two models a shared structure (word frequency, parts of speech), which that shuffling destroys and
independence does not (measured: z 9.8 for strangers). What independent initialisations share is no *coordinate*:
renaming the d_model coordinates of one model gives a model that was as likely. That permutation needs M = A^T B alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from explorer.engine.control import stop_if_cancelled
from explorer.engine.core.lineage.exact import Permuted, permute

Rows = Float[np.ndarray, "rows d_model"]
COORDINATES = 2_048
"""Permuted at most: of wider models these, drawn by the seed, the same in both; the test stays exact."""
DRAWS = 9_999


@dataclass(frozen=True)
class RowsCompared:
    """Two aligned matrices."""

    rows: int
    """That are numbers in both and no zero rows."""
    equal: float
    """Share of these that are the same to the bit, once in one dtype."""
    cosine: float
    """Mean over rows."""
    permuted: Permuted
    """Of the mean cosine, coordinates permuted."""


def compare_rows(blocks: Iterable[tuple[Rows, Rows]], d_model: int, seed: int) -> RowsCompared | None:
    """Both matrices, block by block of aligned rows. None where no row is left, or they tell nothing."""
    kept = np.sort(np.random.default_rng(seed).permutation(d_model)[:COORDINATES])
    product: Float64[np.ndarray, "kept kept"] = np.zeros((len(kept), len(kept)))
    rows, equal, cosines = 0, 0, 0.0
    for one, other in blocks:
        stop_if_cancelled()
        told = _told(one) & _told(other)
        one, other = one[told], other[told]
        rows += len(one)
        equal += int((one == other).all(axis=1).sum())
        first, second = _unit(one), _unit(other)
        cosines += float((first * second).sum())
        product += first[:, kept].T @ second[:, kept]
    permuted = permute(product / rows, seed, DRAWS) if rows else None
    return None if permuted is None else RowsCompared(rows, equal / rows, cosines / rows, permuted)


def _told(rows: Rows) -> np.ndarray:
    told: np.ndarray = np.isfinite(rows).all(axis=1) & (rows != 0).any(axis=1)
    return told


def _unit(rows: Rows) -> Float64[np.ndarray, "rows d_model"]:
    wide = rows.astype(np.float64)
    unit: Float64[np.ndarray, "rows d_model"] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return unit
