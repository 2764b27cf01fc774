"""A view of a map that a session can hold, made of a whole map and the columns of the token table. NumPy only: the
engine runs it, and the screen too, from what it has already."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from explorer.base.records.maps import (
    COLOUR_STEPS,
    GRID,
    MOST_POINTS,
    MapPoint,
    MapView,
    Role,
    ViewMap,
    VocabularyMap,
)
from explorer.base.records.tokens import TokenRef
from explorer.tables.map_cells import Cloud, Column, pack_cells, percentile_ranks
from explorer.tables.table import TokenColumns


def make_view(found: VocabularyMap, columns: TokenColumns, request: ViewMap) -> MapView:
    """The view of the map that `request` asks for, coloured by the map's own `values`."""
    x, y = found.x.numpy(), found.y.numpy()
    values = np.full(len(x), np.nan, dtype=np.float32) if found.values is None else found.values.numpy()
    placed = np.isfinite(x) & np.isfinite(y)
    shown = np.where(placed, values, np.float32(np.nan))
    cloud = Cloud(x, y, percentile_ranks(shown))
    window = request.window or cloud.whole_window()
    return MapView(
        model=found.model,
        plane=found.plane,
        space=found.space,
        x_axis=found.x_axis,
        y_axis=found.y_axis,
        window=window,
        cells=pack_cells(cloud.cells(window, *GRID)),
        in_view=len(cloud.inside(window)),
        total=int(placed.sum()),
        left_out=found.left_out,
        digest=found.digest,
        colour=found.colour,
        colour_edges=colour_edges(shown),
        points=tuple(named_points(found, columns, request, values)),
        quality=found.quality,
        notes=found.notes,
    )


def colour_edges(values: Column) -> tuple[float, ...]:
    """The values that cut all tokens that have one into sevenths; none where no token has."""
    known = values[~np.isnan(values)]
    if not len(known):
        return ()
    shares = np.arange(1, COLOUR_STEPS) * (100 / COLOUR_STEPS)
    return tuple(float(str(np.float32(edge))) for edge in np.percentile(known, shares, method="nearest"))


def named_points(found: VocabularyMap, columns: TokenColumns, request: ViewMap, values: Column) -> Iterator[MapPoint]:
    """The named tokens that have a place, each once, the most important first."""
    x, y = found.x.numpy(), found.y.numpy()
    roles: dict[int, Role] = {}
    for token_id, role in _named(columns, request):
        if 0 <= token_id < len(x) and np.isfinite(x[token_id]) and np.isfinite(y[token_id]):
            roles.setdefault(token_id, role)
    for token_id, role in list(roles.items())[:MOST_POINTS]:
        token_bytes = columns.token_bytes(token_id)
        value = values[token_id]
        yield MapPoint(
            token=TokenRef(token_id=token_id, token_bytes=token_bytes.hex(), text=columns.text(token_id)),
            category=columns.category(token_id),
            role=role,
            x=float(str(x[token_id])),
            y=float(str(y[token_id])),
            value=None if np.isnan(value) else float(str(value)),
        )


def _named(columns: TokenColumns, request: ViewMap) -> Iterator[tuple[int, Role]]:
    if request.token_id is not None:
        yield request.token_id, "subject"
    yield from ((token_id, "marked") for token_id in request.marked)
    yield from ((token_id, "named") for token_id in request.named)
    yield from ((int(token_id), "suspect") for token_id in suspects(columns)[: max(request.suspects, 0)])
    references = np.flatnonzero(columns.is_reference)[: max(request.references, 0)]
    yield from ((int(token_id), "reference") for token_id in references)


def suspects(columns: TokenColumns) -> npt.NDArray[np.int64]:
    """The candidates that have a default indicator, the lowest first."""
    if not columns.default_indicator:
        return np.zeros(0, dtype=np.int64)
    values = columns.values(columns.default_indicator)
    ids = np.flatnonzero(columns.is_candidate & ~np.isnan(values))
    return ids[np.argsort(values[ids], kind="stable")]
