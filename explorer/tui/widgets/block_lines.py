"""Blocks as lines of a pane: what the command line and a report say, at any width. No widget in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from rich.cells import cell_len
from textual.content import Content

from explorer.base.numbers import align_decimals
from explorer.specs.blocks import Block, Plot, Quote, Table, Words
from explorer.specs.charts import Chart
from explorer.tui.widgets.cutting import cut, cut_numbers, padded
from explorer.tui.widgets.selecting import BAR

_MUTED = "$foreground-muted"
_GAP = 2
_LEAST = 6
"""Cells that a column keeps however narrow the pane is."""


def block_lines(blocks: Iterable[Block], width: int) -> list[Content]:
    """Every block in turn, an empty line between two, at most `width` cells wide; plots are left to their widget."""
    lines: list[Content] = []
    for block in blocks:
        if isinstance(block, Plot | Chart):
            continue
        lines += [Content("")] if lines else []
        lines += _lines_of(block, width)
    return lines


def _lines_of(block: Words | Quote | Table, width: int) -> Iterator[Content]:
    match block:
        case Words(text=text, warns=warns):
            style = "$warning" if warns else "$foreground"
            yield from (Content.styled(line, style) for line in _wrap(text, width))
        case Quote(text=text):
            yield from (Content.styled(f"{BAR}{line}", _MUTED) for line in _wrap(text, width - 2))
        case Table():
            yield from _table_lines(block, width)


def _wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken between words where that is possible."""
    return [line.plain for line in Content(text).wrap(max(1, width))]


def _table_lines(table: Table, width: int) -> Iterator[Content]:
    if table.title:
        yield from (Content.styled(line, "bold") for line in _wrap(table.title, width))
    header, rows = table_rows(table, width)
    yield header.stylize(f"{_MUTED} bold")
    yield from rows


def table_rows(table: Table, width: int) -> tuple[Content, list[Content]]:
    """The heading without a style, and the rows, each a line of at most `width` cells."""
    table = _aligned(table)
    rooms = column_widths(table, width)
    rows = [
        Content.styled(_row_text(table, row, rooms), "bold" if place in table.strong else "")
        for place, row in enumerate(table.rows)
    ]
    heads = [cut(head, room) for head, room in zip(table.heads, rooms, strict=True)]
    return Content(_row_text(table, heads, rooms)), rows


def _aligned(table: Table) -> Table:
    """With the points of its numbers below one another."""
    if not table.rows:
        return table
    columns = [
        align_decimals(column) if head in table.right else column
        for head, column in zip(table.heads, zip(*table.rows, strict=True), strict=True)
    ]
    return msgspec.structs.replace(table, rows=tuple(zip(*columns, strict=True)))


def without(table: Table, heads: Sequence[str], width: int) -> Table:
    """`table` without as many of the columns `heads`, in their order, as it takes for all others to fit in `width`."""
    for head in heads:
        if sum(_whole_widths(table)) + _GAP * (len(table.heads) - 1) <= width:
            break
        if head in table.heads:
            place = table.heads.index(head)
            rows = tuple(row[:place] + row[place + 1 :] for row in table.rows)
            table = msgspec.structs.replace(table, heads=table.heads[:place] + table.heads[place + 1 :], rows=rows)
    return table


def _whole_widths(table: Table) -> list[int]:
    return [max(map(cell_len, (head, *(row[place] for row in table.rows)))) for place, head in enumerate(table.heads)]


def column_widths(table: Table, width: int) -> list[int]:
    """Cells for each column: what its widest cell takes, the widest columns cut until all fit in `width`. Where it is
    enough to cut words, and the headings of numbers, every number is whole."""
    whole = _whole_widths(table)
    room = max(0, width - _GAP * (len(whole) - 1))
    bodies = _whole_widths(msgspec.structs.replace(table, heads=("",) * len(whole)))
    least = [body if head in table.right else _LEAST for head, body in zip(table.heads, bodies, strict=True)]
    rooms = _narrowed(whole, least, room)
    return rooms if sum(rooms) <= room else _narrowed(whole, [_LEAST] * len(whole), room)


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """`widths` with the widest ones cut, none below its `least`, until their sum is at most `room`."""
    rooms = list(widths)
    while sum(rooms) > room and (above := [place for place, cells in enumerate(rooms) if cells > least[place]]):
        rooms[max(above, key=rooms.__getitem__)] -= 1
    return rooms


def _row_text(table: Table, cells: Sequence[str], rooms: Sequence[int]) -> str:
    shown = [
        _cell(cell, room, is_right=head in table.right)
        for cell, room, head in zip(cells, rooms, table.heads, strict=True)
    ]
    return (" " * _GAP).join(shown).rstrip()


def _cell(text: str, room: int, *, is_right: bool) -> str:
    """`text` in exactly `room` cells; with `…` where it does not fit, and a number never cut through the middle."""
    if not is_right:
        return padded(text, room)
    shown = cut_numbers(text, room)
    return " " * (room - cell_len(shown)) + shown
