"""The rows of two models for the same strings: laid over each other, and their neighbourhoods compared."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

_BLOCK = 8192


@dataclass(frozen=True)
class Alignment:
    """How far the rows are apart once the second model's are turned, scaled and shifted as well as can be."""

    moved: Float[Tensor, " shared"]
    """float64, Euclidean, in root mean square distances of the first model's rows from their mean: with nothing in
    common, about 1 for a row as far from the mean as most."""
    disparity: float
    """Sum of squares of `moved`, a row: 0 where turning makes the rows equal, 1 where it helps nothing."""
    turn: Float[Tensor, "breadth wide"]
    """float32, turns and scales a row of the second model less its mean; as many dimensions as the wider model has."""
    middles: tuple[Float[Tensor, " width"], Float[Tensor, " breadth"]]
    """float32, the means of both models' rows."""

    @property
    def correlation(self) -> float:
        """Of the first model's rows with the second's after the turn."""
        return math.sqrt(max(0.0, 1 - self.disparity))


@torch.no_grad()
def align_rows(
    ours: Float[Tensor, "rows width"],
    our_ids: Int[Tensor, " shared"],
    theirs: Float[Tensor, "others breadth"],
    their_ids: Int[Tensor, " shared"],
) -> Generator[int, None, Alignment]:
    """Orthogonal Procrustes (Schönemann 1966) with scale; narrower rows have zeros in the dimensions that they lack.
    Yields how many pairs of rows have been read, of twice as many. At least two pairs."""
    width = max(ours.shape[1], theirs.shape[1])
    pairs = _Pairs(ours, our_ids, theirs, their_ids)
    cross = torch.zeros(width, width, dtype=torch.float64)
    spread = {"ours": 0.0, "theirs": 0.0}
    for start in range(0, len(our_ids), _BLOCK):
        a, b = pairs.block(start)
        cross += (b.T @ a).double()
        spread["ours"] += float(a.double().square().sum())
        spread["theirs"] += float(b.double().square().sum())
        yield min(start + _BLOCK, len(our_ids))
    left, kept, right = torch.linalg.svd(cross, full_matrices=False)
    scale = float(kept.sum()) / max(spread["theirs"], 1e-300)
    turn = ((left @ right) * scale).float()
    unit = (spread["ours"] / len(our_ids)) ** 0.5
    apart = []
    for start in range(0, len(our_ids), _BLOCK):
        a, b = pairs.block(start)
        apart.append(torch.linalg.vector_norm((a - b @ turn).double(), dim=1) / max(unit, 1e-300))
        yield len(our_ids) + min(start + _BLOCK, len(our_ids))
    moved = torch.cat(apart)
    return Alignment(moved, float(moved.square().mean()), turn[: theirs.shape[1]], pairs.middles)


class _Pairs:
    """Rows of both for the same strings, each less its mean, in one width."""

    def __init__(
        self,
        ours: Float[Tensor, "rows width"],
        our_ids: Int[Tensor, " shared"],
        theirs: Float[Tensor, "others breadth"],
        their_ids: Int[Tensor, " shared"],
    ) -> None:
        self._sides = [(rows, ids, _mean(rows, ids)) for rows, ids in ((ours, our_ids), (theirs, their_ids))]
        self._width = max(ours.shape[1], theirs.shape[1])

    @property
    def middles(self) -> tuple[Float[Tensor, " width"], Float[Tensor, " breadth"]]:
        """The means of both."""
        return self._sides[0][2], self._sides[1][2]

    def block(self, start: int) -> list[Float[Tensor, "block wide"]]:
        """Those from this pair on, float32."""
        some = slice(start, start + _BLOCK)
        found = (rows[ids[some].to(rows.device)].float().cpu() - mean for rows, ids, mean in self._sides)
        return [torch.nn.functional.pad(each, (0, self._width - each.shape[1])) for each in found]


def _mean(matrix: Float[Tensor, "rows width"], ids: Int[Tensor, " n"]) -> Float[Tensor, " width"]:
    total = torch.zeros(matrix.shape[1], dtype=torch.float64)
    for start in range(0, len(ids), _BLOCK):
        total += matrix[ids[start : start + _BLOCK].to(matrix.device)].double().sum(dim=0).cpu()
    return (total / len(ids)).float()


def share_kept(ours: Int[Tensor, "shared k"], theirs: Int[Tensor, "shared k"]) -> Float[Tensor, " shared"]:
    """Of each row's neighbours, in one numbering, how many are among the other model's, as a share; −1 is nobody."""
    both = (ours[:, :, None] == theirs[:, None, :]) & (ours >= 0)[:, :, None]
    known = (ours >= 0).sum(dim=1)
    shares: Float[Tensor, " shared"] = both.any(dim=2).sum(dim=1) / known
    return shares
