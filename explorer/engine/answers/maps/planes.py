"""Planes: two columns of numbers by a plane's name."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from explorer.base.errors import UsageError
from explorer.base.records.maps import LAYOUTS, NEAREST_AXIS, PLANES, MapAxis, MapQuality, ReadMap, X, Y
from explorer.base.records.neighbours import Space
from explorer.engine.answers.maps.axes import Column, axis_of, components_of
from explorer.engine.answers.maps.kept import Telling
from explorer.engine.answers.maps.layouts import layout_of
from explorer.engine.answers.maps.source import Source
from explorer.engine.answers.vocabulary import Read
from explorer.engine.core.indicators import distances, mean_row

Places = tuple[MapAxis, MapAxis, Column, Column, MapQuality | None]
"""The axes; x and y of each token, float32 [vocab]; and what a plane that is made to keep neighbours does keep."""


def proposed_plane(read: Read) -> str:
    """The plane that shows untrained tokens best: by the reference tokens where the default indicator rests on them."""
    return "reference" if read.sent.default_indicator.startswith("unused_") else "distance"


def axes_of_plane(plane: str, space: Space) -> tuple[str, str] | None:
    """The names of a plane's two axes; None where it has none. Raises `UsageError` for a plane that is not known."""
    named = {
        "reference": ("unused_cosine_distance", "output_centroid_distance"),
        "distance": (f"{space}_centroid_distance", "pc1"),
        "cosine": (f"{space}_norm", f"{space}_centroid_cosine"),
        "nearest": (NEAREST_AXIS, f"{space}_centroid_distance"),
        "pca": ("pc1", "pc2"),
    }
    if plane in named:
        return named[plane]
    if plane in PLANES:
        return None
    across, comma, up = (part.strip() for part in plane.partition(","))
    if not (across and comma and up):
        hint = f"Write one of {', '.join(PLANES)}, or two axes with a comma between them: input_norm,pc1."
        raise UsageError(f"there is no plane {plane!r}", hint=hint)
    return across, up


def place_tokens(source: Source, plane: str, request: ReadMap) -> Telling[Places]:
    """Where every token lies on the plane. Raises `UsageError` for a plane or an axis that the model does not have."""
    axes = axes_of_plane(plane, source.space)
    if plane in LAYOUTS:
        return (yield from layout_of(source, plane, request.seed))
    if axes is None:
        return (yield from _place_around(source, request.token_id))
    x_axis, x = yield from axis_of(source, axes[0])
    y_axis, y = yield from axis_of(source, axes[1])
    return x_axis, y_axis, x, y, None


def _place_around(source: Source, token_id: int | None) -> Telling[Places]:
    """True distance from a token, or from the centroid, at the angle at which the first two components show it."""
    matrix, counted = source.matrix, source.counted
    if token_id is not None and not (0 <= token_id < len(matrix) and counted[token_id]):
        raise UsageError(f"token {token_id} has no place on a map", hint="Choose a token with a row of its own.")
    found = yield from components_of(source)
    plane = found.coordinates.numpy()[:, :2].astype(np.float64)
    middle = mean_row(matrix, counted) if token_id is None else matrix[token_id].double().cpu()
    radius = distances(matrix, middle).numpy()
    plane = plane - (0.0 if token_id is None else plane[token_id])
    angle = np.arctan2(plane[:, 1], plane[:, 0])
    title = "distance from the centroid" if token_id is None else f"distance from token {token_id}"
    x_axis = MapAxis(name=X, title=f"{title}, towards PC1")
    y_axis = MapAxis(name=Y, title=f"{title}, towards PC2")
    return x_axis, y_axis, _rounded(radius * np.cos(angle)), _rounded(radius * np.sin(angle)), None


def _rounded(column: npt.NDArray[np.float64]) -> Column:
    return column.astype(np.float32)
