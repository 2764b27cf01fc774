"""ROC and precision-recall curves with the point of the line, and how sure it is, on a sheet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from explorer.tables.agreement import Curve
from explorer.tables.thresholds import Share
from explorer.tui.panes.map.plot_histogram import GUTTER, POINT
from explorer.tui.panes.map.raster import ACROSS, DOWN
from explorer.tui.panes.map.sheet import Box, Sheet
from explorer.tui.panes.map.windows import x_ticks, y_ticks

_UNIT = (0.0, 1.0, 0.0, 1.0)


def draw_curve(sheet: Sheet, box: Box, curve: Curve, at: tuple[Share, Share] | None, *, chance: bool) -> None:
    """A curve in the unit square; `at`: x and y of the line's point, drawn with their Wilson intervals. `chance`: with
    the diagonal of a guess."""
    area = box.inner(left=GUTTER, bottom=1)
    if area.columns < 2 or area.rows < 2:
        return
    if chance:
        steps = np.linspace(0, 1, area.columns)
        for column, row in zip(*_cells(steps, steps, area.columns, area.rows), strict=True):
            sheet.put(area, int(column), int(row), "·", "muted")
    sheet.braille(area, _dots(curve, area))
    if at is not None:
        _draw_point(sheet, area, *at)
    for row, text in y_ticks(_UNIT, area.rows).items():
        sheet.write(box, text.rjust(GUTTER - 1), "muted", row=row)
    sheet.write(box, x_ticks(_UNIT, area.columns), "muted", column=GUTTER, row=box.rows - 1)


def _dots(curve: Curve, area: Box) -> npt.NDArray[np.bool_]:
    """The curve as dots, [4 · rows, 2 · columns]."""
    across, down = area.columns * ACROSS, area.rows * DOWN
    column, row = _cells(*curve.along(8 * (across + down)), across, down)
    lit = np.zeros((down, across), dtype=np.bool_)
    lit[row, column] = True
    return lit


def _cells(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], columns: int, rows: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    column = np.clip((x * columns).astype(np.int64), 0, columns - 1)
    return column, np.clip(((1 - y) * rows).astype(np.int64), 0, rows - 1)


def _draw_point(sheet: Sheet, area: Box, x: Share, y: Share) -> None:
    """▲ with a bar through it along each axis, as long as its interval; nothing where there is no share."""
    if x.value is None or y.value is None:
        return
    ends = np.array([x.value, *x.interval]), np.array([y.value, *y.interval])
    columns, rows = _cells(*ends, area.columns, area.rows)
    column, row = int(columns[0]), int(rows[0])
    sheet.write(area, "─" * (int(columns[2] - columns[1]) + 1), "line", column=int(columns[1]), row=row)
    for place in range(int(rows[2]), int(rows[1]) + 1):
        sheet.put(area, column, place, "│", "line")
    sheet.put(area, column, row, POINT, "line")
