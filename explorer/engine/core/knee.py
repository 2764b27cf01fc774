"""Where the suspicious tail of an indicator ends: a threshold found from the values alone, and the rule in words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

BINS = 400
VALLEY = 0.5
"""A dip counts as a valley where it is below this share of the lower of the two peaks beside it."""
FENCE = 4.0
"""Robust deviations below the median beyond which a value is suspicious where there is no valley."""
FEWEST = 3
"""A peak of fewer tokens than this is no peak."""


class Knee(NamedTuple):
    """Values below `threshold` are suspicious; `rule` says in words how it was found."""

    threshold: float
    rule: str


def find_knee(values: Float[np.ndarray, " n"]) -> Knee:
    """The threshold below which `values` (finite) are suspiciously low.

    Under-trained tokens that training never moved stand apart: the density of the indicator has a peak of its
    own below the main one, and the threshold is the lowest place of the valley between. The density is a Gaussian
    kernel estimate (Silverman's bandwidth, on the robust spread) between the least value and the median. Where
    there is no such valley (a tail that thins out evenly, or nothing under-trained) the threshold is the outer
    fence, median − 4 robust standard deviations. Scale and shift of the values change nothing.
    """
    if not len(values):
        return Knee(float("-inf"), "no value to look at")
    median = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - median)))
    if spread == 0:
        return Knee(float(values.min()), "half of the values are equal: no knee")
    fence = Knee(median - FENCE * spread, f"no valley: the outer fence, median − {FENCE:g} robust deviations")
    low = float(values.min())
    if low >= fence.threshold:
        return fence
    density, centres, bandwidth = _density(values, low, median, spread)
    floor = FEWEST / (len(values) * bandwidth * np.sqrt(2 * np.pi))  # the height of so many tokens at one place
    valley = _valley(density[: int(density.argmax()) + 1], floor)
    if valley is None:
        return fence
    below = float(values[values < centres[valley]].max())
    above = float(values[values >= centres[valley]].min())
    return Knee((below + above) / 2, "the valley of the density between the lowest peak and the main one")


def _valley(density: Float[np.ndarray, " bins"], floor: float) -> int | None:
    """Where `density`, which ends at its main peak, dips deepest for its lower side peak; None where no dip counts."""
    left, right = np.maximum.accumulate(density), np.maximum.accumulate(density[::-1])[::-1]
    peak = np.minimum(left, right)
    depth = np.where(peak >= floor, density / np.maximum(peak, floor), 1.0)
    place = int(depth.argmin())
    return place if depth[place] < VALLEY else None


def _density(
    values: Float[np.ndarray, " n"], low: float, median: float, spread: float
) -> tuple[Float[np.ndarray, " bins"], Float[np.ndarray, " bins"], float]:
    """The density between a little below `low` and a little above `median`, where in the values, and its bandwidth."""
    bandwidth = 0.9 * spread * len(values) ** -0.2
    edges = np.linspace(low - 3 * bandwidth, median + 3 * bandwidth, BINS + 1)
    counts, _ = np.histogram(values, edges)
    centres = (edges[1:] + edges[:-1]) / 2
    kernel = np.exp(-(((centres[:, None] - centres[None, :]) / bandwidth) ** 2) / 2)
    return kernel @ counts / (len(values) * bandwidth * np.sqrt(2 * np.pi)), centres, bandwidth
