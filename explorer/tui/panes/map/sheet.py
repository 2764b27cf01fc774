"""A sheet of cells that plots are written on, and its lines as strips. The widget knows the colours of the inks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from explorer.tui.panes.map.raster import ACROSS, BLANK, DOWN, patterns_of

Ink = Literal["plain", "muted", "strong", "line", "called", "weak"]


@dataclass(frozen=True)
class Box:
    """Cells of a sheet."""

    left: int
    top: int
    columns: int
    rows: int

    def inner(self, *, left: int = 0, top: int = 0, bottom: int = 0) -> Box:
        """The box without so many cells at its sides."""
        return Box(self.left + left, self.top + top, max(0, self.columns - left), max(0, self.rows - top - bottom))

    def row(self, row: int) -> Box:
        """One of its rows; a negative one from the bottom."""
        return Box(self.left, self.top + (row if row >= 0 else self.rows + row), self.columns, 1)


class Sheet:
    """`columns` x `rows` cells of one character each."""

    def __init__(self, columns: int, rows: int) -> None:
        self.whole = Box(0, 0, columns, rows)
        self._cells = [[" "] * columns for _ in range(rows)]
        self._inks: list[list[Ink]] = [["plain"] * columns for _ in range(rows)]

    def write(self, box: Box, text: str, ink: Ink = "plain", *, column: int = 0, row: int = 0) -> None:
        """Write narrow characters from a cell of `box` on, as many as are in it; none outside of it."""
        if not 0 <= row < box.rows or not 0 <= box.top + row < self.whole.rows:
            return
        first = max(0, column, -box.left)
        end = min(box.columns, column + len(text), self.whole.columns - box.left)
        if first < end:
            here = slice(box.left + first, box.left + end)
            self._cells[box.top + row][here] = text[first - column : end - column]
            self._inks[box.top + row][here] = [ink] * (end - first)

    def put(self, box: Box, column: int, row: int, glyph: str, ink: Ink = "plain", *, over: str = "") -> None:
        """One glyph in a cell of `box`; with `over`, only where one of these stands."""
        is_inside = 0 <= column < box.columns and 0 <= row < box.rows
        if is_inside and (not over or self._cells[box.top + row][box.left + column] in over):
            self.write(box, glyph, ink, column=column, row=row)

    def scatter(self, box: Box, places: Iterable[tuple[int, int]], glyph: str, ink: Ink = "plain") -> None:
        """One glyph in many cells, column and row, of a box inside the sheet: a third of the time of `put`."""
        for column, row in places:
            self._cells[box.top + row][box.left + column] = glyph
            self._inks[box.top + row][box.left + column] = ink

    def braille(self, box: Box, lit: npt.NDArray[np.bool_], ink: Ink = "plain") -> None:
        """Dots [4 · rows, 2 · columns] where `lit`, in a box inside the sheet; what stands in other cells stays."""
        patterns = patterns_of(lit.reshape(box.rows, DOWN, box.columns, ACROSS))
        for row, found in enumerate(patterns.tolist()):
            cells, inks = self._cells[box.top + row], self._inks[box.top + row]
            for column, pattern in enumerate(found, box.left):
                if pattern:
                    cells[column], inks[column] = chr(BLANK + pattern), ink

    def strip(self, row: int, styles: Mapping[Ink, Style]) -> Strip:
        """A row in the colours of `styles`."""
        if not 0 <= row < self.whole.rows:
            return Strip.blank(self.whole.columns, styles["plain"])
        text, first, segments = "".join(self._cells[row]), 0, []
        for ink, run in groupby(self._inks[row]):
            end = first + sum(1 for _ in run)
            segments.append(Segment(text[first:end], styles[ink]))
            first = end
        return Strip(segments, self.whole.columns)

    def text(self) -> list[str]:
        """Every row without colours."""
        return ["".join(row) for row in self._cells]
