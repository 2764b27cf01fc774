"""Groups of points: two clouds and a clump in a halo, against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.engine.core import clusters
from explorer.engine.core.clusters import STEPS, Clusters, find_clusters
from tests.behaviour.behaviour_fakes import run_through


def found(points: np.ndarray, seed: int = 0) -> Clusters:
    parts, result = run_through(find_clusters(points, seed))
    assert parts == list(range(STEPS))[: len(parts)]
    assert isinstance(result, Clusters)
    return result


def points(seed: int = 3) -> np.ndarray:
    random = np.random.default_rng(seed)
    cloud, other = random.normal(size=(3_000, 2)), random.normal(size=(600, 2)) * 0.3 + [6, 0]
    clump = np.array([-6.0, 2.0]) + 0.001 * random.normal(size=(20, 2))
    return np.concatenate([clump, cloud, other])


def test_a_tight_clump_stands_apart_the_most() -> None:
    result = found(points())
    assert set(result.labels[:20].tolist()) == {0}
    assert (result.labels == 0).sum() == 20
    assert list(result.apart) == sorted(result.apart, reverse=True)
    main = np.bincount(result.labels[20:3_020][result.labels[20:3_020] >= 0]).argmax()
    assert (result.labels[20:3_020] == main).mean() > 0.8
    assert main not in result.labels[3_020:]


def test_the_same_seed_gives_the_same_groups_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "MOST_CLUSTERED", 2_500)
    one, again = found(points()), found(points())
    assert one.sample == 2_500
    assert np.array_equal(one.labels, again.labels)
    assert one.apart == again.apart
    assert len(set(one.labels[:20].tolist())) == 1


@pytest.mark.parametrize("size", [0, 1, 20, 40])
def test_few_or_equal_points_have_no_groups_or_one(size: int) -> None:
    result = found(np.zeros((size, 2)))
    assert len(result.labels) == size
    assert len(result.apart) <= 1
