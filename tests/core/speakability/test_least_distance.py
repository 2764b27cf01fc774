"""The shortest y that meets all constraints."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.engine.core.speakability.least_distance import NO_FACTOR, Factor, LeastDistance
from tests.core.speakability.exact_truth import squared_distance


def problem_of(normals: np.ndarray, bounds: np.ndarray, block: int = 16) -> LeastDistance:
    problem = LeastDistance(normals.shape[1], block)
    for start in range(0, len(bounds), 7):  # a few at a time, as in use
        part = slice(start, start + 7)
        problem.add(normals[part], bounds[part], np.arange(len(bounds))[part])
        problem.solve(50)
    problem.solve(500)
    return problem


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("block", [1, 16])
def test_the_distance_is_exact(seed: int, block: int) -> None:
    random = np.random.default_rng(seed)
    width = int(random.integers(1, 9))
    normals = random.integers(-5, 6, (int(random.integers(1, 40)), width))
    bounds = random.integers(-9, 4, len(normals))
    problem = problem_of(normals.astype(float), bounds.astype(float), block)
    exact = squared_distance(normals.astype(object), bounds.tolist())
    rest = problem.residual()
    assert problem.optimal
    if exact is None:
        assert rest @ rest < 1e-20
        _, weights, used, limits = problem.support()
        assert np.abs(weights @ used).max(initial=0.0) < 1e-8
        assert weights @ limits == pytest.approx(1)
    else:
        y = -rest[:-1] / rest[-1]
        assert y @ y == pytest.approx(float(exact), abs=1e-9)
        assert (normals @ y >= bounds - 1e-8).all()


def test_other_bounds_give_what_a_fresh_problem_gives() -> None:
    random = np.random.default_rng(20)
    normals, bounds = random.standard_normal((30, 4)) + np.array([2, 0, 0, 0]), random.standard_normal(30)
    problem = problem_of(normals, bounds)
    problem.rebound(bounds + 1)
    problem.solve(500)
    fresh = problem_of(normals, bounds + 1)
    assert problem.residual() == pytest.approx(fresh.residual(), abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_a_factor_kept_through_columns_that_come_and_go_is_the_one_made_anew(seed: int) -> None:
    random = np.random.default_rng(seed)
    columns = random.standard_normal((40, 40))
    gram = columns @ columns.T
    factor, places = NO_FACTOR, np.zeros(0, dtype=np.int64)
    for _ in range(30):
        places = places[random.random(len(places)) < random.choice([0.6, 0.95, 1.0])]
        rest = np.setdiff1d(np.arange(40), places)
        places = np.concatenate([places, random.permutation(rest)[: random.integers(0, 5)]])
        found = factor.of(gram, places)
        assert isinstance(found, Factor)
        factor = found
        assert factor.lower == pytest.approx(np.linalg.cholesky(gram[np.ix_(places, places)]), abs=1e-9)


def test_a_column_that_depends_on_those_before_it_is_named() -> None:
    columns = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 2, 0]])
    gram = columns @ columns.T
    whole = NO_FACTOR.of(gram, np.array([0, 1, 2]))
    assert isinstance(whole, Factor)
    assert whole.of(gram, np.array([0, 1, 3])) == 2
