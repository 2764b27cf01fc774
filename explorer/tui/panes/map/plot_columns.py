"""Which columns of a map can be plotted: numbers, not classes, and not the axes of a layout."""

from __future__ import annotations

import numpy as np

from explorer.base.records.maps import MapAxis, X, Y
from explorer.base.records.tokens import LABELS
from explorer.tables.map_cells import Column
from explorer.tui.panes.map.making import Made
from explorer.tui.panes.map.threshold import Numbers


def plotted_names(made: Made) -> tuple[str, ...]:
    """The colour first, then the default indicator, then the axes; each once."""
    return tuple(_columns(made))


def numbers_of(made: Made, name: str) -> Numbers:
    """A column by its name."""
    label, values = _columns(made)[name]
    if name == Y and made.request.other:
        return Numbers(name, label, values, made.columns, other=made.request.other, indicator=made.found.plane)
    return Numbers(name, label, values, made.columns)


def _columns(made: Made) -> dict[str, tuple[str, Column]]:
    """Label and numbers by name."""
    found, default = made.found, made.columns.default_indicator
    columns: dict[str, tuple[str, Column]] = {}
    if found.colour and found.classes is None:
        columns[found.colour] = LABELS.get(found.colour, found.colour), made.values
    if default:
        columns.setdefault(default, (LABELS.get(default, default), made.columns.values(default)))
    for axis, values in ((found.x_axis, made.x), (found.y_axis, made.y)):
        if axis.name not in (X, Y) or made.request.other:
            columns.setdefault(axis.name, (_label(axis), values))
    return {name: (label, values) for name, (label, values) in columns.items() if np.isfinite(values).any()}


def _label(axis: MapAxis) -> str:
    """Its short name, or its title, which names the other model."""
    return LABELS.get(axis.name, axis.title if axis.name in (X, Y) else axis.name)
