"""Whether two lots of counted outcomes may come from one distribution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

TABLES = 9_999


def two_sample_p(first: Iterable[str], second: Iterable[str], seed: int = 0) -> float:
    """The p-value of 'both lots come from one distribution', by a permutation test on the counts of each class.

    The statistic is Pearson's chi-square of the 2 × classes table; its law under the hypothesis is drawn by
    dealing the pooled outcomes out again (`TABLES` times, from `seed`), so small counts are no trouble, unlike
    with the chi-square approximation. p = (1 + tables at least as uneven) / (1 + TABLES), never 0 (Phipson &
    Smyth 2010). 1.0 where either lot is empty or all outcomes are of one class.
    """
    counts, others = Counter(first), Counter(second)
    classes = sorted(counts | others)
    table = np.array([[counts[name] for name in classes], [others[name] for name in classes]])
    size, pooled = int(table[0].sum()), table.sum(axis=0)
    if len(classes) < 2 or not 0 < size < pooled.sum():
        return 1.0
    expected = pooled * (size / pooled.sum())
    dealt = np.random.default_rng(seed).multivariate_hypergeometric(pooled, size, size=TABLES, method="marginals")
    # With both margins fixed, chi-square is a fixed multiple of this sum over the first row.
    unevenness = ((dealt - expected) ** 2 / expected).sum(axis=1)
    observed = ((table[0] - expected) ** 2 / expected).sum()
    return float((1 + np.count_nonzero(unevenness >= observed * (1 - 1e-12))) / (1 + TABLES))
