"""Laws of the projection to the plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.engine.core.projection import pca_plane


def cloud(seed: int, count: int = 30, width: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width)) * np.linspace(3, 0.1, width)


def test_points_in_a_plane_keep_their_distances() -> None:
    flat = np.random.default_rng(0).standard_normal((20, 2)) @ np.linalg.qr(cloud(1, 9, 2))[0].T + 5
    plane, shares = pca_plane(flat)
    between = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(plane[:, None] - plane[None], axis=2), between, atol=1e-12)
    assert sum(shares) == pytest.approx(1)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_variance_of_the_axes_is_what_the_shares_say(seed: int) -> None:
    points = cloud(seed)
    plane, shares = pca_plane(points)
    np.testing.assert_allclose(plane.var(axis=0) / points.var(axis=0).sum(), shares, rtol=1e-9)
    assert shares[0] >= shares[1] >= 0
    np.testing.assert_allclose(plane.mean(axis=0), 0, atol=1e-12)


def test_mirroring_or_moving_the_points_gives_the_same_picture() -> None:
    points = cloud(2)
    for other in (points + 7, points @ np.linalg.qr(cloud(3, 12, 12))[0]):
        np.testing.assert_allclose(pca_plane(other)[0], pca_plane(points)[0], atol=1e-9)


@pytest.mark.parametrize("points", [np.ones((1, 4)), np.full((5, 4), 0.1), np.zeros((3, 1)), np.zeros((0, 4))])
def test_points_without_variance_stand_at_the_origin(points: np.ndarray) -> None:
    plane, shares = pca_plane(points)
    assert plane.shape == (len(points), 2)
    assert not plane.any()
    assert shares == (0.0, 0.0)


def test_points_on_a_line_have_one_axis() -> None:
    plane, shares = pca_plane(np.outer([1.0, 2.0, 4.0], [0.1, 0.7, -0.3]) + 3)
    assert shares == (1.0, 0.0)
    assert not plane[:, 1].any()
    assert np.abs(plane[:, 0]).argmax() == 2
    assert plane[2, 0] > 0


def test_a_point_that_is_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN or an infinity"):
        pca_plane(np.array([[0.0, np.nan]]))
