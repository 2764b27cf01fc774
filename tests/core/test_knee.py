"""The knee finds a cluster that stands apart, and nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.engine.core.knee import FENCE, find_knee

BULK = np.random.default_rng(0).normal(size=20_000)
CLUSTER = np.random.default_rng(1).normal(-7, 0.3, size=60)


def test_a_cluster_below_the_bulk_is_cut_off_whole() -> None:
    values = np.concatenate([BULK, CLUSTER])
    knee = find_knee(values)
    assert CLUSTER.max() < knee.threshold < BULK.min()
    assert "valley" in knee.rule
    assert "no valley" not in knee.rule


@pytest.mark.parametrize("shape", ["normal", "uniform", "skewed"])
def test_without_a_cluster_the_fence_stands_and_calls_next_to_nothing(shape: str) -> None:
    random = np.random.default_rng(5)
    values = {"normal": BULK, "uniform": random.random(20_000), "skewed": random.gamma(3, size=20_000)}[shape]
    knee = find_knee(values)
    spread = 1.4826 * np.median(np.abs(values - np.median(values)))
    assert knee.threshold == pytest.approx(np.median(values) - FENCE * spread)
    assert (values < knee.threshold).mean() < 1e-3
    assert "no valley" in knee.rule


def test_scaling_and_shifting_the_values_moves_the_knee_with_them() -> None:
    values = np.concatenate([BULK, CLUSTER])
    assert find_knee(values * 250 + 13).threshold == pytest.approx(find_knee(values).threshold * 250 + 13, rel=1e-9)


def test_one_or_two_stray_values_are_no_cluster() -> None:
    assert "no valley" in find_knee(np.concatenate([BULK, [-40.0, -40.1]])).rule


def test_constant_and_missing_values_call_nothing() -> None:
    same = np.full(100, 2.5)
    assert not (same < find_knee(same).threshold).any()
    assert find_knee(np.array([])).threshold == -np.inf
