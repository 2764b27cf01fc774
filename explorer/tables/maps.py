"""A view of a map that a session can hold, made of a whole map and the columns of the token table. NumPy only: the
engine runs it, and the screen too, from what it has already."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial

import msgspec
import numpy as np
import numpy.typing as npt

from explorer.base.records.map_colours import MapClasses
from explorer.base.records.map_vectors import PlacedVector
from explorer.base.records.maps import (
    COLOUR_STEPS,
    MOST_POINTS,
    MapPoint,
    MapPoints,
    MapView,
    Role,
    ViewMap,
    VocabularyMap,
    Window,
)
from explorer.base.records.tokens import TokenRef
from explorer.tables.map_cells import SOUGHT, Cloud, Column, pack_window, percentile_ranks
from explorer.tables.map_regions import RegionNamer
from explorer.tables.map_sizes import NO_CELLS, fit_view
from explorer.tables.table import TokenColumns


class PlacedMap:
    """A whole map with the columns of its vocabulary: sorted, ranked and counted once, for any number of views."""

    def __init__(self, found: VocabularyMap, columns: TokenColumns, around: MapPoints | None = None) -> None:
        self.found, self.columns = found, columns
        self.around = around or MapPoints(model=found.model)
        """What is put on the map for its subject."""
        self.x, self.y = found.x.numpy(), found.y.numpy()
        nowhere = np.float32(np.nan)
        self.values: Column = np.full(len(self.x), nowhere) if found.values is None else found.values.numpy()
        shown = np.where(np.isfinite(self.x) & np.isfinite(self.y), self.values, nowhere)
        self.class_of = None if found.class_of is None else found.class_of.numpy()
        self.cloud = Cloud(self.x, self.y, percentile_ranks(shown), self.class_of, found.classes)
        self.edges = colour_edges(shown)
        self._suspects = suspects(columns)
        sought = np.concatenate([self._suspects[:SOUGHT], np.flatnonzero(columns.is_reference)])
        self.whole = self.cloud.whole_window(sought)

    def view(self, request: ViewMap) -> MapView:
        """The view that `request` asks for, coloured by the map's own `values`."""
        found, window = self.found, request.window or self.whole
        bare = MapView(
            model=found.model,
            plane=found.plane,
            space=found.space,
            x_axis=found.x_axis,
            y_axis=found.y_axis,
            window=window,
            cells=NO_CELLS,
            in_view=len(self.cloud.inside(window)),
            total=len(self.cloud.token_ids),
            left_out=found.left_out,
            digest=found.digest,
            colour=found.colour,
            colour_edges=self.edges,
            classes=self.classes_in(window),
            vectors=self.vectors_for(request),
            regions=self.regions.name(window) if request.regions else (),
            quality=found.quality,
            notes=found.notes,
        )
        return fit_view(bare, self.named_points(request), partial(pack_window, self.cloud, window))

    @cached_property
    def regions(self) -> RegionNamer:
        """Names the parts of the map."""
        return RegionNamer(self.cloud, self.columns)

    def classes_in(self, window: Window) -> MapClasses | None:
        """The classes with what a window has of them; None where the colours are numbers."""
        return None if self.found.classes is None else count_classes(self.found.classes, self.cloud, window)

    def vectors_for(self, request: ViewMap) -> tuple[PlacedVector, ...]:
        """The vectors that `request` asks for, as far as they are here."""
        is_same = request.token_id == self.around.token_id
        asked = {"centroid": request.centroid, "twin": bool(request.twin_in) and is_same, "vector": request.vectors}
        return tuple(vector for vector in self.around.vectors if asked[vector.role])

    def place(self, token_id: int) -> tuple[float, float] | None:
        """Where a token is; None where it has no place."""
        if not 0 <= token_id < len(self.x):
            return None
        x, y = float(self.x[token_id]), float(self.y[token_id])
        return (x, y) if np.isfinite(x) and np.isfinite(y) else None

    def named_points(self, request: ViewMap) -> Iterator[MapPoint]:
        """The named tokens that have a place, each once, the most important first."""
        roles: dict[int, Role] = {}
        for token_id, role in self._named(request):
            if self.place(token_id) is not None:
                roles.setdefault(token_id, role)
        for token_id, role in list(roles.items())[:MOST_POINTS]:
            columns, value = self.columns, self.values[token_id]
            token_bytes = columns.token_bytes(token_id)
            yield MapPoint(
                token=TokenRef(token_id=token_id, token_bytes=token_bytes.hex(), text=columns.text(token_id)),
                category=columns.category(token_id),
                role=role,
                x=float(str(self.x[token_id])),
                y=float(str(self.y[token_id])),
                value=None if np.isnan(value) else float(str(value)),
                in_class=None if self.class_of is None else int(self.class_of[token_id]),
            )

    def _named(self, request: ViewMap) -> Iterator[tuple[int, Role]]:
        if request.token_id is not None:
            yield request.token_id, "subject"
        yield from ((token_id, "marked") for token_id in request.marked)
        yield from ((token_id, "named") for token_id in request.named)
        if request.token_id is not None and request.token_id == self.around.token_id:
            yield from ((token_id, "neighbour") for token_id in self.around.neighbours[: max(request.neighbours, 0)])
        yield from ((int(token_id), "suspect") for token_id in self._suspects[: max(request.suspects, 0)])
        references = np.flatnonzero(self.columns.is_reference)[: max(request.references, 0)]
        yield from ((int(token_id), "reference") for token_id in references)


def count_classes(classes: MapClasses, cloud: Cloud, window: Window) -> MapClasses:
    """`classes` with the numbers of their tokens inside a window of the cloud."""
    *named, rest = cloud.class_counts(window).tolist()
    return msgspec.structs.replace(
        classes,
        named=tuple(msgspec.structs.replace(one, in_view=named[place]) for place, one in enumerate(classes.named)),
        rest=msgspec.structs.replace(classes.rest, in_view=rest),
    )


def colour_edges(values: Column) -> tuple[float, ...]:
    """The values that cut all tokens that have one into sevenths; none where no token has."""
    known = values[~np.isnan(values)]
    if not len(known):
        return ()
    shares = np.arange(1, COLOUR_STEPS) * (100 / COLOUR_STEPS)
    return tuple(float(str(np.float32(edge))) for edge in np.percentile(known, shares, method="nearest"))


def suspects(columns: TokenColumns) -> npt.NDArray[np.int64]:
    """The candidates that have a default indicator, the lowest first."""
    if not columns.default_indicator:
        return np.zeros(0, dtype=np.int64)
    values = columns.values(columns.default_indicator)
    ids = np.flatnonzero(columns.is_candidate & ~np.isnan(values))
    return ids[np.argsort(values[ids], kind="stable")]
