"""Groups of tokens that stand apart on a plane: scikit-learn's HDBSCAN."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from sklearn.cluster import HDBSCAN

MOST_CLUSTERED = 50_000
"""HDBSCAN compares each point with each: 7 s for so many on one core. Of larger vocabularies a sample is grouped."""
SMALLEST = 2000
"""The smallest group has a token in so many."""
NEAR = 10
"""Density is measured by the distance of the tenth nearest token."""
STEPS = 3


@dataclass(frozen=True)
class Clusters:
    """Groups by how far they stand apart from all other tokens, the one that stands apart the most first."""

    labels: Int[np.ndarray, " n"]
    """Place of the point's group; −1: it is in none."""
    apart: tuple[float, ...]
    """From each group's middle to the nearest token outside it, in units of the distance between its own tokens."""
    sample: int
    """Points that were grouped; each other one is in the group of the nearest of them."""


def find_clusters(points: Float[np.ndarray, "n 2"], seed: int) -> Generator[int, None, Clusters]:
    """Groups of points, each axis in units of its standard deviation; yields before each of `STEPS` steps."""
    yield 0
    if len(points) <= 2 * NEAR:
        return Clusters(np.full(len(points), -1), (), len(points))
    spread = points.std(axis=0)
    scaled = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    chosen = np.arange(len(points))
    if len(points) > MOST_CLUSTERED:
        chosen = np.sort(np.random.default_rng(seed).choice(len(points), MOST_CLUSTERED, replace=False))
    smallest = max(NEAR // 2, len(chosen) // SMALLEST)
    yield 1
    found = HDBSCAN(min_cluster_size=smallest, min_samples=NEAR, copy=True).fit_predict(scaled[chosen])
    yield 2
    tree = cKDTree(scaled[chosen])
    apart = np.array([_apart(tree, found == label) for label in range(found.max() + 1)])
    order = np.argsort(-apart, kind="stable")
    ranks = np.append(np.argsort(order), -1)  # label −1 stays −1
    labels = ranks[found][tree.query(scaled)[1]]
    return Clusters(labels, tuple(apart[order].tolist()), len(chosen))


def _apart(tree: cKDTree, members: np.ndarray) -> float:
    """How far a group stands apart from the others."""
    points = tree.data[members]
    between = np.median(tree.query(points, k=NEAR + 1)[0][:, -1])
    middle = points[np.abs(points - np.median(points, axis=0)).sum(axis=1).argmin()]
    distances, nearest = tree.query(middle, k=min(len(points) + 1, tree.n))
    outside = distances[~members[nearest]]
    return float(outside.min() / max(between, 1e-9)) if len(outside) else 0.0
