"""W3: linear CKA (Kornblith et al., arXiv 1905.00414) of two models' residual streams, with tokens permuted.

The shapes need not be alike. Only for tokens that were never trained: on ordinary ones every pair of strangers has
learned alike (measured: z 15 to 29), and the permutation is no null.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from explorer.engine.control import stop_if_cancelled
from explorer.engine.core.lineage.exact import ROUNDING

Gram = Float64[np.ndarray, "tokens tokens"]
DRAWS = 1_999


@dataclass(frozen=True)
class Cka:
    """Of one layer of each."""

    value: float
    """0 to 1."""
    z: float
    """In standard deviations of the draws."""
    p: float
    """One-sided, by `DRAWS` random permutations of the tokens."""


def gram(states: Float[np.ndarray, "tokens width"]) -> Gram | None:
    """Inner products of the states about their mean; None where they do not depend on the token beyond rounding (as
    before the first layer, where the last token of the prompt is all there is) or are no numbers."""
    wide = states.astype(np.float64)
    centred = wide - wide.mean(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        size, spread = np.linalg.norm(wide), np.linalg.norm(centred)
    if not np.isfinite(spread) or spread <= ROUNDING * size:
        return None
    product: Gram = centred @ centred.T
    return product


def compare_grams(one: Gram, other: Gram, seed: int, draws: int = DRAWS) -> Cka:
    """CKA with its null: which token's state is compared with which."""
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    observed = float((one * other).sum()) / size
    generator, n = np.random.default_rng(seed), len(one)
    null = np.empty(draws)
    for draw in range(draws):
        stop_if_cancelled()
        order = generator.permutation(n)
        null[draw] = (one[np.ix_(order, order)] * other).sum() / size
    deviation = float(null.std())
    z = (observed - float(null.mean())) / deviation if deviation > 0 else 0.0
    as_large = int((null >= observed - 1e-12).sum())
    return Cka(observed, z, (1 + as_large) / (1 + draws))
