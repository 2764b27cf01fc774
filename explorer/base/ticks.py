"""Round numbers along an axis, and how they are written."""

from __future__ import annotations

import math
from itertools import pairwise


def axis_ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers (1, 2 or 5 times a power of ten apart) between the ends of an axis, both included;
    none where the axis has no length or `most` is below 2."""
    span = high - low
    if most < 2 or not 0 < span < math.inf:
        return []
    power = 10.0 ** math.floor(math.log10(span / most))
    for step in (power * factor for factor in (1, 2, 5, 10, 20)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [place * step for place in range(first, last + 1)]
    return []


def tick_texts(ticks: list[float]) -> list[str]:
    """The numbers as short as they are told apart: `1.5`, `2.0`; `2e-05` where they are very small or large."""
    if not ticks:
        return []
    largest = max(abs(tick) for tick in ticks)
    step = min((after - before for before, after in pairwise(ticks)), default=largest or 1.0)
    if not 1e-4 <= largest < 1e6:
        return [f"{tick:.3g}" for tick in ticks]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{tick:.{decimals}f}" if abs(tick) > step / 2 else f"{0:.{decimals}f}" for tick in ticks]
