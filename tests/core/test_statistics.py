"""Laws of intervals and of detector scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from explorer.base.shares import wilson_interval
from explorer.tables.agreement import average_precision, roc_auc
from tests.shapes import unchecked

ITEMS = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=30).filter(
    lambda items: len({label for _, label in items}) == 2
)


def arrays(items: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([score for score, _ in items]), np.array([label for _, label in items])


@given(st.integers(1, 200), st.data())
def test_the_wilson_interval_is_scipy_s(n: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, n))
    expected = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_interval_of_none_of_eight_is_the_published_one() -> None:
    low, high = wilson_interval(0, 8)
    assert low == 0
    assert round(high, 3) == 0.324
    assert wilson_interval(8, 8)[1] == 1
    assert wilson_interval(0, 0) == (0, 1)


def test_what_is_no_share_is_refused() -> None:
    for successes, n, confidence in ((3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)):
        with pytest.raises(ValueError, match=r"share|confidence"):
            wilson_interval(successes, n, confidence)


@given(ITEMS)
def test_roc_auc_counts_the_pairs_in_order(items: list[tuple[int, bool]]) -> None:
    pairs = [(high > low) + (high == low) / 2 for high, a in items if a for low, b in items if not b]
    assert roc_auc(*arrays(items)) == pytest.approx(sum(pairs) / len(pairs))


@given(ITEMS)
def test_turning_the_scores_round_turns_the_auc_round(items: list[tuple[int, bool]]) -> None:
    scores, labels = arrays(items)
    assert roc_auc(-scores, labels) == pytest.approx(1 - roc_auc(scores, labels))


@given(ITEMS)
def test_average_precision_is_the_mean_precision_at_each_label(items: list[tuple[int, bool]]) -> None:
    scores, labels = arrays(items)
    expected = np.mean([labels[scores >= score].mean() for score in scores[labels]])
    assert average_precision(scores, labels) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scores", "labels"), [([1.0, np.nan], [True, False]), ([1.0, 2.0], [True, True]), ([1.0], [True, False])]
)
def test_scores_that_say_nothing_are_refused(scores: list[float], labels: list[bool]) -> None:
    with pytest.raises(ValueError, match=r"NaN|needed|shape"):
        unchecked(roc_auc, np.array(scores), np.array(labels))
