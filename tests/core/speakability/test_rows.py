"""Rows read a part at a time are the very numbers that the whole matrix holds."""

from typing import Any

import numpy as np
import pytest
import torch

from explorer.engine.answers.speakability.unembedding import StoredTensor
from explorer.engine.core.speakability.rows import Rows

TENSOR = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
STORED = StoredTensor(TENSOR)
KEPT = np.array([0, 3, 4, 9, 30, 48])
GAIN = np.linspace(0.5, 2, 6)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.engine.core.speakability.rows.PART", 4 * 6)


@pytest.mark.parametrize("kept", [None, KEPT, np.arange(41)])
@pytest.mark.parametrize("gain", [None, GAIN])
def test_parts_are_the_stored_numbers_times_the_gain(kept: Any, gain: Any) -> None:
    whole = TENSOR.double().numpy() * (1.0 if gain is None else gain)
    whole = whole if kept is None else whole[kept]
    rows = Rows(STORED, kept, gain)
    assert rows.shape == whole.shape
    assert np.array_equal(rows.whole(), whole)
    assert np.array_equal(np.concatenate([part for _, part in rows.parts()]), whole)
    assert max(len(part) for _, part in rows.parts()) == 4
    assert np.array_equal(rows[2], whole[2])
    assert np.array_equal(rows[np.array([5, 1])], whole[[5, 1]])
    x, weights = np.arange(12.0).reshape(2, 6), np.arange(float(len(whole)))
    np.testing.assert_allclose(rows.scores(x), x @ whole.T, rtol=1e-14, atol=1e-13)
    np.testing.assert_allclose(rows.along(x[1], whole[0]), (whole - whole[0]) @ x[1], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(rows.weighed(weights, whole[0]), weights @ (whole - whole[0]), rtol=1e-13, atol=1e-11)
    np.testing.assert_allclose(rows.mean, whole.mean(axis=0), rtol=1e-13, atol=1e-15)
    assert (rows.lengths >= np.linalg.norm(whole, axis=1)).all()


def test_rows_say_where_they_differ_and_whether_they_are_numbers() -> None:
    rows = np.arange(30.0).reshape(10, 3)
    rows[:, 1] = 7
    assert Rows(rows).differing.tolist() == [True, False, True]
    rows[4, 1] = 1e200  # its square is no number, it is one
    assert Rows(rows).are_finite
    assert not np.isfinite(Rows(rows).lengths[4])
    rows[9, 0] = -np.inf
    assert not Rows(rows).are_finite
    rows[9, 0] = np.nan
    assert not Rows(rows).are_finite


def test_rows_are_the_same_where_they_are_stored_and_scaled_alike() -> None:
    assert Rows(STORED, KEPT, GAIN).are(Rows(StoredTensor(TENSOR.clone()), KEPT.copy(), GAIN.copy()))
    assert not Rows(STORED, KEPT, GAIN).are(Rows(STORED, KEPT))
    assert not Rows(STORED, KEPT, GAIN).are(Rows(STORED, KEPT, 2 * GAIN))
    assert not Rows(STORED).are(Rows(STORED, KEPT))
