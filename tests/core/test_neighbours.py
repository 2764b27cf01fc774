"""Laws of nearest neighbours."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from explorer.base.records.neighbours import Metric
from explorer.engine.core.neighbours import distances_to, nearest

METRICS = get_args(Metric)


def rows_of(seed: int, count: int = 300, width: int = 16) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def brute_force(rows: Tensor, token_id: int, k: int, metric: Metric) -> list[int]:
    exact = rows.double().numpy()
    own = exact[token_id]
    if metric == "euclidean":
        distance = np.linalg.norm(exact - own, axis=1)
    elif metric == "cosine":
        distance = 1 - exact @ own / (np.linalg.norm(exact, axis=1) * np.linalg.norm(own))
    else:
        distance = -(exact @ own)
    others = [i for i in range(len(rows)) if i != token_id]
    return sorted(others, key=lambda i: (distance[i], i))[:k]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_nearest_are_those_of_a_full_sort(metric: Metric, dtype: torch.dtype) -> None:
    rows = rows_of(1).to(dtype)
    for token_id in (0, 7, 299):
        assert nearest(rows, token_id, 25, metric).token_ids.tolist() == brute_force(rows, token_id, 25, metric)


@given(st.integers(0, 10**6), st.sampled_from(METRICS), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_ties_stand_by_id(seed: int, metric: Metric, k: int) -> None:
    kinds = rows_of(seed, 3, 5)
    rows = kinds[torch.randint(0, 3, (20,), generator=torch.Generator().manual_seed(seed))]
    found = nearest(rows, 0, k, metric)
    ranked = list(zip(found.distances.tolist(), found.token_ids.tolist(), strict=True))
    assert ranked == sorted(ranked)
    distances = distances_to(rows, 0, metric).tolist()
    expected = sorted((distance, i) for i, distance in enumerate(distances) if i)[:k]
    assert ranked == expected


def test_relabelling_tokens_relabels_neighbours() -> None:
    rows = rows_of(2)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(3))
    place = torch.argsort(order)
    before, after = nearest(rows, 5, 10, "cosine"), nearest(rows[order], int(place[5]), 10, "cosine")
    assert place[before.token_ids].tolist() == after.token_ids.tolist()


@pytest.mark.parametrize("metric", METRICS)
def test_the_token_itself_ineligible_and_broken_rows_are_left_out(metric: Metric) -> None:
    rows = rows_of(4, 7)
    rows[2] = float("nan")
    rows[6, 0] = float("inf")
    eligible = np.array([True, True, True, True, False, True, True])
    assert sorted(nearest(rows, 0, 100, metric, eligible).token_ids.tolist()) == [1, 3, 5]


def test_a_token_is_at_distance_0_to_itself_and_under_dot_at_minus_its_squared_norm() -> None:
    rows = rows_of(5)
    assert nearest(rows, 3, 1, "euclidean").own_distance == 0
    assert nearest(rows, 3, 1, "cosine").own_distance == pytest.approx(0, abs=1e-15)
    squared = float(rows[3].double() @ rows[3].double())
    assert nearest(rows, 3, 1, "dot").own_distance == pytest.approx(-squared, rel=1e-12)


def test_order_is_exact_where_float32_could_not_tell() -> None:
    rows = torch.zeros(4, 2, dtype=torch.float32)
    rows[0] = torch.tensor([4096.0, 0.0])
    rows[1] = torch.tensor([4096.0, 2**-11])
    rows[2] = torch.tensor([4096.0, 2**-12])
    rows[3] = torch.tensor([4096.0, 2**-10])
    assert nearest(rows, 0, 3, "euclidean").token_ids.tolist() == [2, 1, 3]
    assert nearest(rows, 0, 3, "cosine").token_ids.tolist() == [2, 1, 3]


def test_questions_without_an_answer_are_refused() -> None:
    rows = rows_of(6, 4)
    rows[3, 0] = float("inf")
    for token_id, k, reason in ((4, 1, "0 to 3"), (-1, 1, "0 to 3"), (0, 0, "at least 1"), (3, 1, "NaN or an inf")):
        with pytest.raises(ValueError, match=reason):
            nearest(rows, token_id, k, "dot")


def test_a_token_alone_has_no_neighbours() -> None:
    assert nearest(rows_of(7, 1), 0, 5, "euclidean").token_ids.size == 0
