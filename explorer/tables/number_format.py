"""How the numbers of an indicator are written: alike wherever they stand, whichever of the rows are shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_SAMPLE = 4096
"""Tokens looked at to choose a column's decimals; the width comes from all of them."""


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of one column are written so that their decimal points stand in one line."""

    width: int = 8
    decimals: int = 4

    @classmethod
    def of(cls, values: npt.NDArray[np.floating]) -> NumberFormat:
        """Decimals enough for three digits of the *spread*: raw indicators differ in the third digit or later."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return cls()
        low, high = np.percentile(finite[:: max(1, len(finite) // _SAMPLE)].astype(np.float64), (5, 95))
        decimals = 3 if high <= low else min(7, max(0, 2 - math.floor(math.log10(high - low))))
        ends = (float(finite.min()), float(finite.max()))
        return cls(width=max(5, *(len(f"{end:.{decimals}f}") for end in ends)), decimals=decimals)

    def show(self, value: float) -> str:
        """`value` right-justified to `width`; a dash where the units stand for NaN, and `<.001` where the decimals
        would make it nought."""
        if math.isnan(value):
            return "–".rjust(self.width - self.decimals - (1 if self.decimals else 0)).ljust(self.width)
        if self.decimals and 0 < abs(value) < 0.5 * 10.0**-self.decimals:
            bound = f".{1:0{self.decimals}}"
            return (f"<{bound}" if value > 0 else f">-{bound}").rjust(self.width)
        return f"{value:.{self.decimals}f}".rjust(self.width).replace("inf", "∞".rjust(3))
