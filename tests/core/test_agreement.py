"""Overlaps and curves, against their definitions and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from explorer.tables.agreement import (
    Curve,
    average_precision,
    confusion,
    jaccard,
    midranks,
    precision_recall_points,
    rank_correlation,
    roc_auc,
    roc_points,
    share_within_a_decade,
)

RANDOM = np.random.default_rng(3)
SCORES = RANDOM.integers(0, 40, size=300).astype(float)  # many ties
LABELS = RANDOM.random(300) < 0.05 + SCORES / 60


def test_an_overlap_is_symmetric_and_one_only_for_equal_sets() -> None:
    first, second = RANDOM.random(50) < 0.5, RANDOM.random(50) < 0.5
    assert jaccard(first, second) == jaccard(second, first) < 1
    assert jaccard(first, first) == 1
    assert jaccard(first, ~first) == 0
    nothing = np.zeros(4, dtype=bool)
    assert jaccard(nothing, nothing) == 1


def test_what_is_called_and_what_is_true_are_counted() -> None:
    called = RANDOM.random(300) < 0.3
    counts = confusion(called, LABELS)
    assert tuple(counts) == ((called & LABELS).sum(), (called & ~LABELS).sum(), (~called & LABELS).sum())
    assert counts.precision == pytest.approx(LABELS[called].mean())
    assert counts.recall == pytest.approx(called[LABELS].mean())
    nothing = np.zeros(300, dtype=bool)
    assert confusion(nothing, LABELS).precision is None
    assert confusion(called, nothing).recall is None


def area_under(curve: Curve) -> float:
    return float(np.trapezoid(curve.y, curve.x))


def test_the_area_under_the_roc_points_is_the_rank_statistic() -> None:
    curve = roc_points(SCORES, LABELS, most=1000)
    assert area_under(curve) == pytest.approx(roc_auc(SCORES, LABELS), abs=1e-12)
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert (np.diff(curve.x) >= 0).all()
    assert (np.diff(curve.y) >= 0).all()


def test_average_precision_is_the_sum_of_precision_over_recall_steps() -> None:
    curve = precision_recall_points(SCORES, LABELS, most=1000)
    summed = float((np.diff(curve.x, prepend=0) * curve.y).sum())
    assert summed == pytest.approx(average_precision(SCORES, LABELS), abs=1e-12)
    assert curve.y[-1] == pytest.approx(LABELS.mean())


def test_a_thinned_curve_is_a_part_of_the_whole_with_both_ends() -> None:
    scores = RANDOM.normal(size=5000)
    labels = RANDOM.random(5000) < 1 / (1 + np.exp(-scores))
    whole, thin = roc_points(scores, labels, most=10**6), roc_points(scores, labels, most=33)
    assert len(thin.x) <= 33 + 2
    assert set(zip(thin.x, thin.y, strict=True)) <= set(zip(whole.x, whole.y, strict=True))
    assert area_under(thin) == pytest.approx(area_under(whole), abs=0.01)


def test_curves_refuse_what_has_no_meaning() -> None:
    with pytest.raises(ValueError, match="NaN"):
        roc_points(np.array([1.0, np.nan]), np.array([True, False]))
    with pytest.raises(ValueError, match="both needed"):
        precision_recall_points(SCORES, np.ones(300, dtype=bool))


def test_rank_correlation_is_spearmans_and_midranks_share_ties() -> None:
    other = SCORES + RANDOM.normal(scale=10, size=300).round()
    assert rank_correlation(SCORES, other) == pytest.approx(spearmanr(SCORES, other).statistic, abs=1e-12)
    assert rank_correlation(SCORES, np.exp(SCORES / 9)) == pytest.approx(1)
    assert rank_correlation(SCORES, np.zeros(300)) is None
    assert rank_correlation(SCORES[:1], SCORES[:1]) is None
    assert midranks(np.array([5, 3, 5, 9])).tolist() == [1.5, 0, 1.5, 3]


def test_a_decade_is_a_factor_of_ten_either_way() -> None:
    ours = np.array([1e-3, 1e-3, 1e-3, 1e-3])
    assert share_within_a_decade(ours, np.array([1e-4, 1e-2, 9e-5, 1.1e-2])) == 0.5
    assert share_within_a_decade(ours[:0], ours[:0]) is None
