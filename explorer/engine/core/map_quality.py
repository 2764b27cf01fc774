"""How well a plane keeps who is near to whom, by a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from explorer.engine.core.nearest_rows import Candidates, Prepare

SAMPLE = 1500
"""Tokens; trustworthiness rises with their number: compare it only with what so many gave."""
NEAR = 10
FAR = 100
_BLOCK = 8192


@dataclass(frozen=True)
class Quality:
    """See `explorer.base.records.maps.MapQuality`."""

    sample: int
    trustworthiness: float
    recall: float
    recall_100: float


@torch.no_grad()
def measure_quality(
    matrix: Float[Tensor, "vocab d_model"],
    counted: Bool[Tensor, " vocab"],
    points: Float[np.ndarray, "vocab 2"],
    prepare: Prepare,
) -> Quality:
    """Of the plane with these `points`: its neighbours among all counted rows against the true ones, for a sample of
    them with a fixed seed. NaN where there are too few rows to tell."""
    ids = counted.nonzero()[:, 0]
    chosen = _draw(len(ids))
    if len(ids) < 2 * NEAR + 2:
        return Quality(len(chosen), float("nan"), float("nan"), float("nan"))
    rows = prepare(matrix[ids[chosen].to(matrix.device)])
    true = _true_neighbours(matrix, ids, chosen, rows, prepare)
    places = points[ids.numpy()].astype(np.float64)
    _, shown = cKDTree(places).query(places[chosen.numpy()], k=min(FAR + 1, len(ids)))
    hits, near = [], []
    for own, expected, found in zip(chosen.tolist(), true.tolist(), shown.tolist(), strict=True):
        others = [place for place in found if place != own]
        near.append(len(set(expected) & set(others[:NEAR])) / NEAR)
        hits.append(len(set(expected) & set(others[:FAR])) / NEAR)
    trust = trustworthiness(rows.double().cpu(), torch.from_numpy(places[chosen.numpy()]))
    return Quality(len(chosen), trust, float(np.mean(near)), float(np.mean(hits)))


def _draw(count: int) -> Int[Tensor, " sample"]:
    """Places of the sampled rows, rising. By NumPy's numbers, as landmarks are drawn by Torch's: of one stream the
    sample would be landmarks alone, whose places are better than those of the rows between them."""
    drawn = np.random.default_rng(0).permutation(count)[:SAMPLE]
    return torch.from_numpy(np.sort(drawn))


def _true_neighbours(
    matrix: Float[Tensor, "vocab d_model"],
    ids: Int[Tensor, " count"],
    chosen: Int[Tensor, " sample"],
    rows: Float[Tensor, "sample d_model"],
    prepare: Prepare,
) -> Int[Tensor, "sample near"]:
    """Places among `ids` of each sampled row's nearest others."""
    best = Candidates.none(len(rows), NEAR, rows.device)
    for start in range(0, len(ids), _BLOCK):
        others = prepare(matrix[ids[start : start + _BLOCK].to(matrix.device)])
        closeness = rows @ others.T - torch.linalg.vecdot(others, others)[None] / 2
        own = (chosen >= start) & (chosen < start + len(others))
        closeness[own.nonzero()[:, 0], chosen[own] - start] = -torch.inf
        best.offer(slice(0, len(rows)), closeness, start)
    return best.places.long().cpu()


def trustworthiness(rows: Float[Tensor, "n d_model"], places: Float[Tensor, "n 2"]) -> float:
    """Venna & Kaski's, among these points: 1 where each one's `NEAR` nearest on the plane are so among the rows."""
    count = len(rows)
    if count < 2 * NEAR + 2:
        return float("nan")
    apart = torch.cdist(rows, rows).fill_diagonal_(-1.0)
    ranks = apart.argsort(dim=1).argsort(dim=1)
    shown = torch.cdist(places.double(), places.double()).fill_diagonal_(torch.inf).topk(NEAR, dim=1, largest=False)
    penalty = (ranks.gather(1, shown.indices) - NEAR).clamp(min=0).sum()
    return 1.0 - 2.0 * float(penalty) / (count * NEAR * (2 * count - 3 * NEAR - 1))
