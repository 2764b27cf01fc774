"""Bounds of what float64 loses, and sums that lose nothing.

With u = 2^-53 and γ_n = n·u / (1 − n·u), a dot product of n terms is off by at most γ_n · Σ|products| in whatever order
it is summed (Higham, Accuracy and Stability of Numerical Algorithms, ch. 3). Where that is too coarse, products are
split without error (Dekker 1971) and summed by `math.fsum`, which rounds once.

All this holds of numbers of ordinary size. Where no number is larger than `LARGEST` nothing overflows; what underflow
may take away besides, 2^-1075 an operation before later factors, is counted by `LOST`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

UNIT = 2.0**-53
LARGEST = 2.0**150
"""Rows, biases and points with larger numbers are refused."""
LOST = 2.0**-500
"""More than underflow takes away from a length, a sum of products, or anything made of them by factors of ordinary
size: the square root of a lost square is 2^-537."""
EXACT_FROM = 2.0**-700
"""Products of at least this size are split without loss: the smallest part is 2^-106 of it."""


def gamma(terms: int) -> float:
    """γ_terms."""
    return terms * UNIT / (1 - terms * UNIT)


def lengths(rows: Float64[np.ndarray, "*n width"]) -> Float64[np.ndarray, "*n"]:
    """Upper bounds of the lengths of rows."""
    return np.asarray(np.linalg.norm(rows, axis=-1) * (1 + gamma(rows.shape[-1] + 2)) + LOST)


def underflow(factors: Float64[np.ndarray, "*#n"], values: Float64[np.ndarray, "*#n"]) -> Float64[np.ndarray, "*#n"]:
    """`LOST` for each pair whose product may be too small for `exact_products` to be exact, else 0."""
    small = (np.abs(factors * values) < EXACT_FROM) & (factors != 0) & (values != 0)
    return np.where(small, LOST, 0.0)


def exact_products(
    factors: Float64[np.ndarray, "*#rows n"], values: Float64[np.ndarray, "*#rows n"]
) -> Float64[np.ndarray, "*#rows n_twice"]:
    """2n numbers a row whose exact sum is that of factors · values, all but their `underflow`."""
    product = factors * values
    a_high, a_low = _halves(factors)
    b_high, b_low = _halves(values)
    lost = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return np.concatenate([product, lost], axis=-1)


def _halves(a: Float64[np.ndarray, "*n"]) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
    """a as a sum of two numbers of at most 26 bits."""
    scaled = a * 134217729.0  # 2^27 + 1
    high = scaled - (scaled - a)
    return high, a - high
