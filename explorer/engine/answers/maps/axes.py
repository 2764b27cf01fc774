"""The axes of planes: columns of numbers, one for each token, computed when they are asked for."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from explorer.base.errors import UsageError
from explorer.base.records.maps import COMPONENT_AXES, MAP_AXES, NEAREST_AXIS, MapAxis
from explorer.base.records.record import Array
from explorer.base.records.tokens import INDICATORS
from explorer.engine.answers.maps.kept import Telling, tell
from explorer.engine.answers.maps.source import Source
from explorer.engine.answers.maps.unfinished import find_nearest_on
from explorer.engine.core.nearest_rows import plain_rows
from explorer.engine.core.principal import Components, find_components
from explorer.specs.neighbours import axis_title

Column = npt.NDArray[np.float32]


class KeptNearest(msgspec.Struct, frozen=True):
    """The nearest other row of each row."""

    distances: Array
    """float32 [vocab]; NaN for tokens that have no place."""
    rows: Array
    """int32 [vocab]"""


class KeptComponents(msgspec.Struct, frozen=True):
    """The principal components of a matrix."""

    coordinates: Array
    """float32 [vocab, components]; NaN for tokens that have no place."""
    shares: tuple[float, ...]
    axes: Array
    """float32 [d_model, components], unit vectors."""
    middle: Array
    """float32 [d_model], the place whose coordinates are 0."""


def components_of(source: Source) -> Telling[KeptComponents]:
    """The first principal components of the matrix."""

    def compute() -> Telling[KeptComponents]:
        work = find_components(source.matrix, source.counted)
        found: Components = yield from tell(work, 2 * len(source.matrix), "rows read for the principal components")
        axes, middle = Array.of(found.axes.numpy()), Array.of(found.middle.numpy())
        return KeptComponents(Array.of(found.coordinates.numpy()), found.shares, axes, middle)

    return (yield from source.keeper.keep(source.model, source.space, KeptComponents, ("axes",), compute))


def nearest_of(source: Source) -> Telling[KeptNearest]:
    """The distance of every row to the nearest other one."""

    def compute() -> Telling[KeptNearest]:
        prepare = plain_rows(source.matrix, source.counted)
        whose = "rows compared, for the nearest of each"
        found = yield from find_nearest_on(source, source.matrix, source.counted, 1, prepare, whose)
        return KeptNearest(Array.of(found.distances[:, 0].numpy()), Array.of(found.rows[:, 0].numpy()))

    return (yield from source.keeper.keep(source.model, source.space, KeptNearest, (), compute))


def axis_of(source: Source, name: str) -> Telling[tuple[MapAxis, Column]]:
    """The axis and its numbers, float32 [vocab]. Raises `UsageError` for a name that is no axis of this model."""
    if name in COMPONENT_AXES:
        found = yield from components_of(source)
        place = COMPONENT_AXES.index(name)
        share = found.shares[place]
        axis = MapAxis(name=name, title=axis_title(name.upper(), share), share=share)
        return axis, found.coordinates.numpy()[:, place]
    if name == NEAREST_AXIS:
        nearest = yield from nearest_of(source)
        return MapAxis(name=name, title="distance to the nearest other row"), nearest.distances.numpy()
    if name not in source.read.columns.indicators:
        known = ", ".join((*source.read.columns.indicators, *MAP_AXES))
        why = "this model lacks it" if name in INDICATORS else "there is no such axis"
        raise UsageError(f"{name!r} cannot be an axis: {why}", hint=f"Write one of {known}.")
    return MapAxis(name=name, title=name.replace("_", " ")), source.read.columns.indicators[name]
