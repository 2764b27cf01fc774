"""Where the names of a map's regions go: dim, and only where no named token and no label is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len

from explorer.base.records.map_regions import MapRegion
from explorer.base.records.maps import Window
from explorer.specs.map_words import region_words
from explorer.tui.panes.map.windows import Cell, cell_of
from explorer.tui.widgets.labels import Placement
from explorer.tui.widgets.plot import Label, Rgb

_ROWS_AWAY = (0, 1, -1, 2, -2)


def label_regions(
    regions: Iterable[MapRegion],
    window: Window,
    screen: tuple[int, int],
    cells: Sequence[Cell],
    placed: Sequence[Placement],
    colour: Rgb,
) -> tuple[Label, ...]:
    """The names that have room on a screen of so many columns and rows, beside the glyphs in `cells` and the labels
    `placed`; the first regions first."""
    columns, rows = screen
    taken = {
        *cells,
        *((column, each.row) for each in placed for column in range(each.column, each.column + each.width)),
    }
    labels = []
    for region in regions:
        cell = cell_of(region.x, region.y, window, columns, rows)
        if cell is None:
            continue
        text = f" {region_words(region)} "  # blanks, so that it is read amid dots without colours too
        found = next(_free_places(cell, cell_len(text), screen, taken), None)
        if found is not None:
            labels.append(Label(*found, text, colour))
            taken |= {(found[0] + across, found[1]) for across in range(cell_len(text))}
    return tuple(labels)


def _free_places(cell: Cell, width: int, screen: tuple[int, int], taken: set[Cell]) -> Iterator[Cell]:
    """Where a text of that width would be amid the cell, or some rows away, without touching what is there."""
    columns, rows = screen
    start = max(0, min(columns - width, cell[0] - width // 2))
    if width > columns:
        return
    for away in _ROWS_AWAY:
        row = cell[1] + away
        if 0 <= row < rows and not any((column, row) in taken for column in range(start - 1, start + width + 1)):
            yield start, row
