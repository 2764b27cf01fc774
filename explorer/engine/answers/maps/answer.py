"""A whole vocabulary on a plane, and views of it."""

from __future__ import annotations

import hashlib

import numpy as np

from explorer.base.records.maps import MapPoints, MapView, PlacePoints, PointsRequest, ReadMap, ViewMap, VocabularyMap
from explorer.base.records.record import Array
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.maps.axes import Column
from explorer.engine.answers.maps.colours import classes_of, numbers_of
from explorer.engine.answers.maps.kept import Telling
from explorer.engine.answers.maps.pairs import place_pair
from explorer.engine.answers.maps.planes import place_tokens, proposed_plane
from explorer.engine.answers.maps.points import find_points
from explorer.engine.answers.maps.source import Source, read_source
from explorer.engine.control import Control
from explorer.engine.models.abilities import weights_of
from explorer.engine.queue import Work, until_cancelled
from explorer.tables.maps import PlacedMap


def answer_read(engine: Holdings, request: ReadMap, control: Control) -> Work:
    """The whole map. Raises `UsageError` for a plane, axis or token that there is not."""
    return (yield from until_cancelled(find_map(engine, request), control))


def answer_view(engine: Holdings, request: ViewMap, control: Control) -> Work:
    """A view of the map. Raises `UsageError` likewise."""
    return (yield from until_cancelled(_find_view(engine, request), control))


def answer_points(engine: Holdings, request: PlacePoints, control: Control) -> Work:
    """What is put on the map for its subject. Raises `UsageError` likewise."""
    return (yield from until_cancelled(_find_both(engine, request), control))


def _find_both(engine: Holdings, request: PlacePoints) -> Telling[MapPoints]:
    found = yield from find_map(engine, request.of_same_map(ReadMap))
    return (yield from _find_points(engine, request, found))


def _find_points(engine: Holdings, request: PointsRequest, found: VocabularyMap) -> Telling[MapPoints]:
    source = yield from read_source(engine, request.model, found.space, request.unused_ids)
    other = (yield from read_source(engine, request.twin_in, found.space)) if request.twin_in else None
    return (yield from find_points(source, found, request, other))


def _find_view(engine: Holdings, request: ViewMap) -> Telling[MapView]:
    read = yield from engine.vocabularies.read(engine.models.get(request.model), request.unused_ids)
    colour = request.colour or read.sent.default_indicator
    found = yield from find_map(engine, request.of_same_map(ReadMap, colour=colour))
    points = yield from _find_points(engine, request, found)
    return PlacedMap(found, read.columns, points).view(request)


def find_map(engine: Holdings, request: ReadMap) -> Telling[VocabularyMap]:
    """The whole map. Raises `UsageError` for a plane, axis or token that there is not."""
    model = weights_of(engine.models.get(request.model))
    read = yield from engine.vocabularies.read(model, request.unused_ids)
    plane = request.plane or (read.sent.default_indicator if request.other else proposed_plane(read))
    space = "output" if plane == "reference" else request.space
    source = Source(model, read, space, engine.maps)
    quality = twins = None
    if request.other:
        other = yield from read_source(engine, request.other, source.space)
        pair = yield from place_pair(source, other, plane)
        x_axis, y_axis, x, y, twins = pair.x_axis, pair.y_axis, pair.x, pair.y, Array.of(pair.twins)
    else:
        x_axis, y_axis, x, y, quality = yield from place_tokens(source, plane, request)
    x, y = _only_counted(source, x, y)
    values = yield from numbers_of(source, request.colour)
    classes = yield from classes_of(source, engine.unembeddings, request, x, y)
    return VocabularyMap(
        model=model.info.name,
        plane=plane,
        space=space,
        x=Array.of(x),
        y=Array.of(y),
        x_axis=x_axis,
        y_axis=y_axis,
        digest=_digest(x, y),
        left_out=int(np.isnan(x).sum()),
        quality=quality,
        colour=request.colour,
        values=None if values is None else Array.of(values),
        classes=None if classes is None else classes.counted(np.isfinite(x)),
        class_of=None if classes is None else Array.of(classes.codes),
        twins=twins,
        notes=read.sent.notes,
    )


def _only_counted(source: Source, x: Column, y: Column) -> tuple[Column, Column]:
    """The places of the tokens that count and have a number on both axes; NaN for the others."""
    placed = source.counted.numpy() & np.isfinite(x) & np.isfinite(y)
    nowhere = np.float32(np.nan)
    return np.where(placed, x, nowhere), np.where(placed, y, nowhere)


def _digest(x: Column, y: Column) -> str:
    content = hashlib.sha256(x.astype("<f4").tobytes())
    content.update(y.astype("<f4").tobytes())
    return content.hexdigest()[:32]
