"""A column against the measured probability of each token, after 'Fishing for Magikarp', on a sheet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.base.records.verification import VERDICTS, Verdict
from explorer.tui.panes.map.histogram import bar_lines
from explorer.tui.panes.map.plot_histogram import GUTTER, draw_line, draw_x
from explorer.tui.panes.map.raster import ACROSS, DOWN
from explorer.tui.panes.map.sheet import Box, Ink, Sheet
from explorer.tui.panes.map.spots import GLYPHS
from explorer.tui.panes.map.threshold import Measured, Parted
from explorer.tui.panes.map.windows import y_ticks
from explorer.tui.panes.verdicts.view import MARKS

LEAST = -8.0
"""log10 of the probability at the lower edge, at most; smaller ones stand on it."""
_GLYPHED: tuple[tuple[Verdict, Ink], ...] = (
    ("inconclusive", "muted"), ("inconclusive: the controls fail too", "muted"),
    ("weak", "weak"), ("verified", "called"),
)  # fmt: skip
"""Verdicts with a letter, as the matrix of the Verify tab has them; the last is seen where several are in one cell."""


@dataclass(frozen=True)
class _Layer:
    """The tokens on so many cells: they stay where they are while the line moves."""

    ends: tuple[float, float]
    columns: int
    rows: int
    bottom: float
    """log10 of the probability at the lower edge."""
    lit: npt.NDArray[np.bool_]
    """Dots of tokens that are not called, [4 · rows, 2 · columns]."""
    letters: tuple[tuple[set[tuple[int, int]], str, Ink], ...]
    """Cells, column and row, of the others."""


def draw_measured(sheet: Sheet, box: Box, parted: Parted, measured: Measured) -> None:
    """log10 of the greatest P(token) over the column; below, never at 0, how many tokens were not measured."""
    area = box.inner(left=GUTTER, bottom=2)
    if area.columns < 1 or area.rows < 1:
        return
    layer = _layer_of(measured, parted.ends, area.columns, area.rows)
    sheet.braille(area, layer.lit)
    for cells, glyph, ink in layer.letters:
        for cell in cells:
            sheet.put(area, *cell, glyph, ink)
    _draw_subject(sheet, area, parted, measured, layer)
    draw_line(sheet, area, parted)
    for row, text in y_ticks((0.0, 1.0, layer.bottom, 0.0), area.rows).items():
        sheet.write(box, _power(text, layer.bottom).rjust(GUTTER - 1), "muted", row=row)
    _rug(sheet, box, parted, measured)
    draw_x(sheet, box, parted)


def _power(text: str, bottom: float) -> str:
    """'-3' as '1e-3'; the lower edge holds smaller ones too where it is the least."""
    exponent = float(text)
    words = "1" if exponent == 0 else f"1e{text}"
    return f"≤{words}" if exponent == bottom == LEAST else words


def _layer_of(measured: Measured, ends: tuple[float, float], columns: int, rows: int) -> _Layer:
    """The layer that was drawn last, where it is the same: a line moved by a key must not wait for 260,000 tokens."""
    kept = measured.layer
    if isinstance(kept, _Layer) and (kept.ends, kept.columns, kept.rows) == (ends, columns, rows):
        return kept
    bottom = lower_edge(measured)
    column, row = _places(measured.x, measured.probabilities, ends, bottom, (columns * ACROSS, rows * DOWN))
    inside = (measured.x >= ends[0]) & (measured.x <= ends[1])
    plain = inside & (measured.verdicts == VERDICTS.index("rejected"))
    lit = np.zeros((rows * DOWN, columns * ACROSS), dtype=np.bool_)
    lit[row[plain], column[plain]] = True
    letters = []
    for verdict, ink in _GLYPHED:
        which = inside & (measured.verdicts == VERDICTS.index(verdict))
        cells = set(zip((column[which] // ACROSS).tolist(), (row[which] // DOWN).tolist(), strict=True))
        letters.append((cells, MARKS[verdict][0], ink))
    measured.layer = layer = _Layer(ends, columns, rows, bottom, lit, tuple(letters))
    return layer


def lower_edge(measured: Measured) -> float:
    """log10 of the probability at the lower edge: a whole number, at least `LEAST`."""
    return min(-1.0, math.floor(float(log_heights(measured.probabilities).min(initial=-1.0))))


def log_heights(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """log10, at least `LEAST`."""
    return np.log10(np.maximum(probabilities.astype(np.float64), 10**LEAST))


def _places(
    x: npt.NDArray[np.float32],
    probabilities: npt.NDArray[np.float32],
    ends: tuple[float, float],
    bottom: float,
    size: tuple[int, int],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Columns and rows on `size` places across and down."""
    low, high = ends
    right = (x.astype(np.float64) - low) / (high - low) if high > low else np.zeros(len(x))
    column = np.clip(right * size[0], 0, size[0] - 1).astype(np.int64)
    return column, np.clip(log_heights(probabilities) / bottom * size[1], 0, size[1] - 1).astype(np.int64)


def _draw_subject(sheet: Sheet, area: Box, parted: Parted, measured: Measured, layer: _Layer) -> None:
    """The selected token, on top."""
    subject = next((point.token.token_id for point in parted.points if point.role == "subject"), -1)
    here = np.flatnonzero(measured.token_ids == subject)
    if len(here) and layer.ends[0] <= measured.x[here[0]] <= layer.ends[1]:
        size = area.columns, area.rows
        column, row = _places(measured.x[here], measured.probabilities[here], layer.ends, layer.bottom, size)
        sheet.put(area, int(column[0]), int(row[0]), GLYPHS["subject"], "line")


def _rug(sheet: Sheet, box: Box, parted: Parted, measured: Measured) -> None:
    """One row of log counts of the tokens that have no probability."""
    columns = box.columns - GUTTER
    counts = measured.without_probability(*parted.ends, columns).tolist()
    sheet.write(box, "no P".rjust(GUTTER - 1), "muted", row=box.rows - 2)
    sheet.write(box, bar_lines(counts, 1)[0], "muted", column=GUTTER, row=box.rows - 2)
