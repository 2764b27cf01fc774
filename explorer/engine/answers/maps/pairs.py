"""Two models on one plane: the tokens that they share, by their bytes."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from explorer.base.errors import UsageError
from explorer.base.records.maps import PAIR_AXES, MapAxis, Y
from explorer.base.records.record import Array
from explorer.engine.answers.maps.axes import Column, axis_of
from explorer.engine.answers.maps.kept import Telling, tell
from explorer.engine.answers.maps.source import Source
from explorer.engine.core.alignment import Alignment, align_rows, share_kept
from explorer.engine.core.nearest_rows import centred_directions, find_nearest, pairs_of_blocks

NEIGHBOURS = 10
"""Of each shared token, among the shared ones."""


class KeptPairAxis(msgspec.Struct, frozen=True):
    """One of `PAIR_AXES` for the tokens of the first model."""

    values: Array
    """float32 [vocab]; NaN for tokens that the other model lacks."""
    about: str
    """One number for all, in words; empty: there is none."""


@dataclass(frozen=True)
class Shared:
    """The tokens with the same bytes that count in both models."""

    ours: npt.NDArray[np.int64]
    theirs: npt.NDArray[np.int64]


@dataclass(frozen=True)
class PlacedPair:
    """Two models on one plane, an entry per token of the first."""

    x_axis: MapAxis
    y_axis: MapAxis
    x: Column
    y: Column
    twins: npt.NDArray[np.int32]
    """The other model's token with the same bytes; −1 where none counts."""


def place_pair(source: Source, other: Source, name: str) -> Telling[PlacedPair]:
    """An axis's number in one model against that in the other; for one of `PAIR_AXES`, the first model's default
    indicator against it. Raises `UsageError` for a name that is no axis of both."""
    shared = share_tokens(source, other)
    names = source.model.info.name, other.model.info.name
    if name in PAIR_AXES:
        x_axis, x = yield from axis_of(source, source.read.sent.default_indicator)
        found = yield from find_pair_axis(source, other, shared, name)
        about = f" ({found.about})" if found.about else ""
        y_axis = MapAxis(name=name, title=f"{name.replace('_', ' ')}, {names[1]}{about}")
        y: Column = found.values.numpy()
    else:
        x_axis, x = yield from axis_of(source, name)
        y_axis, values = yield from axis_of(other, name)
        y_axis = MapAxis(name=Y, title=f"{y_axis.title} in {names[1]}")
        y = np.full(len(x), np.nan, dtype=np.float32)
        y[shared.ours] = values[shared.theirs]
    twins = np.full(len(x), -1, dtype=np.int32)
    twins[shared.ours] = shared.theirs
    return PlacedPair(msgspec.structs.replace(x_axis, title=f"{x_axis.title} in {names[0]}"), y_axis, x, y, twins)


def share_tokens(source: Source, other: Source) -> Shared:
    """The tokens of both, each of the second model's once. A string that has two ids stands for its first."""
    known = {string: token_id for token_id, string in reversed(list(enumerate(other.read.columns.byte_strings)))}
    twins = np.array([known.get(string, -1) if string else -1 for string in source.read.columns.byte_strings])
    ours = np.flatnonzero(twins >= 0)
    counted = source.counted.numpy()[ours] & other.counted.numpy()[twins[ours]]
    ours = ours[counted]
    return Shared(ours, twins[ours].astype(np.int64))


def find_pair_axis(source: Source, other: Source, shared: Shared, name: str) -> Telling[KeptPairAxis]:
    """One of `PAIR_AXES`. Raises `UsageError` where too few tokens are shared."""
    if len(shared.ours) < 2 * NEIGHBOURS:
        names = f"{source.model.info.name} and {other.model.info.name}"
        hint = "Choose models whose tokenizers are alike."
        raise UsageError(f"{names} share {len(shared.ours)} tokens: too few", hint=hint)
    compute = _find_moved if name == "moved" else _find_kept_neighbours
    facts = (name, other.model.info.weights_digest)
    return (
        yield from source.keeper.keep(
            source.model, source.space, KeptPairAxis, facts, lambda: compute(source, other, shared)
        )
    )


def _find_moved(source: Source, other: Source, shared: Shared) -> Telling[KeptPairAxis]:
    ours, theirs = torch.from_numpy(shared.ours), torch.from_numpy(shared.theirs)
    work = align_rows(source.matrix, ours, other.matrix, theirs)
    found: Alignment = yield from tell(work, 2 * len(ours), "rows laid over the other model's")
    return _spread(source, shared, found.moved.numpy(), f"Procrustes disparity {found.disparity:.3g}")


def _find_kept_neighbours(source: Source, other: Source, shared: Shared) -> Telling[KeptPairAxis]:
    ours = yield from _neighbours(source, shared.ours)
    theirs = yield from _neighbours(other, shared.theirs)
    shares = share_kept(ours, theirs).numpy()
    return _spread(source, shared, shares, f"{100 * float(shares.mean()):.1f} % of all")


def _neighbours(source: Source, ids: npt.NDArray[np.int64]) -> Telling[torch.Tensor]:
    """Places among `ids` of the nearest of each, by centred cosine."""
    size = len(source.matrix)
    counted = torch.zeros(size, dtype=torch.bool)
    counted[torch.from_numpy(ids)] = True
    places = torch.full((size,), -1, dtype=torch.int64)
    order = np.unique(ids, return_index=True)[1]
    places[torch.from_numpy(ids[order])] = torch.from_numpy(order)
    work = find_nearest(source.matrix, counted, NEIGHBOURS, centred_directions(source.matrix, counted))
    total = pairs_of_blocks(int(counted.sum()))
    nearest = yield from tell(work, total, f"blocks of rows compared, for the neighbours in {source.model.info.name}")
    rows = nearest.rows[torch.from_numpy(ids)].long()
    return torch.where(rows < 0, -1, places[rows.clamp(min=0)])


def _spread(source: Source, shared: Shared, values: npt.NDArray[np.float64], about: str) -> KeptPairAxis:
    column = np.full(len(source.matrix), np.nan, dtype=np.float32)
    column[shared.ours] = values
    return KeptPairAxis(Array.of(column), about)
