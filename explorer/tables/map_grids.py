"""Two views of one window in other grids: how many tokens must be elsewhere, whatever lies where inside a cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
_TILE = 4
"""Cells of the coarser grid along a side of the tiles that are compared: in each some finer cells lie whole."""


def share_elsewhere(one: Counts, other: Counts) -> float:
    """Share of the tokens that are in one view's cells, [rows, columns], and not in the other's, as packed cells tell.

    In one grid by the cells. Else by tiles of cells: the tokens of the finer cells that lie wholly in a tile are the
    fewest that can be in it, those of the cells that touch it the most, both within the steps of a packed density.
    """
    total = max(1, int(one.sum() + other.sum()))
    if one.shape == other.shape:
        return float(np.abs(one - other).sum() / total)
    coarse, fine = sorted((one, other), key=lambda counts: counts.size)
    inner, outer = zip(*(_spans(*sizes) for sizes in zip(coarse.shape, fine.shape, strict=True)), strict=True)
    own, _ = zip(*(_spans(size, size) for size in coarse.shape), strict=True)
    fewest, most = _steps_around(fine)
    own_fewest, own_most = _steps_around(coarse)
    too_few = _sums(fewest, *inner) - _sums(own_most, *own)
    too_many = _sums(own_fewest, *own) - _sums(most, *outer)
    return float((np.maximum(too_few, 0) + np.maximum(too_many, 0)).sum() / total)


Spans = tuple[Counts, Counts]
"""First cells, and those behind the last ones."""


def _spans(coarse: int, fine: int) -> tuple[Spans, Spans]:
    """Of each tile along one axis: the finer cells that lie wholly in it, and those that touch it."""
    edges = np.append(np.arange(0, coarse, _TILE), coarse) * fine
    left, right = edges[:-1], edges[1:]
    first = -(-left // coarse)
    return (first, np.maximum(first, right // coarse)), (left // coarse, -(-right // coarse))


def _steps_around(counts: Counts) -> tuple[Counts, Counts]:
    """The fewest and the most tokens for which a packed cell says so many."""
    steps = np.rint(2 * np.log2(np.maximum(counts, 1)))
    fewest, most = np.ceil(2 ** ((steps - 0.5) / 2)), np.floor(2 ** ((steps + 0.5) / 2))
    some = counts > 0
    return np.where(some, fewest, 0).astype(np.int64), np.where(some, most, 0).astype(np.int64)


def _sums(counts: Counts, rows: Spans, columns: Spans) -> Counts:
    """Of each tile, [tiles down, tiles across]."""
    up_to = np.zeros((counts.shape[0] + 1, counts.shape[1] + 1), dtype=np.int64)
    up_to[1:, 1:] = counts.cumsum(axis=0).cumsum(axis=1)
    down, across = up_to[rows[1]] - up_to[rows[0]], columns
    summed: Counts = down[:, across[1]] - down[:, across[0]]
    return summed
