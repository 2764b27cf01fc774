"""In the ball with a bias: can the token win on the sphere, or only inside it?

A LayerNorm delivers x on the sphere, all but its epsilon. With a bias the region where a token wins can be a bounded
piece strictly inside the ball.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64

from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.questions import Witness


def sphere_witness(
    checker: Checker,
    token_id: int,
    inside: Float64[np.ndarray, " d_model"],
    directions: Iterable[Float64[np.ndarray, " d_model"]] = (),
) -> Witness | None:
    """An x of the ball's full length at which the token wins, sought along rays from a point `inside` where it wins:
    outwards, along the token's row, and along `directions`.

    Where the token is speakable in the cone and its witness there is among the directions, one is always found: the
    lead grows along such a ray. None is no proof that there is none.
    """
    question = checker.question
    if question.mode != "ball":
        raise ValueError(f"only a ball has a sphere, and the question is about the {question.mode}")
    rays = np.array([inside, checker.row_witness(token_id), *directions])
    rays = rays[np.linalg.norm(rays, axis=1) > 0]
    if question.mean_zero:
        rays = rays - rays.mean(axis=1, keepdims=True)
        inside = inside - inside.mean()
    if not len(rays):
        return None
    points = np.array([_on_sphere(inside, ray, question.radius) for ray in rays])
    leads = checker.margins([token_id] * len(points), points)
    best = int(leads.argmax())
    return Witness(points[best]) if leads[best] > 0 else None


def _on_sphere(
    start: Float64[np.ndarray, " d_model"], ray: Float64[np.ndarray, " d_model"], radius: float
) -> Float64[np.ndarray, " d_model"]:
    """Where the ray from `start` leaves the ball, short of rounding."""
    ray = ray / np.linalg.norm(ray)
    along = float(start @ ray)
    point = start + (-along + np.sqrt(max(0.0, along**2 - float(start @ start) + radius**2))) * ray
    return np.asarray(point * (radius * (1 - 1e-12) / max(float(np.linalg.norm(point)), 1e-300)))
