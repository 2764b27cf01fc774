"""Where untrained rows lie: a centre of the reference tokens that a few trained ones among them do not move.

Names promise little: of the 6,242 `<unusedN>` of Gemma 3 270M about 1,870 were trained, and with them in the mean the
order of the untrained rows is noise. So the surest kind of reference tokens that agrees is taken alone, its centre
is the component-wise median, rows that look trained are dropped, and all reference tokens are measured against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from explorer.engine.core.indicators import cosine_distances
from explorer.engine.core.knee import find_knee

MOST_ROWS = 4096
"""Rows of one kind that a centre is made of, evenly over its ids: more change no digit that matters."""


@dataclass(frozen=True)
class Centre:
    """Where untrained rows lie, as far as the reference tokens say."""

    row: Float[Tensor, " d_model"]
    kind: int
    """Which kind of reference tokens it was made of."""
    agrees: bool
    """Whether most of them lie together, apart from where trained tokens lie. One alone cannot."""
    trained: tuple[int, ...]
    """Reference tokens of any kind that look trained."""


def find_centre(
    matrix: Float[Tensor, "vocab d_model"], kinds: Sequence[Sequence[int]], ordinary: Bool[np.ndarray, " vocab"]
) -> Centre | None:
    """The centre of the reference tokens; None where no reference token has a finite row that is not zero.

    `kinds`: their ids by kind, the surest kind first; the first kind that agrees is used, else the first that has
    rows. A row looks trained where its cosine distance to the centre is beyond the knee of the `ordinary` tokens'
    distances (`explorer.engine.core.knee`). No row judges itself: rows of the kind in use are measured against the
    centre of those of the other half of it, every other one.
    """
    everywhere = [token_id for kind in kinds for token_id in kind]
    best: tuple[int, _Half] | None = None
    for place, kind in enumerate(kinds):
        rows = _rows(matrix, kind)
        if not len(rows):
            continue
        found = _measure(matrix, rows, ordinary)
        if best is None or found.agrees:
            best = (place, found)
        if found.agrees:
            break
    if best is None:
        return None
    kind_used, found = best
    own = set(kinds[kind_used])
    far = _distances(_all_rows(matrix, everywhere), found.centre) > found.threshold
    trained = {token_id for token_id, is_far in zip(everywhere, far.tolist(), strict=True) if is_far}
    return Centre(found.centre, kind_used, found.agrees, tuple(sorted(trained if len(own) != 1 else trained - own)))


@dataclass(frozen=True)
class _Half:
    centre: Float[Tensor, " d_model"]
    threshold: float
    agrees: bool


def _measure(
    matrix: Float[Tensor, "vocab d_model"], rows: Float[Tensor, "n d_model"], ordinary: Bool[np.ndarray, " vocab"]
) -> _Half:
    """The centre of `rows` without those that look trained, and where trained rows begin."""
    centre = _median(rows)
    apart = cosine_distances(matrix, centre).numpy()[ordinary]
    threshold = find_knee(apart[np.isfinite(apart)]).threshold
    if len(rows) == 1:
        return _Half(centre, threshold, False)
    kept = np.empty(len(rows), dtype=np.bool_)
    for half in (0, 1):
        kept[half::2] = _distances(rows[half::2], _median(rows[1 - half :: 2])) <= threshold
    return _Half(_median(rows[torch.from_numpy(kept)]) if kept.any() else centre, threshold, bool(kept.mean() > 0.5))


def _rows(matrix: Float[Tensor, "vocab d_model"], ids: Sequence[int]) -> Float[Tensor, "n d_model"]:
    """Their rows in float64, those left out that are zero or not finite; every so many where there are very many."""
    rows = _all_rows(matrix, ids[:: max(1, -(-len(ids) // MOST_ROWS))])
    lengths = torch.linalg.vector_norm(rows, dim=1)
    return rows[torch.isfinite(lengths) & (lengths > 0)]


def _all_rows(matrix: Float[Tensor, "vocab d_model"], ids: Sequence[int]) -> Float[Tensor, "n d_model"]:
    return matrix[torch.tensor(ids, dtype=torch.int64, device=matrix.device)].to("cpu", torch.float64)


def _median(rows: Float[Tensor, "n d_model"]) -> Float[Tensor, " d_model"]:
    return torch.from_numpy(np.median(rows.numpy(), axis=0))


def _distances(rows: Float[Tensor, "n d_model"], centre: Float[Tensor, " d_model"]) -> Float[np.ndarray, " n"]:
    return cosine_distances(rows, centre).numpy()
