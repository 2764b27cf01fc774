"""A cloud of tokens as braille: dots where tokens are, dithered where they are dense, coloured by their mean rank.

Pure, for a worker thread: 262,144 tokens take about 8 ms at 118 x 34 cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip

from explorer.base.records.maps import COLOUR_STEPS, NO_COLOUR, MapView, Window
from explorer.tables.map_cells import Cells, Cloud, unpack_cells, unpack_classes
from explorer.tui.widgets.plot import Label, Palette, Point, Rgb

Number = TypeVar("Number", np.int64, np.float64)
Added = TypeVar("Added", np.int64, np.float64, np.uint8)

ACROSS, DOWN = 2, 4
"""Dots of a cell."""
EMPTY = -1
"""Colour of a cell in which no token is."""
BLANK = 0x2800
"""The braille pattern without a dot."""
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
_CROWDED = 0.55
"""Share of the dots of occupied cells from which on density is dithered: the picture would be one block."""
_DENSEST = 0.98
"""Quantile of the occupied dots' log counts from which on a dot is always lit."""
_BAYER = np.array(
    [
        [0, 32, 8, 40, 2, 34, 10, 42], [48, 16, 56, 24, 50, 18, 58, 26],
        [12, 44, 4, 36, 14, 46, 6, 38], [60, 28, 52, 20, 62, 30, 54, 22],
        [3, 35, 11, 43, 1, 33, 9, 41], [51, 19, 59, 27, 49, 17, 57, 25],
        [15, 47, 7, 39, 13, 45, 5, 37], [63, 31, 55, 23, 61, 29, 53, 21],
    ],
    dtype=np.float32,
)  # fmt: skip
"""Thresholds of an ordered dither, 0 to 63."""


@dataclass(frozen=True)
class Raster:
    """What stands in each cell of a screen, the top row first."""

    dots: npt.NDArray[np.uint8]
    """[rows, columns], the lit dots as a braille pattern's lower byte; at least one wherever a token is."""
    colours: npt.NDArray[np.int8]
    """[rows, columns], 0 to 6: mean percentile rank of the tokens in sevenths, or a class; `NO_COLOUR`; `EMPTY`."""
    counts: npt.NDArray[np.int64]
    """[rows, columns], tokens in the cell."""
    is_dithered: bool
    """Whether dots stand for density, and not each for one or more tokens."""
    is_classed: bool = False
    """Whether the colours are classes."""

    def inks(self, palette: Palette) -> tuple[Rgb, ...]:
        """By colour: the ramp's or the classes', then that of what has no number, or of the ground."""
        return (*palette.classes, palette.muted) if self.is_classed else (*palette.ramp, palette.foreground)


def raster(cloud: Cloud, window: Window, columns: int, rows: int) -> Raster:
    """The part of the cloud in `window`, on `columns` x `rows` cells."""
    found = cloud.cells(window, columns * ACROSS, rows * DOWN)
    counts: npt.NDArray[np.int64] = _of_cells(found.counts, rows, columns)
    colours = np.where(counts == 0, EMPTY, _colours(cloud, found, window, rows, columns)).astype(np.int8)
    lit = found.counts > 0
    crowded = lit.sum() > _CROWDED * ACROSS * DOWN * max(1, (counts > 0).sum())
    if crowded:
        lit = _dithered(found.counts, counts, rows, columns)
    patterns = patterns_of(lit.reshape(rows, DOWN, columns, ACROSS))
    return Raster(patterns, colours, counts, bool(crowded), cloud.classes is not None)


def _colours(cloud: Cloud, dots: Cells, window: Window, rows: int, columns: int) -> npt.NDArray[np.generic]:
    """The class of each cell, or the step of its tokens' mean rank."""
    if cloud.classes is not None:
        return cloud.class_cells(window, columns, rows)
    ranked = np.where(np.isnan(dots.ranks), 0, dots.counts)
    known = _of_cells(ranked, rows, columns)
    sums = _of_cells(ranked * np.nan_to_num(dots.ranks), rows, columns)
    steps = np.minimum(COLOUR_STEPS - 1, sums / np.maximum(known, 1) * COLOUR_STEPS).astype(np.int8)
    return np.where(known == 0, NO_COLOUR, steps)


