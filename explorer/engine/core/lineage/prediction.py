"""How far one number lies above others, where there are only a few of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def prediction_p(value: float, others: Sequence[float]) -> float | None:
    """P(one more number like `others` is at least `value`), taken to be normal: Student's t with n - 1 degrees of
    freedom. None where they are fewer than two, or all the same: there is no spread to measure by."""
    from scipy.stats import t

    n = len(others)
    spread = float(np.std(others, ddof=1)) if n > 1 else 0.0
    if spread == 0:
        return None
    return float(t.sf((value - float(np.mean(others))) / (spread * np.sqrt(1 + 1 / n)), n - 1))
