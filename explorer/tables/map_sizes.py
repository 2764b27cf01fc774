"""How much of a session a view may take: its cells give way to names, and the least important names to its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from explorer.base.records.maps import MOST_PACKED, MapCells, MapPoint, MapView
from explorer.base.records.plain import dump_json

MOST_VIEW = 18_000
"""Bytes of a view as JSON; with what was asked, a step of a session then stays below 20,000."""
LEAST_PACKED = 3_000
"""Bytes that are left for the cells, however many tokens are to be named."""
NO_CELLS = MapCells(columns=1, rows=1, packed=b"")


def fit_view(bare: MapView, points: Iterable[MapPoint], pack: Callable[[int], MapCells]) -> MapView:
    """`bare`, which has no points and `NO_CELLS`, with as many of `points`, the most important first, and as small
    cells as there is room for. `pack` makes cells of at most so many bytes."""
    every = list(points)
    room = MOST_VIEW - len(dump_json(bare))
    named = tuple(_fitting(every, room - LEAST_PACKED * 4 // 3))
    left = room - sum(map(_size_of, named))
    cells = pack(min(MOST_PACKED, left * 3 // 4))
    return msgspec.structs.replace(bare, points=named, unnamed=len(every) - len(named), cells=cells)


def _fitting(points: Iterable[MapPoint], room: int) -> Iterator[MapPoint]:
    for point in points:
        if (size := _size_of(point)) <= room:
            room -= size
            yield point


def _size_of(point: MapPoint) -> int:
    return len(dump_json(point)) + 1
