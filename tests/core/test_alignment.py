"""Rows of two models laid over each other, against SciPy's Procrustes and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import procrustes

from explorer.engine.core import alignment
from explorer.engine.core.alignment import Alignment, align_rows, share_kept


def aligned(ours: torch.Tensor, theirs: torch.Tensor) -> Alignment:
    everyone = torch.arange(len(ours))
    work = align_rows(ours, everyone, theirs, everyone)
    said = []
    while True:
        try:
            said.append(next(work))
        except StopIteration as finished:
            assert said == sorted(said)
            assert said[-1] == 2 * len(ours)
            found: Alignment = finished.value
            return found


def cloud(seed: int, width: int = 6, count: int = 70) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, width, generator=generator) * torch.linspace(3, 0.5, width)


def test_rows_that_are_only_turned_shifted_and_scaled_have_not_moved() -> None:
    ours = cloud(0)
    turn, _ = torch.linalg.qr(cloud(1, 6, 6))
    found = aligned(ours, 3 * ours @ turn + 7)
    assert found.moved.max() < 1e-3
    assert found.disparity < 1e-6


def test_the_token_that_moved_is_found() -> None:
    ours = cloud(0)
    theirs = ours.clone()
    theirs[17] += 4 * ours.std()
    assert int(aligned(ours, theirs).moved.argmax()) == 17


@pytest.mark.parametrize("block", [7, 8192])
def test_the_disparity_is_scipys_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(alignment, "_BLOCK", block)
    ours, theirs = cloud(0), cloud(0) + cloud(5)
    assert aligned(ours, theirs).disparity == pytest.approx(procrustes(ours.numpy(), theirs.numpy())[2], rel=1e-5)


def test_widths_may_differ() -> None:
    ours, narrow = cloud(0), cloud(0)[:, :4]
    padded = torch.cat([narrow, torch.zeros(len(narrow), 2)], dim=1)
    expected = procrustes(ours.numpy(), padded.numpy())[2]
    assert aligned(ours, narrow).disparity == pytest.approx(expected, rel=1e-5)
    assert aligned(narrow, ours).disparity == pytest.approx(expected, rel=1e-5), "either way round"


def test_strangers_are_as_far_apart_as_rows_are_from_their_mean() -> None:
    moved = aligned(cloud(0, 6, 3000), cloud(9, 6, 3000)).moved
    assert float(moved.square().mean()) == pytest.approx(1, abs=0.02)


def test_the_share_of_neighbours_kept_counts_those_that_there_are() -> None:
    ours = torch.tensor([[1, 2, 3, 4], [0, 2, -1, -1]])
    theirs = torch.tensor([[4, 9, 1, 8], [2, 7, 0, -1]])
    np.testing.assert_allclose(share_kept(ours, theirs), [0.5, 1.0])
