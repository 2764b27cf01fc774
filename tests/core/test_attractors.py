"""Bifurcation on made-up answers: what an attractor is, and both nulls against all permutations."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from explorer.engine.core.lineage.attractors import Prompt, bifurcate, find_attractors
from explorer.engine.core.lineage.similarity import Answers
from tests.core.test_exact_lineage import answers, child_of


def rows(*shares: tuple[float, ...]) -> Answers:
    return np.asarray(np.log(np.array(shares)), dtype=np.float32)


def test_an_attractor_is_likely_and_the_tokens_own() -> None:
    base = rows((0.50, 0.30, 0.019, 0.181), (0.50, 0.01, 0.001, 0.489), (0.50, 0.01, 0.001, 0.489))
    found = find_attractors(base)
    assert found[0].tolist() == [
        False,
        True,
        False,
        False,
    ]  # common to all; own; own but below 2 %; rarer than elsewhere
    assert not found[1:, :3].any()


def sharp(base: Answers, seed: int) -> Answers:
    """A child that took one of the base's likeliest three after each token."""
    child = base.copy()
    chosen = np.argsort(-base, axis=1)[np.arange(len(base)), np.random.default_rng(seed).integers(0, 3, len(base))]
    child[np.arange(len(base)), chosen] = 0.0
    return child


def test_children_that_took_different_attractors_are_found_and_strangers_are_not() -> None:
    bases = [3 * answers(seed) for seed in range(2)]
    bases = [base - np.log(np.exp(base).sum(axis=1, keepdims=True)) for base in bases]
    found = bifurcate([(base, sharp(base, 1), sharp(base, 2)) for base in bases], 0)
    assert found.p is not None
    assert found.p < 0.005
    assert found.apart.sum() >= 3 * found.null
    assert found.apart.shape == (2, 20)
    stranger = bifurcate([(base, sharp(base, 1), answers(7)) for base in bases], 0)
    assert stranger.p is None or stranger.p > 0.01


def test_two_children_of_a_stranger_share_no_attractors_of_this_base() -> None:
    """Permuting both together would call them bifurcated: both go together, but not with the base."""
    p_values = []
    for seed in range(20):
        base, stranger = 2 * answers(seed), 2 * answers(100 + seed)
        found = bifurcate([(base, child_of(stranger, 1), child_of(stranger, 2))], 0)
        p_values.append(1.0 if found.p is None else found.p)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15


def test_the_null_is_the_mean_over_all_permutations() -> None:
    base = 2 * answers(0, n=5, outputs=12)
    prompts: list[Prompt] = [(base, sharp(base, 1), sharp(base, 2)) for _ in range(2)]
    found = bifurcate(prompts, 0)

    def apart(first: tuple[int, ...], second: tuple[int, ...]) -> int:
        total = 0
        for said, one, other in prompts:
            drawn, ours, theirs = find_attractors(said), one.argmax(axis=1), other.argmax(axis=1)
            for g in range(5):
                a, b = ours[first[g]], theirs[second[g]]
                total += bool(drawn[g, a] and drawn[g, b] and a != b)
        return total

    same = tuple(range(5))
    every = list(permutations(range(5)))
    assert apart(same, same) == found.apart.sum()
    means = [np.mean([apart(same, order) for order in every]), np.mean([apart(order, same) for order in every])]
    assert found.null == pytest.approx(max(means))


def test_without_attractors_nothing_is_told() -> None:
    flat = np.full((10, 30), -np.log(30), dtype=np.float32)
    found = bifurcate([(flat, answers(1, 10, 30), answers(2, 10, 30))], 0)
    assert (found.attractors, found.same, found.apart.sum(), found.p) == (0.0, 0, 0, None)
