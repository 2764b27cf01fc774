"""From a whole map and the token table's columns to what is drawn, recorded and added to the table."""

from __future__ import annotations

from functools import partial

import numpy as np

from explorer.base.records.maps import MapPoints, MapView, PlacePoints, ReadMap, ViewMap, VocabularyMap, Window
from explorer.tables.map_cells import Column
from explorer.tables.maps import PlacedMap
from explorer.tables.number_format import NumberFormat
from explorer.tables.table import AddedColumn, TokenColumns
from explorer.tui.panes.map.raster import recorded_cloud
from explorer.tui.panes.map.scene import Scene
from explorer.tui.panes.map.windows import CELL
from explorer.tui.shell.messages import Selection

SUSPECTS, REFERENCES, MOST_MARKED = 20, 10, 100
"""Tokens named at most, by role."""


class Made(PlacedMap):
    """A map that is here as a whole, and how it was asked for."""

    def __init__(self, request: ReadMap, found: VocabularyMap, columns: TokenColumns) -> None:
        super().__init__(found, columns)
        self.request = request
        self._asked: PlacePoints | None = None

    def subject_of(self, selection: Selection) -> int | None:
        """Around which token distances are on this plane, else the selected one."""
        if self.request.token_id is not None:
            return self.request.token_id
        return selection.token.token_id if selection.token is not None else None

    def take_points(self, request: PlacePoints, found: MapPoints) -> None:
        """What is put on the map for its subject."""
        self._asked, self.around = request, found

    def keep_points(self, other: Made) -> None:
        """The same of another reading of this map."""
        self._asked, self.around = other._asked, other.around

    def nearest_to(self, token_id: int, without: set[int], window: Window, columns: int, rows: int) -> int | None:
        """The token nearest to another one on the screen that is not among `without`."""
        place = self.place(token_id)
        if place is None:
            return None
        left, right, bottom, top = window
        across, up = columns / (right - left), rows * CELL / (top - bottom)
        x, y = (self.x.astype(np.float64) - place[0]) * across, (self.y.astype(np.float64) - place[1]) * up
        apart = x**2 + y**2
        apart[list(without)] = np.nan
        return None if np.isnan(apart).all() else int(np.nanargmin(apart))

    def view_request(self, selection: Selection, window: Window) -> ViewMap:
        """The request of the view through `window`, with what is selected named."""
        own, asked = self.subject_of(selection), self._asked
        is_around = asked is not None and asked.token_id == own
        return self.request.of_same_map(
            ViewMap,
            token_id=own,
            neighbours=asked.neighbours if asked is not None and is_around else 0,
            centroid=asked is not None and asked.centroid,
            twin_in=asked.twin_in if asked is not None and is_around else "",
            window=window,
            marked=tuple(sorted(selection.marked))[:MOST_MARKED],
            suspects=SUSPECTS,
            references=REFERENCES,
            regions=True,
        )


def make_scene(made: Made, selection: Selection) -> Scene:
    """The whole map with the tokens named that the selection and the indicators name."""
    found = made.found
    request = made.view_request(selection, made.whole)
    return Scene(
        model=found.model,
        cloud=made.cloud,
        window=made.whole,
        x_axis=found.x_axis,
        y_axis=found.y_axis,
        points=tuple(made.named_points(request)),
        vectors=made.vectors_for(request),
        regions=made.regions.name,
        colour=found.colour,
        colour_edges=made.edges,
        left_out=found.left_out,
        quality=found.quality,
        notes=found.notes,
    )


def recorded_scene(view: MapView) -> Scene:
    """What a session holds of a map."""
    return Scene(
        model=view.model,
        cloud=recorded_cloud(view),
        window=view.window,
        x_axis=view.x_axis,
        y_axis=view.y_axis,
        points=view.points,
        vectors=view.vectors,
        regions=lambda window: view.regions,
        colour=view.colour,
        colour_edges=view.colour_edges,
        left_out=view.left_out,
        quality=view.quality,
        notes=view.notes,
        total=view.total,
        outside=view.total - view.in_view,
        is_recorded=True,
    )


def axis_columns(made: Made) -> dict[str, AddedColumn]:
    """The axes that are no indicators, as columns of the token table, so that a filter can name them."""
    axes = ((made.found.x_axis, made.x), (made.found.y_axis, made.y))
    return {axis.name: _added(numbers, axis.name) for axis, numbers in axes if axis.name not in made.columns.indicators}


def colour_column(made: Made) -> dict[str, AddedColumn]:
    """The colour as a column of the token table, where it is no indicator."""
    name = made.found.colour
    if not name or name in made.columns.indicators:
        return {}
    return {name: _added(made.values, name)}


def _added(numbers: Column, name: str) -> AddedColumn:
    return AddedColumn(numbers, partial(_cell, numbers, NumberFormat.of(numbers)), name)


def _cell(numbers: Column, written: NumberFormat, token_id: int) -> str:
    value = float(numbers[token_id])
    return "" if np.isnan(value) else written.show(value).strip()
