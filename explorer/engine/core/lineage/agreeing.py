"""The test of top-token agreement that others use (see `explorer.engine.answers.lineage.provenance`)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from explorer.engine.core.lineage.exact import holm


def beat_all(share: float, others: Sequence[float], asked: int) -> float | None:
    """p that a share is above each of the others, all of `asked` prompts: one-sided z-tests of two proportions, the
    largest after Holm's adjustment; None without others."""
    from scipy.stats import norm

    p_values = []
    for other in others:
        pooled = (share + other) / 2
        error = math.sqrt(max(1e-12, 2 * pooled * (1 - pooled) / asked))
        p_values.append(float(norm.sf((share - other) / error)))
    return max(holm(p_values), default=None)
