"""The shortest y with g_i·y ≥ h_i for all of a growing set of constraints, by non-negative least squares.

Lawson and Hanson (Solving Least Squares Problems, ch. 23): with the columns e_i = (g_i, h_i) and the last unit vector
f, let u ≥ 0 minimise |Σ u_i e_i − f| and r = f − Σ u_i e_i. If r ≠ 0 then y = (Σ u_i g_i) / r_last is the shortest; if
r = 0 there is none, and u says why: Σ u_i g_i = 0 while Σ u_i h_i = 1.

An active-set method. The Gram matrix of the passive columns is factored at each inner step from the first column on
that differs from the step before: never downdated, so that rounding does not build up. Several columns enter at a time
as long as the objective falls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.linalg import blas, lapack

Vector = Float64[np.ndarray, " n"]


@dataclass(frozen=True)
class Factor:
    """The lower Cholesky factor of the Gram matrix of some columns."""

    places: Int64[np.ndarray, " k"]
    """Which columns, in order."""
    lower: Float64[np.ndarray, "k k"]
    """What stands above the diagonal is 0."""

    def of(self, gram: Float64[np.ndarray, "n n"], places: Int64[np.ndarray, " m"]) -> Factor | int:
        """The factor for `places`, or the position of one that depends on those before it. Reuses what it can."""
        shared = min(len(self.places), len(places))
        differing = np.flatnonzero(self.places[:shared] != places[:shared])
        kept = int(differing[0]) if len(differing) else shared
        later = places[kept:]
        left = np.empty((len(later), kept))
        position = np.full(len(gram), -1)
        position[self.places] = np.arange(len(self.places))
        known = position[later]
        left[known >= 0] = self.lower[known[known >= 0], :kept]
        new = later[known < 0]
        if len(new) and kept:
            products = gram[np.ix_(places[:kept], new)]
            left[known < 0] = blas.dtrsm(1.0, self.lower[:kept, :kept], products, lower=1).T
        corner = gram[np.ix_(later, later)] - left @ left.T
        factor, info = lapack.dpotrf(corner.T, lower=1, clean=1, overwrite_a=1)
        if info:
            return kept + int(info) - 1
        lower = np.zeros((len(places), len(places)), order="F")
        lower[:kept, :kept], lower[kept:, :kept], lower[kept:, kept:] = self.lower[:kept, :kept], left, factor
        return Factor(places, lower)


NO_FACTOR = Factor(np.zeros(0, dtype=np.int64), np.zeros((0, 0)))


class LeastDistance:
    """One such problem in `width` dimensions. `labels` name the constraints."""

    def __init__(self, width: int, block: int = 16) -> None:
        self.block = block
        self.count = 0
        self.columns = np.zeros((32, width + 1))
        self.labels = np.full(32, -1, dtype=np.int64)
        self.gram = np.zeros((32, 32))
        self.passive = np.zeros(0, dtype=np.int64)
        self.weights: Vector = np.zeros(0)
        self.optimal = False
        """Whether the last `solve` ended because no constraint was violated (or none could be helped)."""
        self._gathered = (self.passive, np.zeros((0, width + 1)))
        self._factor = NO_FACTOR
        self._refine = False

    def add(self, normals: Float64[np.ndarray, "m width"], bounds: Vector, labels: Int64[np.ndarray, " m"]) -> None:
        """Add the constraints normals @ y ≥ bounds."""
        first, last = self.count, self.count + len(labels)
        if last > len(self.labels):
            self._grow(max(2 * len(self.labels), last))
        self.columns[first:last, :-1] = normals
        self.columns[first:last, -1] = bounds
        self.labels[first:last] = labels
        self.count = last
        products = self.columns[first:last] @ self.columns[:last].T
        self.gram[first:last, :last] = products
        self.gram[:last, first:last] = products.T

    def rebound(self, bounds: Vector) -> None:
        """Give all constraints other bounds and start again."""
        old = self.columns[: self.count, -1].copy()
        self.columns[: self.count, -1] = bounds
        self.gram[: self.count, : self.count] += np.outer(bounds, bounds) - np.outer(old, old)
        self._restore(np.zeros(0, dtype=np.int64), np.zeros(0), NO_FACTOR)

    def support(self) -> tuple[Int64[np.ndarray, " k"], Vector, Float64[np.ndarray, "k width"], Vector]:
        """Labels, weights, normals and bounds of the constraints that carry weight."""
        used = self._used
        return self.labels[self.passive], self.weights, used[:, :-1], used[:, -1]

    def residual(self) -> Vector:
        """r of the description."""
        rest = -(self.weights @ self._used) if len(self.weights) else np.zeros(self.columns.shape[1])
        rest[-1] += 1.0
        return rest

    def solve(self, steps: int, tolerance: float = 1e-9, stop: Callable[[Vector], bool] | None = None) -> Vector:
        """Take up to `steps` outer steps, or until optimal or until `stop` of the residual; returns the residual."""
        self._refine, self.optimal = False, False
        size: int | None = None
        rest = self.residual()
        for _ in range(steps):
            if stop is not None and stop(rest):
                return rest
            length = float(np.linalg.norm(rest))
            if length < 1e-13:
                self.optimal = True
                return rest
            self._refine = self._refine or length < 1e-4
            gains = self.columns[: self.count] @ rest
            gains[self.passive] = -np.inf
            sizes = np.sqrt(np.maximum(self.gram.diagonal()[: self.count], 0.0))  # `rebound` may round below 0
            wanted = np.flatnonzero(gains > tolerance * length * sizes)
            room = self.columns.shape[1] - len(self.passive)
            if len(wanted) == 0 or (room <= 0 and self._refine):
                self.optimal = True
                return rest
            if room <= 0:
                self._refine = True
                self._descend()
                rest = self.residual()
                continue
            size = min(size if size is not None else max(self.block, len(self.passive) // 8), room)
            taken = self._enter(wanted, gains, size, float(rest @ rest))
            if taken == 0:
                if self._refine:
                    self.optimal = True
                    return self.residual()
                self._refine = True
                self._descend()
            size = None if taken >= self.block or taken == 0 else min(4 * taken, self.block)
            rest = self.residual()
        return rest

    def _enter(self, wanted: Int64[np.ndarray, " m"], gains: Vector, size: int, before: float) -> int:
        """Let the best columns enter, fewer and fewer until the objective falls; how many did (0: not even one)."""
        passive, weights, factor = self.passive, self.weights, self._factor
        while True:
            chosen = wanted
            if len(wanted) > size:
                chosen = wanted[np.argpartition(-gains[wanted], size - 1)[:size]]
            self.passive = np.concatenate([passive, chosen])
            self.weights = np.concatenate([weights, np.zeros(len(chosen))])
            if size > 1:
                fell = self._drop_greedily(before)
            else:
                self._refine = True
                self._descend()
                rest = self.residual()
                fell = float(rest @ rest) < before * (1 - 1e-13)
            if fell:
                return size
            self._restore(passive, weights, factor)
            if size == 1:
                return 0
            size = max(1, size // 6)

    def _restore(self, passive: Int64[np.ndarray, " k"], weights: Vector, factor: Factor) -> None:
        self.passive, self.weights, self._factor = passive, weights, factor

    @property
    def _used(self) -> Float64[np.ndarray, "k {self.columns.shape[1]}"]:
        """The passive columns, copied once."""
        places, columns = self._gathered
        if places is not self.passive:
            columns = self.columns[self.passive]
            self._gathered = self.passive, columns
        return columns

    def _drop_greedily(self, before: float) -> bool:
        """Drop every column of non-positive weight at once, over and over; say whether the objective fell."""
        for _ in range(30):
            solution = self._least_squares()
            keep = solution > 0
            if keep.all():
                self.weights = solution
                rest = self.residual()
                return float(rest @ rest) < before * (1 - 1e-12)
            self.passive, self.weights = self.passive[keep], self.weights[keep]
            if not keep.any():
                return False
        return False

    def _descend(self) -> None:
        """Lawson and Hanson's inner loop: move towards the least squares solution until it is positive."""
        while True:
            solution = self._least_squares()
            negative = solution <= 0
            if not negative.any():
                self.weights = solution
                return
            dead = negative & (self.weights <= 0)
            if dead.any():
                keep = ~dead
            else:
                at = np.flatnonzero(negative)
                ratios = self.weights[at] / (self.weights[at] - solution[at])
                step = float(ratios.min())
                self.weights = self.weights + step * (solution - self.weights)
                keep = np.ones(len(solution), dtype=bool)
                keep[at[ratios <= step * (1 + 1e-9) + 1e-300]] = False
            self.passive, self.weights = self.passive[keep], self.weights[keep]

    def _least_squares(self) -> Vector:
        """Least squares over the passive columns; drops those that depend on others (the ones that came last)."""
        while True:
            if len(self.passive) == 0:
                return np.zeros(0)
            found = self._factor.of(self.gram[: self.count, : self.count], self.passive)
            if isinstance(found, Factor):
                weak = np.flatnonzero(found.lower.diagonal() ** 2 < 1e-12 * self.gram.diagonal()[self.passive])
                if len(weak) == 0:
                    break
            else:
                weak = np.array([found])
            self.passive, self.weights = np.delete(self.passive, weak), np.delete(self.weights, weak)
        self._factor = found
        solution, _ = lapack.dpotrs(found.lower, self.columns[self.passive, -1], lower=1)
        if self._refine:
            rest = -(solution @ self._used)
            rest[-1] += 1.0
            solution = solution + lapack.dpotrs(found.lower, self._used @ rest, lower=1)[0]
        return np.asarray(solution)

    def _grow(self, room: int) -> None:
        columns, labels, gram = self.columns, self.labels, self.gram
        self.columns = np.zeros((room, columns.shape[1]))
        self.labels = np.full(room, -1, dtype=np.int64)
        self.gram = np.zeros((room, room))
        self.columns[: self.count], self.labels[: self.count] = columns[: self.count], labels[: self.count]
        self.gram[: self.count, : self.count] = gram[: self.count, : self.count]
