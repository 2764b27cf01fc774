"""Exact rational truth for small instances: a simplex method without fractions, and least distance in fractions.

Nothing here is shared with the solver. Numbers are floats taken as the dyadic rationals that they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from explorer.engine.core.speakability.questions import Question


def speakable(
    rows: Any, bias: Any, token_id: int, question: Question, handicap: Fraction | int = 0, shift: Any = None
) -> bool:
    """Whether the token leads every other by more than `handicap` at some admissible x.

    The radius must be a whole number.
    """
    counts = question.bias and question.mode != "cone"
    exact = [[Fraction(value) for value in row] for row in np.asarray(rows, dtype=np.float64).tolist()]
    level = [Fraction(0)] * len(exact)
    if counts:
        level = [Fraction(value) for value in np.asarray(bias, dtype=np.float64).tolist()]
        if shift is not None:
            level = [b + _dot(row, [Fraction(s) for s in shift.tolist()]) for b, row in zip(level, exact, strict=True)]
    if question.mean_zero:
        exact = [[value - sum(row, Fraction(0)) / len(row) for value in row] for row in exact]
    others = [other for other in range(len(exact)) if other != token_id]
    if not others:
        return True
    gaps = [[a - b for a, b in zip(exact[token_id], exact[other], strict=True)] for other in others]
    leads = [level[token_id] - level[other] - handicap for other in others]
    radius = int(question.radius)
    assert radius == question.radius
    normals, constants = _whole(gaps, leads)
    # Whatever is in the ball is in the box, so the box's answer is a quick no.
    if box_lead(normals, constants, radius) <= 0:
        return False
    if question.mode in ("cone", "box"):
        return True
    shortest = squared_distance(normals, [-constant for constant in constants])
    return shortest is not None and shortest < radius**2


def _whole(gaps: list[list[Fraction]], leads: list[Fraction]) -> tuple[Any, list[int]]:
    """The same up to a common positive factor, in whole numbers."""
    scale = int(
        np.lcm.reduce(
            [value.denominator for row in gaps for value in row] + [v.denominator for v in leads], dtype=object
        )
    )
    normals = np.array([[int(value * scale) for value in row] for row in gaps], dtype=object)
    return normals, [int(value * scale) for value in leads]


def box_lead(normals: Any, constants: Sequence[int], radius: int) -> Fraction:
    """max over |x_i| ≤ radius of min over j of normals_j·x + constants_j, by the simplex method on the dual:
    min constants·λ + radius · Σ (p + q) over λ, p, q ≥ 0 with Σ λ = 1 and normalsᵀ λ = p − q. Pivots keep whole
    numbers (Edmonds)."""
    count, width = normals.shape
    size = count + 2 * width
    table = np.zeros((width + 2, size + 1), dtype=object)
    table[:width, :count] = normals.T
    for axis in range(width):
        table[axis, count + axis], table[axis, count + width + axis] = -1, 1
    table[width, :count], table[width, size] = 1, 1
    table[width + 1, :count], table[width + 1, count:size] = constants, radius
    basis, scale = [0] * (width + 1), 1

    def pivot(row: int, column: int) -> None:
        nonlocal scale
        value = table[row, column]
        for other in range(width + 2):
            if other != row:
                table[other] = (table[other] * value - table[row] * table[other, column]) // scale
        scale, basis[row] = value, column

    costs = [constants[j] + radius * sum(abs(value) for value in normals[j]) for j in range(count)]
    pivot(width, costs.index(min(costs)))
    for axis in range(width):
        if table[axis, size] < 0:
            table[axis] = -table[axis]
        pivot(axis, count + axis if table[axis, count + axis] > 0 else count + width + axis)
    idle = 0
    while (column := _entering(table[width + 1, :size], idle)) is not None:
        ratios = [
            (Fraction(int(table[row, size]), int(table[row, column])), basis[row], row)
            for row in range(width + 1)
            if table[row, column] > 0
        ]
        least = min(ratios)
        idle = idle + 1 if least[0] == 0 else 0
        pivot(least[2], column)
    return Fraction(int(-table[width + 1, size]), int(scale))


def _entering(costs: Any, idle: int) -> int | None:
    """The column to enter; after many idle pivots the first one (Bland), which cannot go round in circles."""
    if idle < 50:
        best = int(np.argmin(costs))
        return best if costs[best] < 0 else None
    return next((column for column, cost in enumerate(costs) if cost < 0), None)


def squared_distance(normals: Any, bounds: Sequence[int]) -> Fraction | None:
    """min |x|² with normals @ x ≥ bounds, None where there is no such x (Lawson and Hanson's active set, exactly)."""
    if all(bound <= 0 for bound in bounds):
        return Fraction(0)
    columns = [[int(value) for value in row] + [int(bound)] for row, bound in zip(normals, bounds, strict=True)]
    weights: dict[int, Fraction] = {}
    while True:
        rest = [-sum((weights[j] * columns[j][axis] for j in weights), Fraction(0)) for axis in range(len(columns[0]))]
        rest[-1] += 1
        if rest[-1] <= 0:
            return None
        gains = {j: _dot(column, rest) for j, column in enumerate(columns) if j not in weights}
        wanted = sorted((j for j in gains if gains[j] > 0), key=lambda j: -float(gains[j]) / _length(columns[j]))
        entered = next((j for j in wanted if _least_squares(columns, [*weights, j]) is not None), None)
        if entered is None:
            assert not wanted
            return _dot(rest[:-1], rest[:-1]) / rest[-1] ** 2
        weights[entered] = Fraction(0)
        while True:
            solution = _least_squares(columns, list(weights))
            assert solution is not None
            if all(value > 0 for value in solution.values()):
                weights = solution
                break
            step = min(weights[j] / (weights[j] - solution[j]) for j in weights if solution[j] <= 0)
            weights = {j: weights[j] + step * (solution[j] - weights[j]) for j in weights}
            weights = {j: value for j, value in weights.items() if value > 0}


def _length(column: Sequence[int]) -> float:
    return math.sqrt(sum(value * value for value in column)) + 1e-300


def _dot(a: Sequence[Fraction | int], b: Sequence[Fraction | int]) -> Fraction:
    total = Fraction(0)
    for x, y in zip(a, b, strict=True):
        total += x * y
    return total


def _least_squares(columns: list[list[int]], passive: list[int]) -> dict[int, Fraction] | None:
    """u that minimises |Σ u_j column_j − last unit vector| over `passive`, None where they are dependent."""
    system = [
        [Fraction(sum(a * b for a, b in zip(columns[i], columns[j], strict=True))) for j in passive] for i in passive
    ]
    for row, i in zip(system, passive, strict=True):
        row.append(Fraction(columns[i][-1]))
    for k in range(len(passive)):
        pivot = next((r for r in range(k, len(passive)) if system[r][k] != 0), None)
        if pivot is None:
            return None
        system[k], system[pivot] = system[pivot], system[k]
        system[k] = [value / system[k][k] for value in system[k]]
        for r in range(len(passive)):
            if r != k and system[r][k] != 0:
                factor = system[r][k]
                system[r] = [a - factor * b for a, b in zip(system[r], system[k], strict=True)]
    return {j: system[k][-1] for k, j in enumerate(passive)}
