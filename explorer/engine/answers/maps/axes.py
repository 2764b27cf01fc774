"""The axes of planes: columns of numbers, one for each token, computed when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float
from torch import Tensor

from explorer.base.errors import ExplorerError, UsageError
from explorer.base.records.maps import COMPONENT_AXES, MAP_AXES, NEAREST_AXIS, MapAxis
from explorer.base.records.neighbours import Space
from explorer.base.records.record import Array
from explorer.base.records.tokens import INDICATORS
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.maps.kept import MapKeeper, Telling, tell
from explorer.engine.answers.vocabulary import Read
from explorer.engine.core.nearest_rows import NearestRows, find_nearest, pairs_of_blocks, plain_rows
from explorer.engine.core.principal import Components, counted_rows, find_components
from explorer.engine.models.abilities import HasWeights, weights_of
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


@dataclass
class Source:
    """A model's matrix, and what is known of its tokens."""

    model: HasWeights
    read: Read
    space: Space
    keeper: MapKeeper
    _counted: list[Bool[Tensor, " vocab"]] = field(default_factory=list)

    @property
    def matrix(self) -> Float[Tensor, "vocab d_model"]:
        """The rows of this space. Raises `ExplorerError` where the model has none."""
        embeddings = self.model.embeddings()
        if self.space == "input":
            return embeddings.input
        if embeddings.output is None:
            raise ExplorerError(
                f"{self.model.info.name} has no output embeddings", hint="Map the input embeddings (W_E)."
            )
        return embeddings.output

    @property
    def counted(self) -> Bool[Tensor, " vocab"]:
        """The tokens that have a place on a map."""
        if not self._counted:
            self._counted.append(counted_rows(self.matrix, self.model.vocabulary.tokenizer_size))
        return self._counted[0]


def read_source(
    engine: Holdings, name: str, space: Space, unused_ids: tuple[int, ...] | None = None
) -> Telling[Source]:
    """The matrix of a loaded model. Raises `ExplorerError` where it has none; `unused_ids`: reference tokens, None:
    found automatically."""
    model = weights_of(engine.models.get(name))
    return Source(model, (yield from engine.vocabularies.read(model, unused_ids)), space, engine.maps)


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
        total = pairs_of_blocks(int(source.counted.sum()))
        work = find_nearest(source.matrix, source.counted, 1, plain_rows(source.matrix, source.counted))
        found: NearestRows = yield from tell(work, total, "blocks of rows compared, for the nearest of each")
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
