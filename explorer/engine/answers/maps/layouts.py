"""Maps on which neighbours stay together, and how far the nearest other row is."""

from __future__ import annotations

import msgspec
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.base.records.maps import MapAxis, MapQuality, X, Y
from explorer.base.records.record import Array
from explorer.engine.answers.maps.axes import Column, components_of
from explorer.engine.answers.maps.kept import Telling
from explorer.engine.answers.maps.source import Source
from explorer.engine.answers.maps.unfinished import find_nearest_on, lay_out_on, place_others_on, settle_on
from explorer.engine.core.landmarks import choose_landmarks
from explorer.engine.core.layout import Points
from explorer.engine.core.map_quality import measure_quality
from explorer.engine.core.nearest_rows import Prepare, centred_directions

NEIGHBOURS = 15
"""Of each row in the graph of all rows."""
LANDMARK_NEIGHBOURS = 50
"""Of each landmark among the landmarks: more than among all rows, as they are to show where regions lie.
Trustworthiness is .736 with 50 and .726 with 15 (SmolLM2), .776 and .767 (MiniLM), .819 and .817 (Gemma 3 270M); of a
token's nearest fewer are kept (.060, .101 on SmolLM2), but the layout of all tokens that begins there keeps more (.399,
.383)."""
_AXES = MapAxis(name=X, title="x (no unit)"), MapAxis(name=Y, title="y (no unit)")


class KeptLayout(msgspec.Struct, frozen=True):
    """A layout of all tokens."""

    x: Array
    """float32 [vocab]; NaN for tokens that have no place."""
    y: Array
    quality: MapQuality


class KeptLandmarks(msgspec.Struct, frozen=True):
    """The layout of the landmarks alone, so that one whose others are not placed yet goes on from there."""

    points: Array
    """float32 [landmarks, 2]"""


class KeptGraph(msgspec.Struct, frozen=True):
    """The nearest rows of each row by centred cosine."""

    rows: Array
    """int32 [vocab, neighbours]; −1 is nobody."""


def layout_of(source: Source, plane: str, seed: int) -> Telling[tuple[MapAxis, MapAxis, Column, Column, MapQuality]]:
    """The tokens where neighbours stay together: all laid out, or a sample and the others at their nearest of it."""
    facts = (plane, seed, NEIGHBOURS, LANDMARK_NEIGHBOURS)

    def compute() -> Telling[KeptLayout]:
        placed = yield from (_lay_out_all(source, seed) if plane == "neighbours" else _lay_out_sample(source, seed))
        quality = measure_quality(source.matrix, source.counted, placed, _prepare(source))
        x, y = (Array.of(placed[:, axis].copy()) for axis in (0, 1))
        return KeptLayout(x, y, MapQuality(**vars(quality)))

    kept = yield from source.keeper.keep(source.model, source.space, KeptLayout, facts, compute)
    return _AXES[0], _AXES[1], kept.x.numpy(), kept.y.numpy(), kept.quality


def _prepare(source: Source) -> Prepare:
    return centred_directions(source.matrix, source.counted)


def _lay_out_all(source: Source, seed: int) -> Telling[Float[np.ndarray, "vocab 2"]]:
    """Every token by the graph of all, from where the landmarks' layout puts it."""
    _, _, x, y, _ = yield from layout_of(source, "landmarks", seed)
    start = torch.from_numpy(np.stack([x, y], axis=1))
    graph = torch.from_numpy((yield from graph_of(source)).rows.numpy().copy())
    ids = source.counted.nonzero()[:, 0]
    places = torch.full((len(source.matrix),), -1, dtype=torch.int64)
    places[ids] = torch.arange(len(ids))
    nearest = torch.where(graph[ids] < 0, -1, places[graph[ids].long()])
    points = yield from settle_on(source, (seed, NEIGHBOURS, LANDMARK_NEIGHBOURS), nearest, start[ids])
    placed = torch.full((len(source.matrix), 2), torch.nan)
    placed[ids] = points
    found: Float[np.ndarray, "vocab 2"] = placed.numpy()
    return found


def graph_of(source: Source) -> Telling[KeptGraph]:
    """The nearest rows of each row."""

    def compute() -> Telling[KeptGraph]:
        whose = "rows compared, for the neighbours of each"
        work = find_nearest_on(source, source.matrix, source.counted, NEIGHBOURS, _prepare(source), whose)
        found = yield from work
        return KeptGraph(Array.of(found.rows.numpy()))

    return (yield from source.keeper.keep(source.model, source.space, KeptGraph, (NEIGHBOURS,), compute))


def _lay_out_sample(source: Source, seed: int) -> Telling[Float[np.ndarray, "vocab 2"]]:
    """The landmarks by their own graph, every other token at the nearest of them."""
    facts = (seed, LANDMARK_NEIGHBOURS)
    chosen = choose_landmarks(source.matrix, source.counted, seed)

    def compute() -> Telling[KeptLandmarks]:
        return KeptLandmarks(Array.of((yield from _lay_out_landmarks(source, facts, chosen)).numpy()))

    kept = yield from source.keeper.keep(source.model, source.space, KeptLandmarks, facts, compute)
    points = torch.from_numpy(kept.points.numpy().copy())
    placed = yield from place_others_on(source, facts, chosen, points, _prepare(source))
    found: Float[np.ndarray, "vocab 2"] = placed.numpy()
    return found


def _lay_out_landmarks(source: Source, facts: tuple[object, ...], chosen: Int[Tensor, " n"]) -> Telling[Points]:
    """The landmarks' graph is kept until they are laid out."""
    start = torch.from_numpy((yield from components_of(source)).coordinates.numpy()[:, :2].copy())
    rows, everyone = source.matrix[chosen.to(source.matrix.device)], torch.ones(len(chosen), dtype=torch.bool)
    of_landmarks = ("landmarks", *facts)

    def compute() -> Telling[KeptGraph]:
        what = "landmarks compared"
        found = yield from find_nearest_on(source, rows, everyone, LANDMARK_NEIGHBOURS, _prepare(source), what, facts)
        return KeptGraph(Array.of(found.rows.numpy()))

    graph = yield from source.keeper.keep(source.model, source.space, KeptGraph, of_landmarks, compute)
    points = yield from lay_out_on(source, facts, torch.from_numpy(graph.rows.numpy().copy()), start[chosen])
    source.keeper.drop(source.model, source.space, KeptGraph, of_landmarks)
    return points
