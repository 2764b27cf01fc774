"""A line through an indicator against verdicts: counts, curves and areas, against SciPy and the filter's own masks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, mannwhitneyu

from explorer.base.records.verification import VERDICTS
from explorer.tables.tested import TokenVerdicts
from explorer.tables.thresholds import MeasuredScores, Share, Side, suspicious_side

RANDOM = np.random.default_rng(5)
VALUES = (RANDOM.integers(0, 60, 500) / 7).astype(np.float32)  # many ties
VALUES[:4] = np.nan
CHOICES = [VERDICTS.index(name) for name in ("verified", "weak", "rejected", "inconclusive", "not asked")]
VERDICTS_FOUND = np.where(RANDOM.random(500) < 0.5, 4, RANDOM.choice(CHOICES, 500)).astype(np.uint8)
VERDICTS_FOUND[(VALUES < 2) & (VERDICTS_FOUND == 2)] = 0
TESTED = TokenVerdicts("rule", "greatest P(token)", VERDICTS_FOUND, np.ones(500, np.float32))
USABLE = (VERDICTS_FOUND < 3) & np.isfinite(VALUES)
CALLED = VERDICTS_FOUND < 2


@pytest.mark.parametrize("side", ["low", "high"])
@pytest.mark.parametrize("line", [-1.0, 0.0, float(VALUES[50]), 3.333, 8.5, 99.0])
def test_a_line_counts_as_a_filter_does(side: Side, line: float) -> None:
    suspected = (np.float32(line) >= VALUES) if side == "low" else (np.float32(line) <= VALUES)
    cut = MeasuredScores(VALUES, TESTED, side).cut(line)
    hits = int((suspected & USABLE & CALLED).sum())
    assert cut.precision == Share(hits, int((suspected & USABLE).sum()))
    assert cut.recall == Share(hits, int((USABLE & CALLED).sum()))
    assert cut.false_positives == Share(int((suspected & USABLE & ~CALLED).sum()), int((USABLE & ~CALLED).sum()))


@pytest.mark.parametrize("side", ["low", "high"])
def test_every_number_is_a_line_and_the_curves_run_through_what_they_say(side: Side) -> None:
    found = MeasuredScores(VALUES, TESTED, side)
    lines = list(found.cuts())
    assert [line for line, _ in lines] == sorted({float(str(v)) for v in VALUES[USABLE]}, reverse=side == "high")
    assert all(found.cut(line) == cut for line, cut in lines)
    assert found.precision_recall is not None
    assert found.roc is not None
    assert found.precision_recall.x.tolist() == [cut.recall.value for _, cut in lines]
    assert found.precision_recall.y.tolist() == [cut.precision.value for _, cut in lines]
    assert found.roc.x.tolist() == [0.0, *(cut.false_positives.value for _, cut in lines)]
    assert found.roc.y.tolist() == [0.0, *(cut.recall.value for _, cut in lines)]


def test_the_area_is_scipy_s_and_the_better_side_is_found() -> None:
    called, others = VALUES[USABLE & CALLED].astype(float), VALUES[USABLE & ~CALLED].astype(float)
    greater = mannwhitneyu(others, called).statistic / (len(called) * len(others))
    low, high = MeasuredScores(VALUES, TESTED), MeasuredScores(VALUES, TESTED, "high")
    assert low.roc_auc == pytest.approx(greater, abs=1e-12)
    assert high.roc_auc == pytest.approx(1 - greater, abs=1e-12)
    assert suspicious_side(VALUES, TESTED) == "low"
    assert suspicious_side(-VALUES, TESTED) == "high"
    steps = np.array([[cut.recall.part, cut.precision.value] for _, cut in low.cuts()])
    gained = np.diff(steps[:, 0], prepend=0)
    assert low.average_precision == pytest.approx((gained * steps[:, 1]).sum() / steps[-1, 0], abs=1e-12)


def test_a_share_has_wilson_s_interval() -> None:
    expected = binomtest(7, 40).proportion_ci(method="wilson")
    assert Share(7, 40).interval == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert Share(0, 0).value is None
    assert Share(0, 0).interval == (0.0, 1.0)


def test_nothing_measured_and_nothing_called_have_no_curve() -> None:
    for code in (4, 2, 0):
        found = MeasuredScores(VALUES, TokenVerdicts("", "", np.full(500, code, np.uint8), VALUES))
        assert (found.roc, found.precision_recall, found.roc_auc, found.average_precision) == (None,) * 4
        assert len(list(found.cuts())) == (0 if code == 4 else len(np.unique(VALUES[4:])))
