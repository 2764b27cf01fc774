"""Where the cross of a map is, and what is selected with it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from explorer.base.records.maps import Window
from explorer.tui.panes.map.windows import Cell, cell_of, place_of, window_of_cells

Shape = Literal["box", "right", "left"]
"""Of a selection: from corner to corner, or all tokens on one side of an upright line."""
_NEXT: dict[Shape | None, Shape] = {None: "box", "box": "right", "right": "left", "left": "box"}


@dataclass(frozen=True)
class Aim:
    """A cross, and a selection that grows as it moves."""

    cross: Cell = (0, 0)
    place: tuple[float, float] | None = None
    """Where on the plane the cross was put, finer than its cell; None: it was moved from cell to cell."""
    shape: Shape | None = None
    """None: nothing is selected."""
    corner: Cell = (0, 0)
    """Where the box began."""
    screen: Cell = (1, 1)
    """Cells across and down that the cells here are of."""

    @classmethod
    def middle(cls, columns: int, rows: int) -> Aim:
        """With the cross in the middle of a screen of that size."""
        return cls((columns // 2, rows // 2), screen=(columns, rows))

    def at(self, cell: Cell) -> Aim:
        """The same with the cross in another cell."""
        return replace(self, cross=cell, place=None)

    def select(self) -> Aim:
        """Begin a box at the cross; again: the right side of a line; again: its left side."""
        return replace(self, shape=_NEXT[self.shape], corner=self.cross if self.shape is None else self.corner)

    def dragged(self, cell: Cell) -> Aim:
        """A box from where the mouse button went down to this cell; the same where it is still there."""
        if cell == self.cross:
            return self
        return replace(self.at(cell), shape="box", corner=self.corner if self.shape == "box" else self.cross)

    def dropped(self) -> Aim:
        """The same without a selection."""
        return replace(self, shape=None)

    def inside(self, columns: int, rows: int) -> Aim:
        """The same on a screen of that size."""
        return replace(self, cross=_within(self.cross, columns, rows), corner=_within(self.corner, columns, rows))

    def resized(self, window: Window, columns: int, rows: int) -> Aim:
        """The same places of the plane in the cells of a screen of another size."""
        place = self.place or place_of(*self.cross, window, *self.screen)
        cross = cell_of(*place, window, columns, rows) or self.cross
        corner = cell_of(*place_of(*self.corner, window, *self.screen), window, columns, rows) or self.corner
        return replace(self, cross=cross, place=place, corner=corner, screen=(columns, rows)).inside(columns, rows)

    def selected(self, window: Window, columns: int, rows: int) -> Window | None:
        """The part of the plane that is selected; a side without an edge is infinite."""
        if self.shape is None:
            return None
        if self.shape == "box":
            return window_of_cells(self.corner, self.cross, window, columns, rows)
        line = float(f"{place_of(*self.cross, window, columns, rows)[0]:.6g}")
        left, right = (line, math.inf) if self.shape == "right" else (-math.inf, line)
        return left, right, -math.inf, math.inf

    def cells_of_row(self, row: int, columns: int) -> tuple[int, int] | None:
        """The first and the last selected cell of a row; None where none is."""
        column = self.cross[0]
        if self.shape in ("right", "left"):
            return (column, columns - 1) if self.shape == "right" else (0, column)
        upper, lower = sorted((self.corner[1], self.cross[1]))
        first, last = sorted((self.corner[0], column))
        return (first, last) if self.shape == "box" and upper <= row <= lower else None


def _within(cell: Cell, columns: int, rows: int) -> Cell:
    return max(0, min(columns - 1, cell[0])), max(0, min(rows - 1, cell[1]))