def patterns_of(lit: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """The braille patterns' lower bytes [rows, columns] of dots that are lit, [rows, DOWN, columns, ACROSS]."""
    return _added(lit * _DOTS[None, :, None, :])


def _of_cells(dots: npt.NDArray[Number], rows: int, columns: int) -> npt.NDArray[Number]:
    """Sums of the dots of each cell."""
    return _added(dots.reshape(rows, DOWN, columns, ACROSS))


def _added(dots: npt.NDArray[Added]) -> npt.NDArray[Added]:
    """[rows, columns] sums of [rows, DOWN, columns, ACROSS]; slice by slice takes a fifth of the time of `sum`."""
    slices = (dots[:, down, :, across] for down in range(DOWN) for across in range(ACROSS))
    found: npt.NDArray[Added] = reduce(np.add, slices)
    return found


def _dithered(
    dots: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], rows: int, columns: int
) -> npt.NDArray[np.bool_]:
    """Which dots are lit: the more, the denser; in each occupied cell at least the fullest one."""
    dense = np.log1p(dots.astype(np.float32))
    most = np.quantile(dense[dots > 0], _DENSEST)
    height, width = dots.shape
    thresholds = np.tile((_BAYER + 0.5) / 64 * most, (height // 8 + 1, width // 8 + 1))[:height, :width]
    lit: npt.NDArray[np.bool_] = dense > thresholds
    bare = (counts > 0) & ~lit.reshape(rows, DOWN, columns, ACROSS).any(axis=(1, 3))
    row, column = np.nonzero(bare)
    fullest = dots.reshape(rows, DOWN, columns, ACROSS).transpose(0, 2, 1, 3)[row, column].reshape(-1, DOWN * ACROSS)
    at = fullest.argmax(axis=1)
    lit[row * DOWN + at // ACROSS, column * ACROSS + at % ACROSS] = True
    return lit


def recorded_cloud(view: MapView) -> Cloud:
    """What a session holds of a map, as a cloud: in each cell's middle as many points as it says, with its rank or
    its class.

    Its `token_ids` are none: nobody can be picked but the view's named tokens.
    """
    cells = unpack_cells(view.cells)
    left, right, bottom, top = view.window
    row, column = np.nonzero(cells.counts)
    times = cells.counts[row, column]
    across = left + (column + 0.5) / view.cells.columns * (right - left)
    up = top - (row + 0.5) / view.cells.rows * (top - bottom)
    x, y, ranks = (np.repeat(numbers, times).astype(np.float32) for numbers in (across, up, cells.ranks[row, column]))
    if view.classes is None:
        return Cloud(x, y, ranks)
    return Cloud(x, y, class_of=np.repeat(unpack_classes(view.cells)[row, column], times), classes=view.classes)


def raster_strips(
    drawn: Raster, palette: Palette, points: tuple[Point, ...] = (), labels: tuple[Label, ...] = ()
) -> list[Strip]:
    """A strip a row: the dots in the ramp's colours, points over them (row 0 is the upper one here), labels over both.

    Blanks take the colour before them, so that a row has few segments; the ground is the widget's.
    """
    inks = [_ink(colour) for colour in drawn.inks(palette)]
    strips = [Strip(segments, drawn.dots.shape[1]) for segments in _runs(drawn, inks)]
    width = drawn.dots.shape[1]
    marks = [Label(point.column, point.row, point.glyph, point.colour, bold=True) for point in points]
    for label in (*marks, *labels):
        strips[label.row] = _with_label(strips[label.row], label, width)
    return strips


def _runs(drawn: Raster, inks: Sequence[Style]) -> list[list[Segment]]:
    """The segments of each row. Worked out for all rows at once: NumPy takes as long for one."""
    rows, columns = drawn.dots.shape
    codes = np.where(drawn.dots == 0, ord(" "), BLANK + drawn.dots.astype(np.uint32)).astype("<u4")
    text = codes.tobytes().decode("utf-32-le")
    inked = drawn.colours != EMPTY
    places = np.where(inked, np.arange(columns), -1)
    last = np.maximum.accumulate(places, axis=1)
    last = np.where(last < 0, np.argmax(inked, axis=1)[:, None], last)  # blanks before the first dot take its colour
    filled = np.take_along_axis(drawn.colours, last, axis=1)
    begins = np.ones((rows, columns), dtype=np.bool_)
    begins[:, 1:] = filled[:, 1:] != filled[:, :-1]
    starts = np.flatnonzero(begins).tolist()
    colours = filled[begins].tolist()
    found: list[list[Segment]] = [[] for _ in range(rows)]
    for start, end, colour in zip(starts, [*starts[1:], rows * columns], colours, strict=True):
        found[start // columns].append(Segment(text[start:end], None if colour == EMPTY else inks[colour]))
    return found


@lru_cache(maxsize=64)
def _ink(colour: Rgb, *, bold: bool = False) -> Style:
    return Style(color=Color(*colour).rich_color, bold=bold)


def _with_label(strip: Strip, label: Label, width: int) -> Strip:
    text = Strip([Segment(label.text, _ink(label.colour, bold=label.bold))])
    end = label.column + text.cell_length
    return Strip.join([strip.crop(0, label.column), text, strip.crop(end, width)])
