"""What the biases amount to: whether they only move x, and how far x can go."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.geometry import Geometry
from explorer.engine.core.speakability.questions import Question

INSIDE = 1 - 1e-12
FITS, FASTER = 12, 0.5
"""Corrections of the fit at most, while each takes this share of the rest away; the axes of all rows need but one."""
NEARLY = 1e-6
"""Biases whose part that is not linear in the rows is smaller than this share of them count as linear in the search."""


@dataclass(frozen=True)
class Biases:
    """All biases of a question, and the point x at which they cancel, if there is one inside the region."""

    question: Question
    total: Float64[np.ndarray, " vocab"] | None
    """bias + (rows − mean) @ shift, less a constant; None where it is one."""
    linear: bool
    """Whether tokens win where they would without a bias, seen from `origin`."""
    origin: Float64[np.ndarray, " d_model"]

    @classmethod
    def of(cls, checker: Checker, geometry: Geometry) -> Biases:
        """Work it out by least squares of the biases on the rows; a shift is linear in them already."""
        question, rows, nowhere = checker.question, checker.rows, np.zeros(checker.rows.shape[1])
        total = checker.bias - checker.bias.mean()
        if checker.shift.any():
            total = total + rows.along(checker.shift, geometry.mean)
        if np.ptp(total) == 0:
            return cls(question, None, True, nowhere)
        if not len(geometry.deviations):
            return cls(question, total, False, nowhere)
        slope, rest = _fit(geometry, total, geometry.axes.T @ checker.shift)
        origin = -np.asarray(geometry.axes @ slope)
        size = np.abs(origin).max() if question.mode == "box" else np.linalg.norm(origin)
        linear = np.ptp(rest) <= NEARLY * np.ptp(total) and size < question.radius * (1 - 1e-6)
        return cls(question, total, bool(linear), origin if linear else nowhere)

    def extend(self, direction: Float64[np.ndarray, " d_model"]) -> Float64[np.ndarray, " d_model"]:
        """The admissible x farthest from `origin` in a direction (0 stays at the origin)."""
        radius = self.question.radius * INSIDE
        longest = float(np.abs(direction).max(initial=0.0))
        if longest == 0:
            return self.origin
        along = direction / longest
        if self.question.mode == "box":
            moving = along != 0
            room = (radius - np.sign(along[moving]) * self.origin[moving]) / np.abs(along[moving])
            return np.clip(self.origin + float(room.min()) * along, -radius, radius)
        a, b, c = along @ along, along @ self.origin, self.origin @ self.origin - radius**2
        x = self.origin + (-b + np.sqrt(b * b - a * c)) / a * along
        return np.asarray(x * min(1.0, radius / float(np.linalg.norm(x))))


def bound_below(
    bias: Float64[np.ndarray, " vocab"], longest: float, shift: Float64[np.ndarray, " d_model"] | None, width: int
) -> Float64[np.ndarray, " vocab"]:
    """The biases with finite numbers for minus infinity (tokens that a model forbids), and the same verdicts.

    The numbers are so low that at every x of any question some token that is not forbidden scores more: forbidden
    tokens never win, and whether another token leads does not depend on them. `longest`: at least every row's length.
    """
    forbidden = np.isneginf(bias)
    if not forbidden.any() or forbidden.all():
        return bias
    # x is in the ball or the box, or a token's own row.
    reach = max(math.sqrt(width), longest) + (0.0 if shift is None else float(np.linalg.norm(shift)))
    return np.where(forbidden, bias[~forbidden].min() - 4 * longest * reach - 1, bias)


def _fit(
    geometry: Geometry, total: Float64[np.ndarray, " vocab"], slope: Float64[np.ndarray, " rank"]
) -> tuple[Float64[np.ndarray, " rank"], Float64[np.ndarray, " vocab"]]:
    """The slope along each axis, begun with `slope`, and what is left of `total`."""
    rest = total - geometry.scores(slope[None])[0]
    for _ in range(FITS):
        if np.ptp(rest) <= NEARLY * np.ptp(total):
            break
        step = geometry.weighed(rest) / (geometry.deviations**2 * len(total))
        better = rest - geometry.scores(step[None])[0]
        if np.linalg.norm(better) >= np.linalg.norm(rest):
            break
        stays = np.linalg.norm(better) > FASTER * np.linalg.norm(rest)
        slope, rest = slope + step, better
        if stays:
            break
    return slope, rest
