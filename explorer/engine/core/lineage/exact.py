"""Exact tests on a matrix C[g, j]: how alike a candidate's answer to token g and a child's answer to token j are.

If the candidate's training never showed it the tokens, and the child was made without the candidate's weights, the
candidate's answers are exchangeable: every statement here is about a uniformly random permutation of the rows of C,
whatever the data, tokenizer, architecture or recipe (`explorer.engine.answers.lineage` says when that holds).

A matrix without information (constant but for rounding, or with a number that is none) has no p-value: it never counts
as significant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from explorer.engine.control import stop_if_cancelled

Matrix = Float64[np.ndarray, "tokens tokens"]
DRAWS = 99_999
"""Permutations drawn: the smallest p is 1 in 100,000, so that Holm over 10 candidates still reaches .001."""
ROUNDING = 1e-5
"""Of the greatest entry: variation below it is what rounding of float32 leaves."""
_AT_ONCE = 1_000_000
"""Entries permuted at once, from one look whether the request was cancelled to the next."""


@dataclass(frozen=True)
class Permuted:
    """The mean of the diagonal among all permutations of rows."""

    excess: float
    """Above the mean of the whole matrix, in the units of C."""
    z: float
    """In standard deviations over all permutations, from the exact moments."""
    p: float
    """One-sided, by `DRAWS` random permutations: (1 + as large) / (1 + drawn)."""


@dataclass(frozen=True)
class Matched:
    """The best one-to-one assignment of rows to columns."""

    fixed: int
    """Tokens assigned to themselves."""
    p: float
    """The chance of at least as many fixed points in a random permutation, exact."""


def standardise(matrix: Matrix) -> Matrix:
    """C in units of its permutation's standard deviation, double-centred, so that prompts can be added up; all zeros
    where it tells nothing."""
    centred = _centre(matrix)
    if not tells(matrix):
        return np.zeros_like(centred)
    standard: Matrix = centred / _deviation(centred)
    return standard


def tells(matrix: Matrix) -> bool:
    """Whether rows and columns interact beyond rounding, and every entry is a number."""
    if not np.isfinite(matrix).all():
        return False
    return bool(np.sqrt((_centre(matrix) ** 2).mean()) > ROUNDING * (np.abs(matrix).max() + 1e-300))


def permute(matrix: Matrix, seed: int, draws: int = DRAWS) -> Permuted | None:
    """The permutation test; None where the matrix tells nothing."""
    if not tells(matrix):
        return None
    n = len(matrix)
    observed, mean = float(np.trace(matrix)), float(matrix.mean()) * n
    excess = observed - mean
    generator = np.random.default_rng(seed)
    tolerance = 1e-12 * max(1.0, abs(observed))
    as_large, done, places = 0, 0, np.arange(n)
    while done < draws:
        stop_if_cancelled()
        count = min(max(1, _AT_ONCE // n), draws - done)
        order = generator.permuted(np.broadcast_to(places, (count, n)), axis=1)
        as_large += int((matrix[order, places].sum(axis=1) >= observed - tolerance).sum())
        done += count
    return Permuted(excess / n, excess / _deviation(_centre(matrix)), (1 + as_large) / (1 + draws))


def match(matrix: Matrix, seed: int) -> Matched | None:
    """The matching test, after "Independence Tests for Language Models" (Zhu et al., arXiv 2502.12292), there of
    neurons; None where the matrix tells nothing. Rows are shuffled first, so that ties cannot favour the truth."""
    if not tells(matrix):
        return None
    from scipy.optimize import linear_sum_assignment

    order = np.random.default_rng(seed).permutation(len(matrix))
    rows, columns = linear_sum_assignment(matrix[order], maximize=True)
    fixed = int((order[rows] == columns).sum())
    return Matched(fixed, fixed_points_p(fixed, len(matrix)))


def fixed_points_p(fixed: int, n: int) -> float:
    """P(at least `fixed` fixed points of a uniformly random permutation of n), exact: Σ_m D(n − m) / (m! (n − m)!)."""
    if fixed <= 0:
        return 1.0
    total = 0.0
    for m in range(fixed, n + 1):
        deranged = math.fsum((-1) ** i / math.factorial(i) for i in range(min(n - m, 40) + 1))
        total += math.exp(-math.lgamma(m + 1)) * deranged
    return min(1.0, total)


def least_p(n: int) -> float:
    """The smallest p that n tokens can give: one in n! permutations."""
    return math.exp(-math.lgamma(n + 1))


def combine(*p_values: float) -> float:
    """Of several tests of one null: Bonferroni."""
    return min(1.0, len(p_values) * min(p_values))


def falling(matrix: Matrix, seed: int, draws: int = 999) -> list[float]:
    """p of permutation and matching with the first 2, 3, … tokens; 1 where those tell nothing. Matching reaches below
    what so few draws can."""
    found = []
    for n in range(2, len(matrix) + 1):
        permuted, matched = permute(matrix[:n, :n], seed, draws), match(matrix[:n, :n], seed)
        found.append(1.0 if permuted is None or matched is None else combine(permuted.p, matched.p))
    return found


def area_under_curve(matrix: Matrix) -> float:
    """P(the answer to the own token is nearer than that to another one), ties half: 0.5 under the null."""
    n, own = len(matrix), np.diag(matrix)[None, :]
    return float(((matrix < own).sum() + 0.5 * ((matrix == own).sum() - n)) / (n * (n - 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number by Holm's step-down method, in the order given."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for step, place in enumerate(np.argsort(p_values, kind="stable").tolist()):
        running = max(running, min(1.0, (len(p_values) - step) * p_values[place]))
        adjusted[place] = running
    return adjusted


def flip_signs(differences: Float64[np.ndarray, " tokens"], seed: int, draws: int = DRAWS) -> float:
    """Whether paired differences lie above 0: p of their sum among random flips of their signs, one-sided. The null:
    each difference is as likely as its opposite."""
    generator = np.random.default_rng(seed)
    observed, done, as_large = float(differences.sum()), 0, 0
    tolerance = 1e-12 * max(1.0, float(np.abs(differences).sum()))
    while done < draws:
        stop_if_cancelled()
        count = min(max(1, _AT_ONCE // max(1, len(differences))), draws - done)
        signs: Int64[np.ndarray, "draws tokens"] = generator.integers(0, 2, (count, len(differences))) * 2 - 1
        as_large += int((signs @ differences >= observed - tolerance).sum())
        done += count
    return (1 + as_large) / (1 + draws)


def _centre(matrix: Matrix) -> Matrix:
    rows, columns = matrix.mean(axis=1, keepdims=True), matrix.mean(axis=0, keepdims=True)
    centred: Matrix = matrix - columns - rows + matrix.mean()
    return centred


def _deviation(centred: Matrix) -> float:
    """The standard deviation of the diagonal's sum over all permutations of rows (Hoeffding 1951)."""
    return float(np.sqrt((centred**2).sum() / (len(centred) - 1)))
