"""Laws of next-token distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax as reference

from explorer.engine.core.logprobs import entropy, log_softmax, ranks, top_k


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_logprobs_are_float32_and_close_to_float64(dtype: torch.dtype) -> None:
    logits = (10 * torch.randn(2, 5000, generator=torch.Generator().manual_seed(0))).to(dtype)
    found = log_softmax(logits)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, reference(logits.double().numpy(), axis=-1), atol=5e-6)


def test_probabilities_add_up_to_one_and_ignore_a_common_offset() -> None:
    logits = torch.randn(1000, generator=torch.Generator().manual_seed(1))
    assert float(log_softmax(logits).double().exp().sum()) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(log_softmax(logits + 64), log_softmax(logits), atol=2e-5, rtol=0)


def test_entropy_is_that_of_the_textbook() -> None:
    uniform = log_softmax(torch.zeros(8))
    certain = log_softmax(torch.tensor([0.0, -math.inf, -math.inf]))
    coin = log_softmax(torch.tensor([3.0, 3.0, -math.inf]))
    found = [float(entropy(logprobs)) for logprobs in (uniform, certain, coin)]
    assert found == pytest.approx([math.log(8), 0, math.log(2)], abs=1e-6)
    assert entropy(uniform.repeat(3, 1)).shape == (3,)


def test_entropy_of_nothing_known_is_nan() -> None:
    assert math.isnan(float(entropy(log_softmax(torch.tensor([math.nan, 0.0])))))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.integers(-1, 40))
@settings(max_examples=60, deadline=None)
def test_top_k_is_a_sort_by_probability_then_id(values: list[int], k: int) -> None:
    logprobs = torch.tensor(values, dtype=torch.float32)
    expected = sorted(range(len(values)), key=lambda i: (-values[i], i))[: max(k, 0)]
    assert top_k(logprobs, k).tolist() == expected


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_rank_counts_the_strictly_better(values: list[int]) -> None:
    row = torch.tensor([values], dtype=torch.float32)
    assert ranks(row, row)[0].tolist() == [sum(other > value for other in values) for value in values]
