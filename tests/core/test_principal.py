"""Principal components of a whole matrix against a singular value decomposition in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.engine.core.principal import COMPONENTS, Components, counted_rows, find_components


def components(matrix: torch.Tensor, known: int | None = None) -> Components:
    work = find_components(matrix, counted_rows(matrix, len(matrix) if known is None else known))
    while True:
        try:
            next(work)
        except StopIteration as finished:
            found: Components = finished.value
            return found


def matrix_of(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    spread = 3.0 * 0.8 ** torch.arange(width)
    return torch.randn(rows, width, generator=generator) * spread + 5.0


@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
def test_they_are_those_of_the_decomposition(scale: float) -> None:
    matrix = matrix_of(9_000, 24) * scale
    found = components(matrix)
    exact = matrix.double().numpy() / scale
    left, singular, _ = np.linalg.svd(exact - exact.mean(axis=0), full_matrices=False)
    shares = singular**2 / (singular**2).sum()
    assert found.shares == pytest.approx(shares[:COMPONENTS], rel=1e-4)
    for axis in range(COMPONENTS):
        expected = left[:, axis] * singular[axis]
        expected *= np.sign(expected[np.abs(expected).argmax()])
        assert found.coordinates[:, axis].numpy() / scale == pytest.approx(expected, abs=2e-3 * singular[0] / 95)


def test_rows_of_zeros_nan_and_padding_count_nowhere() -> None:
    clean = matrix_of(500, 16)
    odd = torch.cat([clean, torch.zeros(2, 16), torch.full((1, 16), torch.nan), torch.full((3, 16), 100.0)])
    found, expected = components(odd, known=503), components(clean)
    assert torch.allclose(found.coordinates[:500], expected.coordinates, atol=1e-4)
    assert found.coordinates[500:].isnan().all()
    assert found.shares == pytest.approx(expected.shares, rel=1e-5)


def test_a_matrix_gives_one_picture_whichever_sign_its_rows_have() -> None:
    matrix = matrix_of(300, 12)
    first = components(matrix).coordinates
    assert torch.equal(first, components(matrix).coordinates)
    farthest = first[first.abs().argmax(dim=0), torch.arange(COMPONENTS)]
    assert (farthest > 0).all()


def test_axes_along_which_nothing_differs_are_zero() -> None:
    line = torch.linspace(0, 1, 50)[:, None] * torch.tensor([[3.0, 4.0, 0.0]]) + 1.0
    found = components(line)
    assert found.shares[0] == pytest.approx(1.0)
    assert found.shares[1:] == (0.0,) * (COMPONENTS - 1)
    assert (found.coordinates[:, 1:] == 0).all()
    assert float(found.coordinates[:, 0].max() - found.coordinates[:, 0].min()) == pytest.approx(5.0, rel=1e-5)


@pytest.mark.parametrize("matrix", [torch.ones(5, 4), torch.zeros(5, 4), torch.full((5, 4), torch.nan)])
def test_equal_rows_and_no_rows_have_no_shares(matrix: torch.Tensor) -> None:
    assert components(matrix).shares == (0.0,) * COMPONENTS
