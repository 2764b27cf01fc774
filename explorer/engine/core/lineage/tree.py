"""A tree of models by how alike their answers to the same never-trained tokens are.

Average linkage on 1 - r; the support of a joint is the share of resamplings of the tokens in which it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from explorer.engine.core.lineage.exact import Matrix

RESAMPLES = 200
Own = Float64[np.ndarray, "models models tokens"]
"""r of two models' answers to the same token, symmetric."""


@dataclass(frozen=True)
class Joint:
    """Models under one joint of the tree, by their places."""

    members: frozenset[int]
    r: float
    """Mean between its two sides."""
    support: float


def find_joints(own: Own, seed: int) -> list[Joint]:
    """All joints, the nearest first; there is one less than there are models."""
    joints = _link(own.mean(axis=2))
    generator, tokens = np.random.default_rng(seed), own.shape[2]
    count = np.zeros(len(joints))
    for _ in range(RESAMPLES):
        drawn = generator.integers(0, tokens, tokens)
        found = {members for members, _ in _link(own[:, :, drawn].mean(axis=2))}
        count += [members in found for members, _ in joints]
    return [
        Joint(members, r, float(times) / RESAMPLES) for (members, r), times in zip(joints, count.tolist(), strict=True)
    ]


def reach_of_chance(matrices: Sequence[Matrix]) -> float:
    """The greatest mean r that answers to different tokens reach, 3 standard deviations above their mean."""
    return max(_reach(matrix) for matrix in matrices)


def _reach(matrix: Matrix) -> float:
    """Of the answers to different tokens: those to the same one are what is tested."""
    n = len(matrix)
    others = matrix[~np.eye(n, dtype=np.bool_)]
    return float(others.mean() + 3 * others.std() / np.sqrt(n))


def _link(r: Float64[np.ndarray, "models models"]) -> list[tuple[frozenset[int], float]]:
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    distance = 1 - r
    np.fill_diagonal(distance, 0)
    groups = [frozenset({place}) for place in range(len(r))]
    joints = []
    for one, other, height, _ in linkage(squareform(distance, checks=False), "average").tolist():
        groups.append(groups[int(one)] | groups[int(other)])
        joints.append((groups[-1], 1 - height))
    return joints
