"""The tests of lineage on made-up answers: what is exact is checked against all permutations."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from explorer.engine.core.lineage import exact, similarity
from explorer.engine.core.lineage.similarity import Answers

N = 20


def answers(seed: int, n: int = N, outputs: int = 200) -> Answers:
    """Log-probabilities with much in common over tokens, as models have them."""
    generator = np.random.default_rng(seed)
    common = 3 * generator.standard_normal(outputs)
    logits = common + generator.standard_normal((n, outputs))
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), dtype=np.float32)


def child_of(base: Answers, seed: int, noise: float = 0.7) -> Answers:
    logits = base + noise * np.random.default_rng(seed).standard_normal(base.shape)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), dtype=np.float32)


def test_moments_and_p_are_those_of_all_permutations() -> None:
    matrix = np.random.default_rng(0).standard_normal((6, 6))
    sums = np.array([sum(matrix[row, column] for column, row in enumerate(order)) for order in permutations(range(6))])
    found = exact.permute(matrix, seed=1)
    assert found is not None
    observed = float(np.trace(matrix))
    assert found.excess == pytest.approx((observed - sums.mean()) / 6)
    assert found.z == pytest.approx((observed - sums.mean()) / sums.std())
    assert found.p == pytest.approx((sums >= observed - 1e-12).mean(), abs=0.006)


@pytest.mark.parametrize("n", [1, 4, 7])
def test_the_chance_of_fixed_points_is_counted_over_all_permutations(n: int) -> None:
    counts = [sum(place == to for place, to in enumerate(order)) for order in permutations(range(n))]
    for fixed in range(n + 1):
        wanted = sum(count >= fixed for count in counts) / math.factorial(n)
        assert exact.fixed_points_p(fixed, n) == pytest.approx(wanted)
    assert exact.least_p(n) == pytest.approx(1 / math.factorial(n))


@pytest.mark.parametrize(("fixed", "n", "p"), [(3, 20, 0.0803), (6, 20, 5.9e-4), (10, 40, 1.1e-7), (20, 20, 4.1e-19)])
def test_published_chances_of_fixed_points(fixed: int, n: int, p: float) -> None:
    assert exact.fixed_points_p(fixed, n) == pytest.approx(p, rel=0.03)


@pytest.mark.parametrize("name", similarity.STATISTICS)
def test_every_statistic_finds_a_child_and_no_stranger(name: str) -> None:
    statistic = similarity.STATISTICS[name]
    base = answers(0)
    related = statistic(base, child_of(base, 1))
    permuted, matched = exact.permute(related, 0), exact.match(related, 0)
    assert permuted is not None
    assert matched is not None
    assert exact.combine(permuted.p, matched.p) < 1e-4
    assert exact.area_under_curve(related) > 0.55
    stranger = exact.permute(statistic(base, answers(2)), 0)
    assert stranger is None or stranger.p > 0.01


def test_strangers_give_uniform_p_although_they_share_most_of_what_they_say() -> None:
    found = []
    for seed in range(400):
        generator = np.random.default_rng(1000 + seed)
        common = 3 * generator.standard_normal(60)  # the data that both learned from
        logits = [(common + generator.standard_normal((12, 60))).astype(np.float32) for _ in range(2)]
        permuted = exact.permute(similarity.pearson(logits[0], logits[1]), seed, draws=999)
        assert permuted is not None
        found.append(permuted.p)
    assert stats.kstest(found, "uniform").pvalue > 0.01
    print(len(found), stats.kstest(found, "uniform").pvalue, np.mean(np.array(found) <= 0.05))
    assert 0.03 <= np.mean(np.array(found) <= 0.05) <= 0.07


def test_a_child_that_is_surer_of_everything_has_the_same_r() -> None:
    base = answers(0)
    child = child_of(base, 1)
    sure = 6 * child
    sure -= np.log(np.exp(sure.astype(np.float64)).sum(axis=1, keepdims=True)).astype(np.float32)
    plain, collapsed = (exact.permute(similarity.pearson(base, each), 0) for each in (child, sure))
    assert plain is not None
    assert collapsed is not None
    assert collapsed.z == pytest.approx(plain.z, abs=1e-4)


def test_what_tells_nothing_is_never_significant() -> None:
    constant = np.full((N, N), 0.3) + 1e-9 * np.random.default_rng(0).standard_normal((N, N))
    broken = np.random.default_rng(0).standard_normal((N, N))
    broken[3, 4] = np.nan
    by_row = np.tile(np.arange(N, dtype=np.float64)[:, None], N)  # rows differ, answers do not
    for matrix in (constant, broken, by_row):
        assert exact.permute(matrix, 0) is None
        assert exact.match(matrix, 0) is None
        assert not exact.standardise(matrix).any()


def test_ties_do_not_favour_the_truth() -> None:
    """Only two columns tell anything: an assignment of the others is arbitrary and must not be the identity."""
    matrix = np.zeros((N, N))
    matrix[0, 1] = matrix[1, 0] = 1.0
    fixed = [exact.match(matrix, seed) for seed in range(40)]
    assert np.mean([each.fixed for each in fixed if each is not None]) < 3


def test_prompts_add_up_in_units_of_their_own_null() -> None:
    base = answers(0)
    parts = [similarity.pearson(base, child_of(base, seed, noise=2.0)) for seed in range(4)]
    single = [exact.permute(part, 0) for part in parts]
    together = exact.permute(sum((exact.standardise(part) for part in parts), np.zeros((N, N))), 0)
    assert together is not None
    assert together.z > max(each.z for each in single if each is not None)
    loud = exact.permute(exact.standardise(1000 * parts[0]) + exact.standardise(parts[1]), 0)
    quiet = exact.permute(exact.standardise(parts[0]) + exact.standardise(parts[1]), 0)
    assert loud is not None
    assert quiet is not None
    assert loud.z == pytest.approx(quiet.z)


def test_holm_is_stepped_down() -> None:
    assert exact.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert exact.holm([0.5, 1e-6]) == pytest.approx([0.5, 2e-6])
    assert exact.holm([]) == []


def test_flipped_signs_reject_what_lies_above_zero_alone() -> None:
    generator = np.random.default_rng(0)
    noise = generator.standard_normal(N)
    assert exact.flip_signs(np.abs(noise) + 0.1, 0) < 1e-4
    assert 0.01 < exact.flip_signs(noise - noise.mean(), 0) < 0.99
    assert exact.flip_signs(-np.abs(noise), 0) > 0.99
    few = exact.flip_signs(np.ones(5), 0)
    assert few == pytest.approx(1 / 32, abs=0.003)


def test_the_targets_of_the_post_are_the_childs_favourites() -> None:
    base, child = answers(0, n=3, outputs=5), answers(1, n=3, outputs=5)
    matrix = similarity.target(base, child)
    for token in range(3):
        assert (matrix[:, token] == base[:, child[token].argmax()].astype(np.float64)).all()
    shown = similarity.top_k(base, child, 2)
    for g in range(3):
        for j in range(3):
            both = set(np.argsort(-base[g])[:2]) & set(np.argsort(-child[j])[:2])
            wanted = sum(math.exp((float(base[g, v]) + float(child[j, v])) / 2) for v in both)
            assert shown[g, j] == pytest.approx(wanted, rel=1e-5)
