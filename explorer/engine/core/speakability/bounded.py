"""With a bias, x in a ball or a box: one token's search, by cutting planes.

For a lead of at least `target` over a working set of rivals the search takes the shortest y that has it. If that is
inside the region and wins over the whole vocabulary it is a witness. If it sticks out of the region, the weights that
hold it there bound the lead of every admissible x; at 0 or below that is a proof, and otherwise the target is lowered.
In a box the walls that y sticks through enter as constraints too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from explorer.engine.core.speakability.geometry import Geometry
from explorer.engine.core.speakability.proposals import Proposal, WorkingSet, snapped
from explorer.engine.core.speakability.questions import Question, Weights, Witness

FIRST, MOST = 8, 256
WALLS = 512
"""Walls of a box that enter at once at most."""
ROUNDS = 300
TARGET, LEAST_TARGET = 1e-3, 1e-12
"""The lead first aimed at and the least, relative to radius times the mean length of a row."""
LEAST_DEFICIT = 1e-10
PROVED = -1e-13
SLACK = 4e-6
INSIDE = 1 - 1e-12
NOTHING = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Scaled:
    """Rows of mean length about 1 and the bias in their units, so that the region is the unit ball or box."""

    geometry: Geometry
    question: Question
    scale: float
    """Mean length of a centred row."""
    bias: Float64[np.ndarray, " vocab"]
    """bias / (radius · scale)."""

    def rows(self, token_ids: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n width"]:
        turned = np.asarray(self.geometry.turned_rows(token_ids) / self.scale)
        return np.asarray(turned @ self.geometry.axes.T) if self.question.mode == "box" else turned

    def inward(self, y: Float64[np.ndarray, " width"]) -> Float64[np.ndarray, " rank"]:
        """y in the coordinates of `geometry.turned`."""
        return np.asarray(self.geometry.axes.T @ y) if self.question.mode == "box" else y

    def point(self, y: Float64[np.ndarray, " width"]) -> Float64[np.ndarray, " d_model"]:
        """The x meant by y."""
        return self.question.radius * (y if self.question.mode == "box" else np.asarray(self.geometry.axes @ y))

    def size(self, y: Float64[np.ndarray, " width"]) -> float:
        """At most 1 for admissible y."""
        return float(np.abs(y).max() if self.question.mode == "box" else np.linalg.norm(y))

    def dual_size(self, v: Float64[np.ndarray, " width"]) -> float:
        """The most that v·y is for admissible y."""
        return float(np.abs(v).sum() if self.question.mode == "box" else np.linalg.norm(v))


class BoundedSearch:
    """One token's search."""

    def __init__(self, scaled: Scaled, token_id: int) -> None:
        self.token_id = token_id
        self.refusals = 0
        self._scaled = scaled
        self._row = scaled.rows(np.array([token_id]))[0]
        self._own_bias = float(scaled.bias[token_id])
        self._set = WorkingSet(len(self._row), len(scaled.bias), token_id)
        self._walls = np.zeros(2 * len(self._row), dtype=bool)
        self._target = TARGET * max(1.0, abs(self._own_bias))
        self._rounds = self._idle = 0
        self._bound = np.inf
        self._best: tuple[float, Int64[np.ndarray, " k"], Float64[np.ndarray, " k"]] = (np.inf, NOTHING, np.zeros(0))
        self._y = self._row / max(scaled.size(self._row), 1e-300) * INSIDE

    @property
    def direction(self) -> Float64[np.ndarray, " rank"]:
        """See `Search`."""
        return self._scaled.inward(self._y)

    def advance(self, scores: Float[np.ndarray, " vocab"]) -> Proposal | None:
        """See `Search`."""
        self._rounds += 1
        own = float(self._row @ self._y) + self._own_bias
        scores[self.token_id] = -np.inf
        lead = own - float(scores.max())
        slack = SLACK * (float(np.linalg.norm(self._y)) * (float(np.linalg.norm(self._row)) + 3) + self._largest_bias)
        admissible = self._scaled.size(self._y) <= 1
        if lead > slack and admissible:
            return self._witness()
        if lead > -slack:
            precise = self._scaled.geometry.scores(self.direction[None])[0] / self._scaled.scale + self._scaled.bias
            precise[self.token_id] = -np.inf
            if own > precise.max() and admissible and not self.refusals:
                return self._witness()
            scores = precise
        threshold = own - 0.999 * self._target if self._rounds > 1 else -np.inf
        entering = self._set.worst(scores, threshold, min(FIRST * 2 ** min(self._rounds - 1, 10), MOST))
        self._add(entering)
        entered = len(entering) + self._add_walls()
        rest = self._set.problem.solve(6 if entered else 50, stop=self._proved)
        if self._proved(rest):
            return self._weights()
        if self._rounds > ROUNDS:
            return self._give_up()
        return self._next(rest, entered)

    @property
    def _largest_bias(self) -> float:
        return float(np.abs(self._scaled.bias).max())

    def _bounds(self, labels: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        bounds = np.full(len(labels), -1.0)
        rivals = labels >= 0
        bounds[rivals] = self._target - self._own_bias + self._scaled.bias[labels[rivals]]
        return bounds

    def _add(self, token_ids: Int64[np.ndarray, " n"]) -> None:
        if len(token_ids):
            self._set.problem.add(self._row - self._scaled.rows(token_ids), self._bounds(token_ids), token_ids)

    def _add_walls(self) -> int:
        """Add the walls of the box that y sticks through, as ∓y_i ≥ −1, labelled −2 − i (and − width for the lower)."""
        if self._scaled.question.mode != "box":
            return 0
        width = len(self._y)
        through = np.flatnonzero(np.abs(self._y) > 1 + 1e-13)
        walls = np.where(self._y[through] > 0, through, width + through)
        walls = walls[~self._walls[walls]]
        if len(walls) > WALLS:
            walls = walls[np.argsort(-np.abs(self._y[walls % width]))[:WALLS]]
        if len(walls):
            self._walls[walls] = True
            normals = np.zeros((len(walls), width))
            normals[np.arange(len(walls)), walls % width] = np.where(walls < width, -1.0, 1.0)
            self._set.problem.add(normals, np.full(len(walls), -1.0), -2 - walls)
        return len(walls)

    def _next(self, rest: Float64[np.ndarray, " n"], entered: int) -> Proposal | None:
        """Choose where to look next, or lower the target where no admissible y attains it."""
        problem = self._set.problem
        hopeless = float(rest @ rest) < 1e-22 or rest[-1] <= 1e-13
        y = self._y if hopeless else self._shortest(rest)
        size = self._scaled.size(y)
        self._idle = self._idle + 1 if problem.optimal and not entered else 0
        outside = self._scaled.question.mode == "ball" and size > 1 + 1e-9
        if (problem.optimal and (hopeless or outside)) or self._idle >= 2:
            return self._lower_target()
        self._look_at(y)
        return None

    def _shortest(self, rest: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " width"]:
        _, weights, normals, _ = self._set.problem.support()
        return np.asarray(weights @ normals / rest[-1])

    def _look_at(self, y: Float64[np.ndarray, " width"]) -> None:
        size = self._scaled.size(y)
        if self._scaled.question.mode == "ball" and size > INSIDE:
            y = y / size * INSIDE
        elif self._scaled.question.mode == "box" and size <= 1 + 1e-9:
            y = np.clip(y, -1 + 1e-15, 1 - 1e-15)
        self._y = y

    def _lower_target(self) -> Proposal | None:
        if not np.isfinite(self._bound):
            return self._give_up()
        if self._target > 0:
            lower = 0.25 * min(self._bound, self._target) if self._bound > 0 else 0.01 * self._target
            if lower < LEAST_TARGET:
                # Weights that bound the lead at just about 0 need not be the best: would a deficit be impossible too?
                lower = -TARGET
        else:
            lower = 0.01 * self._target
            if lower > -LEAST_DEFICIT:
                return self._give_up()
        self._target, self._bound, self._idle = lower, np.inf, 0
        problem = self._set.problem
        problem.rebound(self._bounds(problem.labels[: problem.count]))
        rest = problem.solve(200, stop=self._proved)
        if self._proved(rest):
            return self._weights()
        if float(rest @ rest) > 1e-22 and rest[-1] > 1e-13:
            self._look_at(self._shortest(rest))
        return None

    def _proved(self, rest: Float64[np.ndarray, " n"]) -> bool:
        """Whether the weights bound the lead at 0 or below; keeps the least bound met."""
        problem = self._set.problem
        if len(problem.passive) == 0:
            return False
        labels, weights, normals, bounds = problem.support()
        rivals = labels >= 0
        total = float(weights[rivals].sum())
        if total <= 0:
            return False
        shift = self._target * total - float(weights[rivals] @ bounds[rivals])
        bound = (self._scaled.dual_size(weights[rivals] @ normals[rivals]) + shift) / total
        self._bound = min(self._bound, bound)
        if bound < self._best[0]:
            self._best = bound, labels[rivals], weights[rivals]
        return bound <= PROVED

    def _witness(self) -> Proposal:
        return Proposal(self.token_id, (Witness(self._scaled.point(self._y)),))

    def _weights(self) -> Proposal:
        return Proposal(self.token_id, (Weights(self._best[1], self._best[2]),))

    def _give_up(self) -> Proposal:
        _, labels, weights = self._best
        if not len(labels):
            return Proposal(self.token_id, (), final=True)
        claims: tuple[Witness | Weights, ...] = (*snapped(labels, weights), Witness(self._scaled.point(self._y)))
        return Proposal(self.token_id, claims, final=True)
