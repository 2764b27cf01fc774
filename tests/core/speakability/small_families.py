"""Random small instances of every awkward kind. All numbers are dyadic, so that truth can be told exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

Rows = Float64[np.ndarray, "vocab d_model"]
Random = np.random.Generator


def _gaussian(random: Random, vocab: int, width: int) -> Rows:
    return random.standard_normal((vocab, width)).astype(np.float32).astype(np.float64)


def _lattice(random: Random, vocab: int, width: int) -> Rows:
    return random.integers(-3, 4, (vocab, width)).astype(np.float64)


def _duplicates(random: Random, vocab: int, width: int) -> Rows:
    rows = _gaussian(random, vocab, width)
    copies = random.integers(0, vocab, vocab // 3)
    rows[copies] = rows[random.integers(0, vocab, vocab // 3)]
    return rows


def _collinear(random: Random, vocab: int, width: int) -> Rows:
    start, along = random.integers(-4, 5, (2, width))
    rows: Rows = start + along * random.integers(-8, 9, (vocab, 1)) / 4.0
    some = random.random(vocab) < 0.4
    rows[some] = random.integers(-4, 5, (int(some.sum()), width))
    return rows


def _zeros(random: Random, vocab: int, width: int) -> Rows:
    rows = _gaussian(random, vocab, width)
    rows[random.random(vocab) < 0.2] = 0.0
    rows[:, random.random(width) < 0.2] = 0.0
    return rows


def _cross(random: Random, vocab: int, width: int) -> Rows:
    corners = np.concatenate([np.eye(width), -np.eye(width)])
    rows = np.array(corners[random.integers(0, 2 * width, vocab)])
    some = random.random(vocab) < 0.4
    pairs = random.integers(0, 2 * width, (2, int(some.sum())))
    rows[some] = (corners[pairs[0]] + corners[pairs[1]]) / 2
    return rows


def _low_rank(random: Random, vocab: int, width: int) -> Rows:
    rank = int(random.integers(1, max(2, width // 2 + 1)))
    return (random.integers(-3, 4, (vocab, rank)) @ random.integers(-3, 4, (rank, width))).astype(np.float64)


def _offset(random: Random, vocab: int, width: int) -> Rows:
    return np.round(_gaussian(random, vocab, width) * 64) / 64 + random.integers(-(2**12), 2**12, width)


def _planted(random: Random, vocab: int, width: int) -> Rows:
    """Some rows are exact dyadic mixtures of others (inside), some the same pushed out a little."""
    rows = np.round(_gaussian(random, vocab, width) * 256) / 256
    count = vocab // 2
    for row in range(count, vocab):
        few = random.integers(0, count, min(4, count))
        rows[row] = rows[few].mean(axis=0) if len(few) in (1, 2, 4) else rows[few[0]]
        if random.random() < 0.4:
            rows[row] += random.integers(-2, 3, width) / 2.0 ** random.integers(4, 20)
    return rows


def _float32_traps(random: Random, vocab: int, width: int) -> Rows:
    """Rows that differ from each other in the last bits of float32 only."""
    start = _gaussian(random, 1, width)
    return np.asarray(start + random.integers(-2, 3, (vocab, width)) * 2.0**-22)


FAMILIES: dict[str, Callable[[Random, int, int], Rows]] = {
    "gaussian": _gaussian,
    "lattice": _lattice,
    "duplicates": _duplicates,
    "collinear": _collinear,
    "zeros": _zeros,
    "cross": _cross,
    "low rank": _low_rank,
    "offset": _offset,
    "planted": _planted,
    "float32 traps": _float32_traps,
}


def bias_for(random: Random, rows: Rows) -> Float64[np.ndarray, " vocab"]:
    """Small whole or dyadic numbers, or what a shift of x adds."""
    kind = random.integers(0, 3)
    if kind == 0:
        return random.integers(-2, 3, len(rows)) / 2.0
    if kind == 1:
        return np.round(random.standard_normal(len(rows)) * 1024) / 1024
    return np.asarray(rows @ (random.integers(-4, 5, rows.shape[1]) / 8.0))
