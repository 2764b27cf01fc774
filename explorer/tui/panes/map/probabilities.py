"""Measured probabilities over a column, sorted once: where tokens are in a part of it, in 3 ms. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.base.records.verification import VERDICTS, Verdict
from explorer.tables.map_cells import Cloud, Column
from explorer.tui.panes.map.raster import ACROSS, DOWN

LEAST = -8.0
"""log10 of the probability at the lower edge, at most; smaller ones stand on it."""
_PLAIN: Verdict = "rejected"
LETTERED: tuple[Verdict, ...] = ("inconclusive", "inconclusive: the controls fail too", "weak", "verified")
"""Verdicts with a letter in their cell; the last is seen where several are in one cell."""


@dataclass(frozen=True)
class Layer:
    """The tokens on so many cells: they stay where they are while the line moves."""

    lit: npt.NDArray[np.bool_]
    """Dots of tokens that are rejected, [4 · rows, 2 · columns]."""
    cells: dict[Verdict, list[tuple[int, int]]]
    """Column and row of the cells that hold tokens of each of `LETTERED`."""


class Probabilities:
    """Tokens by their number (x) and log10 of their greatest P(token) (y)."""

    def __init__(self, x: Column, probabilities: Column, verdicts: npt.NDArray[np.uint8]) -> None:
        """All [n]; `verdicts`: index into `VERDICTS`."""
        heights = log_heights(probabilities).astype(np.float32)
        self.bottom = min(-1.0, math.floor(float(heights.min(initial=-1.0))))
        """log10 of the probability at the lower edge: a whole number, at least `LEAST`."""
        found = {verdict: verdicts == VERDICTS.index(verdict) for verdict in (_PLAIN, *LETTERED)}
        self._clouds = {verdict: Cloud(x[those], heights[those]) for verdict, those in found.items()}
        self._last: tuple[tuple[tuple[float, float], int, int], Layer] | None = None

    def layer(self, ends: tuple[float, float], columns: int, rows: int) -> Layer:
        """The tokens between two numbers, on so many cells. The last layer is kept: a line moved by a key need not
        wait for 260,000 tokens."""
        asked = ends, columns, rows
        if self._last is None or self._last[0] != asked:
            self._last = asked, self._layer(*asked)
        return self._last[1]

    def _layer(self, ends: tuple[float, float], columns: int, rows: int) -> Layer:
        low, high = ends
        window = (low, high if high > low else low + 1, self.bottom, 0.0)
        lit = self._clouds[_PLAIN].cells(window, columns * ACROSS, rows * DOWN).counts > 0
        cells = {verdict: self._clouds[verdict].cells(window, columns, rows).counts for verdict in LETTERED}
        places = {verdict: np.nonzero(counts) for verdict, counts in cells.items()}
        return Layer(
            lit, {verdict: list(zip(x.tolist(), y.tolist(), strict=True)) for verdict, (y, x) in places.items()}
        )


def log_heights(probabilities: Column) -> npt.NDArray[np.float64]:
    """log10, from `LEAST` to 0."""
    return np.log10(np.clip(probabilities.astype(np.float64), 10**LEAST, 1.0))
