"""Windows of a map: fit, zoom, pan, and from cells of the screen to the plane and back. Pure; no NumPy."""

from __future__ import annotations

import math

from explorer.base.records.maps import MapAxis, Window
from explorer.base.ticks import axis_ticks, tick_texts

CELL = 2.0
"""How much higher a cell of the screen is than wide."""
DIGITS = 4
"""Significant digits of a box's edges."""
_TICK_ROOM = 12
"""Cells along x for each number."""
_TICK_ROWS = 4

Cell = tuple[int, int]
"""Column and row, (0, 0) the upper left one."""


def fit_round(window: Window, columns: int, rows: int) -> Window:
    """`window`, made wider or higher so that a unit is as long on the screen along x as along y."""
    left, right, bottom, top = window
    across, up = right - left, top - bottom
    unit = max(across / columns, up / (rows * CELL))
    more_x, more_y = (unit * columns - across) / 2, (unit * rows * CELL - up) / 2
    return left - more_x, right + more_x, bottom - more_y, top + more_y


def zoom_window(window: Window, factor: float, x: float, y: float) -> Window:
    """`window` scaled by `factor` (below 1: closer) around a point, which stays where it is on the screen.

    The same window where floats could not tell its edges apart any more, or would overflow.
    """
    left, right, bottom, top = window
    zoomed = (x - (x - left) * factor, x + (right - x) * factor, y - (y - bottom) * factor, y + (top - y) * factor)
    return zoomed if _is_usable(zoomed) else window


def pan_window(window: Window, across: float, up: float) -> Window:
    """`window` moved by these shares of its width and height."""
    left, right, bottom, top = window
    x, y = across * (right - left), up * (top - bottom)
    moved = (left + x, right + x, bottom + y, top + y)
    return moved if _is_usable(moved) else window


def _is_usable(window: Window) -> bool:
    """Whether single-precision numbers tell places in the window apart."""
    left, right, bottom, top = window
    largest_x, largest_y = max(abs(left), abs(right)), max(abs(bottom), abs(top))
    return (
        max(largest_x, largest_y) < 1e30
        and right - left > 1e-5 * largest_x + 1e-30
        and top - bottom > 1e-5 * largest_y + 1e-30
    )


def cell_of(x: float, y: float, window: Window, columns: int, rows: int) -> Cell | None:
    """The cell in which a place of the plane is; None outside the window."""
    left, right, bottom, top = window
    if not (left <= x <= right and bottom <= y <= top):
        return None
    column, row = int((x - left) / (right - left) * columns), int((top - y) / (top - bottom) * rows)
    return min(columns - 1, column), min(rows - 1, row)


def place_of(column: float, row: float, window: Window, columns: int, rows: int) -> tuple[float, float]:
    """The place of the plane in the middle of a cell."""
    left, right, bottom, top = window
    return (
        left + (column + 0.5) / columns * (right - left),
        top - (row + 0.5) / rows * (top - bottom),
    )


def window_of_cells(one: Cell, other: Cell, window: Window, columns: int, rows: int) -> Window:
    """The part of the window under a rectangle of cells, both corners included, with edges as a filter writes them."""
    left, right, bottom, top = window
    first, last = sorted((one[0], other[0]))
    upper, lower = sorted((one[1], other[1]))
    return round_window((
        left + first / columns * (right - left),
        left + (last + 1) / columns * (right - left),
        top - (lower + 1) / rows * (top - bottom),
        top - upper / rows * (top - bottom),
    ))  # fmt: skip


def round_window(window: Window) -> Window:
    """Edges with `DIGITS` significant digits, or as many more as a narrow window needs; never an empty window."""
    left, right, bottom, top = window
    x, y = _round_span(left, right), _round_span(bottom, top)
    return x[0], x[1], y[0], y[1]


def _round_span(low: float, high: float) -> tuple[float, float]:
    digits = DIGITS - 1 - math.floor(math.log10(max(high - low, 1e-300)))
    rounded = round(low, digits), round(high, digits)
    return rounded if rounded[0] < rounded[1] else (low, high)


def box_filter(box: Window, x_axis: MapAxis, y_axis: MapAxis) -> str:
    """The filter of the token table that lets through the tokens in a box, edges included, with the same numbers; an
    infinite side is not named."""
    left, right, bottom, top = box
    edges = ((x_axis, left, right), (y_axis, bottom, top))
    terms = [(axis, sign, edge) for axis, *ends in edges for sign, edge in zip((">=", "<="), ends, strict=True)]
    return " ".join(f"{axis.name}{sign}{edge!r}" for axis, sign, edge in terms if math.isfinite(edge))


def x_ticks(window: Window, columns: int, end: str = "") -> str:
    """The line below a map: round numbers, each centred under its place, and `end` last; `columns` cells wide."""
    left, right, _, _ = window
    line = list(f"{end:>{columns}}")
    ticks = axis_ticks(left, right, max(2, columns // _TICK_ROOM))
    for tick, text in zip(ticks, tick_texts(ticks), strict=True):
        middle = int((tick - left) / (right - left) * columns)
        start = max(0, min(columns - len(text), middle - len(text) // 2))
        if all(cell == " " for cell in line[max(0, start - 1) : start + len(text) + 1]):
            line[start : start + len(text)] = text
    return "".join(line)[:columns]


def y_ticks(window: Window, rows: int) -> dict[int, str]:
    """The numbers beside a map, by row."""
    _, _, bottom, top = window
    ticks = axis_ticks(bottom, top, max(2, rows // _TICK_ROWS))
    places = (min(rows - 1, int((top - tick) / (top - bottom) * rows)) for tick in ticks)
    return dict(zip(places, tick_texts(ticks), strict=True))
