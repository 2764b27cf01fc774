"""Choosing ids: exact nuclei, honest shares, and streams of draws that depend on nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.engine.core.sampling import choose_greedy, choose_sampled, draws_of

ALMOST_ONE = math.nextafter(1.0, 0.0)


def logits_of(*shares: float) -> torch.Tensor:
    return torch.tensor([[math.log(share) if share else -math.inf for share in shares]])


def test_greedy_takes_the_lowest_id_of_equals() -> None:
    assert choose_greedy(torch.tensor([[0.0, 2.0, 2.0], [1.0, 1.0, 1.0], [0.0, -1.0, 3.0]])) == [1, 0, 2]


def test_each_draw_falls_into_its_share() -> None:
    logits = logits_of(0.5, 0.25, 0.25).expand(6, -1)
    assert choose_sampled(logits, 1.0, 1.0, [0.0, 0.49, 0.51, 0.74, 0.76, ALMOST_ONE]) == [0, 0, 1, 1, 2, 2]


def test_a_token_of_probability_zero_is_never_drawn() -> None:
    logits = logits_of(0.0, 1.0, 0.0).expand(3, -1)
    for top_p in (1.0, 0.999, 1e-9):
        assert choose_sampled(logits, 1.0, top_p, [0.0, 0.5, ALMOST_ONE]) == [1, 1, 1]


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.3, {2}), (0.45, {2, 0}), (0.7, {2, 0}), (0.75, {2, 0, 3}), (1.0, {0, 1, 2, 3})]
)
def test_the_nucleus_is_the_smallest_set_that_reaches_top_p(top_p: float, kept: set[int]) -> None:
    draws = [*np.linspace(0, 1, 400, endpoint=False), ALMOST_ONE]
    logits = logits_of(0.3, 0.1, 0.4, 0.2).expand(len(draws), -1)
    assert set(choose_sampled(logits, 1.0, top_p, draws)) == kept


def test_equals_enter_the_nucleus_by_id() -> None:
    logits = torch.zeros(200, 4)
    assert set(choose_sampled(logits, 1.0, 0.5, list(np.linspace(0, ALMOST_ONE, 200)))) == {0, 1}


def test_a_low_temperature_is_greedy_and_a_high_one_flat() -> None:
    logits = torch.tensor([[1.0, 1.1, 0.9]]).expand(100, -1)
    draws = list(np.linspace(0, ALMOST_ONE, 100))
    assert set(choose_sampled(logits, 1e-300, 1.0, draws)) == {1}
    flat = np.bincount(choose_sampled(logits, 1e6, 1.0, draws))
    assert flat.min() >= 33


def test_shares_follow_softmax_at_the_temperature() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    wanted = torch.softmax(logits.double() / 0.7, -1)[0].numpy()
    stream = draws_of(5, 0)
    draws = [stream.random() for _ in range(20_000)]
    shares = np.bincount(choose_sampled(logits.expand(len(draws), -1), 0.7, 1.0, draws), minlength=3) / len(draws)
    np.testing.assert_allclose(shares, wanted, atol=0.015)


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(st.integers(-6, 6), min_size=1, max_size=40),
    st.sampled_from([0.999999, 0.95, 0.5, 1e-6]),
    st.floats(0, 1, exclude_max=True),
)
def test_the_nucleus_is_that_of_a_sort_of_the_whole_vocabulary(values: list[int], top_p: float, draw: float) -> None:
    logits = torch.tensor([values], dtype=torch.float32)
    shares = logits.double().softmax(-1)[0].numpy()
    order = sorted(range(len(values)), key=lambda token_id: (-shares[token_id], token_id))
    kept = order[: int(np.searchsorted(np.cumsum(shares[order]), top_p)) + 1]
    wanted = kept[int(np.searchsorted(np.cumsum(shares[kept]), draw * shares[kept].sum(), side="right"))]
    (chosen,) = choose_sampled(logits, 1.0, top_p, [draw])
    assert chosen in kept
    # A draw that falls on an edge may land on either side of it.
    assert chosen == wanted or abs(kept.index(chosen) - kept.index(wanted)) == 1


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 50), st.integers(1, 6), st.sampled_from([1.0, 0.9, 0.4]))
def test_a_row_is_chosen_alike_in_any_batch(seed: int, rows: int, top_p: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, 40, generator=generator)
    draws = torch.rand(rows, generator=generator, dtype=torch.float64).tolist()
    together = choose_sampled(logits, 0.8, top_p, draws)
    alone = [choose_sampled(logits[row : row + 1], 0.8, top_p, draws[row : row + 1])[0] for row in range(rows)]
    assert together == alone


def test_streams_differ_by_seed_and_sample_and_repeat_for_both() -> None:
    first = {(seed, sample): draws_of(seed, sample).random() for seed in (0, 1, -1, 2**64 - 2) for sample in range(5)}
    assert len(set(first.values())) == len(first)
    assert draws_of(1, 4).random() == first[1, 4]
