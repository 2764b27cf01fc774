"""Exact nearest neighbours of a token among a model's embeddings.

All distances are computed in float64, straight from the rows: at a few hundred million numbers a second
that is fast enough to need neither an index nor a float32 search with candidates to be checked afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from explorer.base.records.neighbours import Metric
from explorer.engine.core.indicators import cosine_distances, distances
from explorer.engine.core.rows import map_rows


class Nearest(NamedTuple):
    """The neighbours of a token, nearest first."""

    token_ids: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float64]
    own_distance: float
    """The token's distance to itself: 0, or minus its squared norm under `dot`."""


def distances_to(embeddings: Float[Tensor, "vocab d_model"], token_id: int, metric: Metric) -> Float[Tensor, " vocab"]:
    """Distance of every row to the token's, float64 on the CPU: Euclidean, 1 - cosine, or minus the dot
    product. Smaller is nearer; equal rows are equally far to the last bit."""
    point = embeddings[token_id].to(torch.float64)
    if metric == "euclidean":
        return distances(embeddings, point)
    if metric == "cosine":
        return cosine_distances(embeddings, point)
    return map_rows(embeddings, lambda rows: -torch.linalg.vecdot(rows, point))


def nearest(
    embeddings: Float[Tensor, "vocab d_model"],
    token_id: int,
    k: int,
    metric: Metric,
    eligible: Bool[npt.NDArray[np.bool_], " vocab"] | None = None,
) -> Nearest:
    """The `k` rows nearest to the token's own, or fewer where there are not so many; ties by id.

    Not among them: the token itself, rows that hold NaN or an infinity, and rows that are not `eligible`
    (padding, say). Raises `ValueError` for an id outside the matrix, `k` below 1, or a token whose own row is
    not finite.
    """
    if not 0 <= token_id < len(embeddings):
        raise ValueError(f"there is no token {token_id}: ids go from 0 to {len(embeddings) - 1}")
    if k < 1:
        raise ValueError(f"{k} neighbours were asked for: ask for at least 1")
    if not torch.isfinite(embeddings[token_id]).all():
        raise ValueError(f"the row of token {token_id} holds NaN or an infinity: it has no neighbours")
    values = distances_to(embeddings, token_id, metric).numpy()
    allowed = np.isfinite(values)
    if eligible is not None:
        allowed &= eligible
    allowed[token_id] = False
    ids = np.flatnonzero(allowed)
    if len(ids) > k:
        # Everything as near as the k-th, which may be more than k where there are ties.
        ids = ids[values[ids] <= np.partition(values[ids], k - 1)[k - 1]]
    ids = ids[np.argsort(values[ids], kind="stable")][:k]
    return Nearest(ids, values[ids], float(values[token_id]))
