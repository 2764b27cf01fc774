"""Where values of an indicator stand among those of other tokens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float32]


def midrank_percentiles(values: Column, among: Column) -> npt.NDArray[np.float64]:
    ordered = np.sort(among)
    # Searching for sorted needles is several times faster than for needles in any order.
    order = np.argsort(values)
    below = np.searchsorted(ordered, values[order], side="left")
    up_to = np.searchsorted(ordered, values[order], side="right")
    percentiles = np.empty(len(values))
    percentiles[order] = 50 * (below + up_to) / len(ordered)
    return percentiles


def robust_z_scores(values: Column, among: Column) -> npt.NDArray[np.float64]:
    exact = values.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # infinite values, and a deviation of 0
        median = np.median(among.astype(np.float64))
        deviations = exact - median
        spread = 1.4826 * np.median(np.abs(among.astype(np.float64) - median))
        return np.where(deviations == 0, 0.0, deviations / spread)
