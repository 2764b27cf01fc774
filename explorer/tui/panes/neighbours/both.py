"""The neighbours of a token in two models, one beside the other in each row; pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from textual.content import Content

from explorer.base.numbers import even_decimals
from explorer.base.records.neighbours import Neighbour, Neighbourhood, NeighbourThere
from explorer.base.text import visible
from explorer.specs.blocks import token_text
from explorer.specs.neighbours_there import KEPT, marks_here, marks_there
from explorer.tui.panes.neighbours.view import DISTANCE_TITLES, list_rows
from explorer.tui.widgets.cutting import cut, padded

_RANK, _MARK, _GAP = 4, 2, 3
_LEAST, _MOST = 6, 32
"""Cells of a token."""


def rows_of(record: Neighbourhood, colour: str, width: int) -> tuple[Content, list[Content]]:
    """Header and a row a neighbour; where there is another model, its neighbours at the right."""
    there = record.there
    if there is None or there.token is None:
        return list_rows(record, colour, width)
    ours, theirs = _distances(record.neighbours), _distances(there.neighbours)
    room = max(8, *map(len, (*ours, *theirs)))
    token_room = max(_LEAST, min(_MOST, (width - _RANK - _GAP - 2 * (room + _MARK)) // 2))
    side = token_room + room
    title = DISTANCE_TITLES[record.metric]
    names = (padded(cut(visible(name), token_room), token_room) for name in (record.model, there.model))
    heads = [f"{'':{_MARK}}{name}{title:>{room}}" for name in names]
    rows = [
        Content.assemble((f"{place:>3} ", "$foreground-muted"), *here, " " * _GAP, *other)
        for place, (here, other) in enumerate(
            zip_longest(
                _cells(record.neighbours, marks_here(record), ours, token_room, room),
                _cells(there.neighbours, marks_there(record), theirs, token_room, room),
                fillvalue=(" " * (_MARK + side),),
            ),
            start=1,
        )
    ]
    return Content(f"{'#':>3} {heads[0]}{'':{_GAP}}{heads[1]}"), rows


def _distances(entries: Sequence[Neighbour | NeighbourThere]) -> list[str]:
    return even_decimals([entry.distance for entry in entries])


def _cells(
    entries: Sequence[Neighbour | NeighbourThere],
    marks: Sequence[str],
    distances: Sequence[str],
    token_room: int,
    room: int,
) -> list[tuple[tuple[str, str] | str, ...]]:
    """The mark, the token and the distance of each; a token of both models in the accent's colour."""
    return [
        (
            (mark.ljust(_MARK), "$accent"),
            (padded(token_text(entry.token), token_room), "bold $accent" if mark == KEPT else "bold"),
            distance.rjust(room),
        )
        for entry, mark, distance in zip(entries, marks, distances, strict=True)
    ]
