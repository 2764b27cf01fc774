"""A neighbourhood laid out on the plane."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Num


def pca_plane(
    points: Num[np.ndarray, "n d"],
) -> tuple[Float64[np.ndarray, "n 2"], tuple[float, float]]:
    """The points on the plane of their two first principal components, and each one's share of the variance.

    Each axis points so that its coordinate of largest magnitude (the first of equals) is positive: the same
    points always give the same picture. An axis without variance (one point, equal points, points on a line)
    has coordinates and share 0. Raises `ValueError` where a coordinate is NaN or infinite.
    """
    exact = np.asarray(points, dtype=np.float64)
    if not np.isfinite(exact).all():
        raise ValueError("a point to be projected holds NaN or an infinity")
    plane = np.zeros((len(exact), 2))
    if exact.size == 0:
        return plane, (0.0, 0.0)
    centred = exact - exact.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    # What rounding leaves of points that agree: as large as the points were before centring.
    noise = np.finfo(np.float64).eps * max(exact.shape) * float(np.abs(exact).max())
    singular = np.where(singular > noise, singular, 0.0)
    total = float((singular**2).sum())
    shares = [0.0, 0.0]
    for axis in range(min(2, len(singular))):
        coordinates = left[:, axis] * singular[axis]
        sign = np.sign(coordinates[np.abs(coordinates).argmax()])
        plane[:, axis] = coordinates * sign
        shares[axis] = float(singular[axis] ** 2 / total) if total else 0.0
    return plane, (shares[0], shares[1])
