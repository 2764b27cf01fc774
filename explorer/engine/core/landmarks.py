"""A sample of rows that stands for all: which rows, and where the others go."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from explorer.engine.core.indicators import distances, mean_row
from explorer.engine.core.nearest_rows import Prepare
from explorer.engine.core.processor import multiplies_bfloat16

RANDOM, INNERMOST = 8000, 1000
"""Rows chosen at random, and those nearest to the centroid: untrained rows would vanish into means."""
_NEAREST = 3
SHARPNESS = 20.0
"""How much a nearer landmark counts: weights are exp(20 · cosine)."""
_BLOCK = 2048
_SHORTLIST = 8
"""Landmarks that products in bfloat16 propose, where the processor has them; float32 chooses among these. Of
24,576 choices on Gemma 3 270M, 13 are not those of float32 alone, none by more than a cosine of .002."""


def choose_landmarks(
    matrix: Float[Tensor, "vocab d_model"], counted: Bool[Tensor, " vocab"], seed: int
) -> Int[Tensor, " landmarks"]:
    """The ids of the landmarks, rising: all counted rows where they are not more than would be chosen."""
    ids = _ids(counted)
    if len(ids) <= RANDOM + INNERMOST:
        return ids
    generator = torch.Generator().manual_seed(seed % 2**63)
    drawn = ids[torch.randperm(len(ids), generator=generator)[:RANDOM]]
    inner = distances(matrix, mean_row(matrix, counted))[ids].topk(INNERMOST, largest=False).indices
    chosen = torch.zeros(len(matrix), dtype=torch.bool)
    chosen[drawn] = chosen[ids[inner]] = True
    return _ids(chosen)


def _ids(chosen: Bool[Tensor, " vocab"]) -> Int[Tensor, " n"]:
    ids: Int[Tensor, " n"] = chosen.nonzero()[:, 0]
    return ids


@dataclass
class Placed:
    """How far the placing is, between two blocks of rows. One that was kept goes on as it would have."""

    done: int = 0
    """Rows read."""
    places: Float[Tensor, "vocab 2"] = field(default_factory=lambda: torch.zeros(0, 2))
    """NaN for those that are not read."""


@torch.no_grad()
def place_others(
    matrix: Float[Tensor, "vocab d_model"],
    counted: Bool[Tensor, " vocab"],
    landmarks: Int[Tensor, " landmarks"],
    points: Float[Tensor, "landmarks 2"],
    prepare: Prepare,
    midway: Placed | None = None,
) -> Generator[int, None, Float[Tensor, "vocab 2"]]:
    """Every counted row's place: a landmark's own, any other's the weighted mean of its nearest landmarks; NaN for rows
    that do not count. Yields how many rows have been read. From where `midway` is, which is brought up to date."""
    known = prepare(matrix[landmarks.to(matrix.device)])
    is_quick = matrix.device.type != "cpu" or multiplies_bfloat16()  # four times as fast as float32 (measured)
    near = _find_quick(known) if is_quick else _find_plain(known)
    midway = midway or Placed()
    placed = midway.places = midway.places if midway.done else torch.full((len(matrix), 2), torch.nan)
    for start in range(midway.done, len(matrix), _BLOCK):
        some = torch.arange(start, min(start + _BLOCK, len(matrix)))[counted[start : start + _BLOCK]]
        cosines, nearest = (found.cpu() for found in near(prepare(matrix[some.to(matrix.device)])))
        weights = torch.softmax(cosines * SHARPNESS, dim=1)
        placed[some] = (points[nearest] * weights[..., None]).sum(dim=1)
        midway.done = min(start + _BLOCK, len(matrix))
        yield midway.done
    placed[landmarks] = points
    return placed


Near = Callable[[Float[Tensor, "n d_model"]], tuple[Float[Tensor, "n few"], Int[Tensor, "n few"]]]
"""The cosines of the landmarks nearest to rows, and which they are."""


def _find_plain(known: Float[Tensor, "landmarks d_model"]) -> Near:
    def near(rows: Float[Tensor, "n d_model"]) -> tuple[Float[Tensor, "n few"], Int[Tensor, "n few"]]:
        cosines, nearest = (rows @ known.T).topk(min(_NEAREST, len(known)), dim=1)
        return cosines, nearest

    return near


def _find_quick(known: Float[Tensor, "landmarks d_model"]) -> Near:
    rounded = known.bfloat16().T.contiguous()

    def near(rows: Float[Tensor, "n d_model"]) -> tuple[Float[Tensor, "n few"], Int[Tensor, "n few"]]:
        proposed = (rows.bfloat16() @ rounded).topk(min(_SHORTLIST, len(known)), dim=1).indices
        exact = torch.einsum("nd,nsd->ns", rows, known[proposed])
        cosines, order = exact.topk(min(_NEAREST, len(known)), dim=1)
        return cosines, proposed.gather(1, order)

    return near
