"""What is put on a map for its subject: its neighbours, the centroid, its twin in another model, vectors of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from explorer.base.records.map_vectors import PlacedVector, Placing, VectorKind
from explorer.base.records.maps import LAYOUTS, MapPoints, PointsRequest, VocabularyMap
from explorer.base.records.record import Array
from explorer.engine.answers.maps.kept import Telling, tell
from explorer.engine.answers.maps.pairs import Shared, share_tokens
from explorer.engine.answers.maps.placing import NoPlace, centroid_of, place_vectors
from explorer.engine.answers.maps.source import Source
from explorer.engine.answers.maps.vector_files import read_vectors
from explorer.engine.core.alignment import Alignment, align_rows
from explorer.engine.core.neighbours import nearest

FEWEST = 2
"""Shared tokens for each dimension from which on a turn may be trusted: with as many as there are dimensions any rows
can be turned into any others."""
_SEED = 0


class KeptTurn(msgspec.Struct, frozen=True):
    """What lays another model's rows over this model's."""

    turn: Array
    """float32 [their width, the greater width]"""
    our_middle: Array
    their_middle: Array
    fit: float
    by_chance: float


def find_points(
    source: Source, found: VocabularyMap, request: PointsRequest, other: Source | None
) -> Telling[MapPoints]:
    """The neighbours, and where the vectors lie. Raises `UsageError` for a file that cannot be read."""
    vectors: list[PlacedVector] = []
    if request.centroid:
        vectors += yield from _place(source, found, request, "centroid", ["centroid"], centroid_of(source)[None])
    if other is not None:
        vectors.append((yield from _place_twin(source, found, request, other)))
    if request.vectors:
        labels, rows = read_vectors(Path(request.vectors).expanduser(), source.matrix.shape[1])
        vectors += yield from _place(source, found, request, "vector", labels, rows)
    return MapPoints(
        model=found.model, token_id=request.token_id, neighbours=_neighbours(source, request), vectors=tuple(vectors)
    )


def _neighbours(source: Source, request: PointsRequest) -> tuple[int, ...]:
    if request.token_id is None or request.neighbours < 1 or not _has_row(source, request.token_id):
        return ()
    eligible = source.counted.numpy()
    ids = nearest(source.matrix, request.token_id, request.neighbours, "cosine", eligible).token_ids
    return tuple(ids.tolist())


def _has_row(source: Source, token_id: int) -> bool:
    return 0 <= token_id < len(source.matrix) and bool(source.counted[token_id])


def _place(
    source: Source,
    found: VocabularyMap,
    request: PointsRequest,
    role: VectorKind,
    labels: Sequence[str],
    rows: Float[Tensor, "n d_model"],
) -> Telling[list[PlacedVector]]:
    placing: Placing = "nearest" if found.plane in LAYOUTS else "exact"
    why = "it lies in no direction from the centroid"
    try:
        places = yield from place_vectors(source, found, request, rows)
    except NoPlace as reason:
        places, why = np.full((len(rows), 2), np.nan), str(reason)
    return [
        PlacedVector(role=role, label=label, x=float(x), y=float(y), placing=placing)
        if np.isfinite([x, y]).all()
        else PlacedVector(role=role, label=label, placing="none", why=why)
        for label, (x, y) in zip(labels, places, strict=True)
    ]


# ── another model's token ──


def _place_twin(source: Source, found: VocabularyMap, request: PointsRequest, other: Source) -> Telling[PlacedVector]:
    """The row of the other model's token with the subject's bytes, laid over this model's rows."""
    label = other.model.info.name
    shared = share_tokens(source, other)
    try:
        place = _place_of(shared, request.token_id, label)
        kept = yield from _turn_of(source, other, shared)
    except NoPlace as reason:
        return PlacedVector(role="twin", label=label, placing="none", why=str(reason))
    row = other.matrix[int(shared.theirs[place])].double().cpu()
    # The scale that fits best is smaller by r: it would draw the twins of all tokens towards the centroid, where
    # under-trained tokens lie. With the spreads made equal, a twin is as far from it as it is in its own model.
    turned = (row - _tensor(kept.their_middle)) @ _tensor(kept.turn) / max(kept.fit, 1e-6)
    width = source.matrix.shape[1]
    laid = turned[:width] + _tensor(kept.our_middle)
    (placed,) = yield from _place(source, found, request, "twin", [label], laid[None])
    share = float(turned[:width].square().sum() / turned.square().sum().clamp(min=1e-300))
    return msgspec.structs.replace(placed, fit=kept.fit, by_chance=kept.by_chance, kept=share)


def _place_of(shared: Shared, token_id: int | None, name: str) -> int:
    """Where the subject is among the shared tokens."""
    if token_id is None:
        raise NoPlace("no token is selected")
    places = np.flatnonzero(shared.ours == token_id)
    if not len(places):
        raise NoPlace(f"{name} has no token with these bytes")
    return int(places[0])


def _turn_of(source: Source, other: Source, shared: Shared) -> Telling[KeptTurn]:
    """Raises `NoPlace` where too few tokens are shared."""
    wide = max(source.matrix.shape[1], other.matrix.shape[1])
    if len(shared.ours) < FEWEST * wide:
        raise NoPlace(f"{len(shared.ours):,} shared tokens are too few for a turn in {wide:,} dimensions")

    def compute() -> Telling[KeptTurn]:
        ours, theirs = torch.from_numpy(shared.ours), torch.from_numpy(shared.theirs)
        wrong = theirs[torch.randperm(len(theirs), generator=torch.Generator().manual_seed(_SEED))]
        found = yield from _align(source, ours, other, theirs, "rows laid over the other model's")
        chance = yield from _align(source, ours, other, wrong, "rows laid over wrong ones, for comparison")
        our_middle, their_middle = (Array.of(middle.numpy()) for middle in found.middles)
        turn = Array.of(found.turn.numpy())
        return KeptTurn(turn, our_middle, their_middle, found.correlation, chance.correlation)

    facts = ("turn", other.model.info.weights_digest)
    return (yield from source.keeper.keep(source.model, source.space, KeptTurn, facts, compute))


def _align(source: Source, ours: Tensor, other: Source, theirs: Tensor, what: str) -> Telling[Alignment]:
    return (yield from tell(align_rows(source.matrix, ours, other.matrix, theirs), 2 * len(ours), what))


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(array.numpy().astype("float64"))
