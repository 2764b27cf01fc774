"""Without a bias: is the token's row a vertex of the hull of all rows? One token's search, by cutting planes.

A bias that is linear in the rows, such as the shift of a LayerNorm, only moves x: the question is the same.

In whitened coordinates h the search holds a working set of rivals and the shortest y with y·(p − h_j) ≥ 1 for them,
where p = (1 + push) h_t is the token's row pushed outwards by a hair. Rivals that y does not satisfy enter. Either y
comes to win over the whole vocabulary (a witness), or there is no such y: then weights over rivals make p, and as p is
beyond h_t, h_t is inside the hull by more than rounding can spoil.

The mean of the rows is a rival from the start. Weight on it makes a proof sturdy, as the hull contains a ball round it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from explorer.engine.core.speakability.geometry import Geometry
from explorer.engine.core.speakability.proposals import Proposal, WorkingSet, snapped
from explorer.engine.core.speakability.questions import Weights, Witness

PUSH = 1e-7
DEEP, DEEP_FROM = 0.1, 3
"""From this round on a token is taken to be far inside, where fewer rivals prove a larger push."""
MEAN = -1
"""Label of the mean among the rivals."""
FIRST, MOST = 8, 256
"""Rivals that enter in the first round and, doubling, at most."""
STEPS = 6
NOTHING_LEFT = 1e-24
"""Squared length of a residual that is as good as zero."""
ROUNDS = 400
SLACK = 3e-6
"""What a float32 lead may be off by, relative to the lengths multiplied; generous, and only a hint."""


@dataclass(frozen=True)
class Whitened:
    """All rows with unit variance along each principal axis, made as they are wanted."""

    geometry: Geometry
    size: float
    """Median length of a row."""
    longest: float
    extend: Callable[[Float64[np.ndarray, " d_model"]], Float64[np.ndarray, " d_model"]]
    """From a direction to the admissible x farthest along it."""

    def rows(self, token_ids: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n rank"]:
        return np.asarray(self.geometry.turned_rows(token_ids) / self.geometry.deviations)

    def point(self, y: Float64[np.ndarray, " rank"]) -> Float64[np.ndarray, " d_model"]:
        """The admissible x that scores rows most nearly as y scores whitened rows."""
        return self.extend(np.asarray(self.geometry.axes @ (y / self.geometry.deviations)))

    def inner_radius(self, token_id: int) -> float:
        """About how large a ball round the mean the hull of the other rows is sure to contain."""
        own = float(np.linalg.norm(self.rows(np.array([token_id]))))
        count, longest = len(self.geometry), max(own, self.longest)
        return (1 - own**2 / count - longest * own / count) / (longest + own / count)


class HullSearch:
    """One token's search."""

    def __init__(self, whitened: Whitened, token_id: int) -> None:
        self.token_id = token_id
        self.refusals = 0
        self._whitened = whitened
        self._row = whitened.rows(np.array([token_id]))[0]
        self._radius = max(0.0, whitened.inner_radius(token_id))
        self._push = PUSH
        self._rounds = 0
        self._idle = 0
        self.direction: Float64[np.ndarray, " rank"] = self._row
        self._lead_wanted = 0.0
        self._start(np.zeros(0, dtype=np.int64))

    def _start(self, token_ids: Int64[np.ndarray, " n"]) -> None:
        self._set = WorkingSet(len(self._row), len(self._whitened.geometry), self.token_id)
        if self._radius > 0:
            self._set.problem.add(self._pushed[None], np.array([self._whitened.size]), np.array([MEAN], dtype=np.int64))
        self._add(token_ids)

    @property
    def _pushed(self) -> Float64[np.ndarray, " rank"]:
        return np.asarray(self._row * (1 + self._push))

    def _add(self, token_ids: Int64[np.ndarray, " n"]) -> None:
        self._set.known[token_ids] = True
        normals = self._pushed - self._whitened.rows(token_ids)
        self._set.problem.add(normals, np.full(len(token_ids), self._whitened.size), token_ids)

    def advance(self, scores: Float[np.ndarray, " vocab"]) -> Proposal | None:
        """See `Search`."""
        self._rounds += 1
        if self._rounds == DEEP_FROM and self._push == PUSH:
            self._push_by(DEEP)
        y, whitened = self.direction, self._whitened
        own = float(self._row @ y)
        scores[self.token_id] = -np.inf
        lead = own - float(scores.max())
        slack = SLACK * float(np.linalg.norm(y)) * (float(np.linalg.norm(self._row)) + 2 * whitened.size)
        if lead > slack:
            return self._witness()
        if lead > -slack:
            precise = whitened.geometry.scores((y / whitened.geometry.deviations)[None])[0]
            precise[self.token_id] = -np.inf
            if own > precise.max() and not self.refusals:
                return self._witness()
            scores = precise
        threshold = own + self._push * own - 0.999 * self._lead_wanted if self._rounds > 1 else -np.inf
        entering = self._set.worst(scores, threshold, min(FIRST * 2 ** (self._rounds - 1), MOST))
        if len(entering):
            self._add(entering)
        elif self._set.problem.optimal:
            return self._ease()
        rest = self._set.problem.solve(STEPS, stop=self._proved)
        if self._proved(rest) and self.refusals < 2:
            return self._weights()
        if float(rest @ rest) < NOTHING_LEFT or self._rounds > ROUNDS:
            return self._ease()
        self._look_along(rest)
        return None

    def _look_along(self, rest: Float64[np.ndarray, " n"]) -> None:
        y = -rest[:-1]
        scale = self._whitened.size / max(float(np.linalg.norm(y)), 1e-300)
        self.direction = y * scale
        # At the optimum the last entry of the residual is its squared length, which is the more exact when small.
        self._lead_wanted = self._whitened.size * scale * float(rest @ rest)

    def _push_by(self, push: float) -> None:
        """Start again with the rivals met so far and another push."""
        labels = self._set.problem.labels[: self._set.problem.count]
        self._push = push
        self._start(labels[labels != MEAN])

    def _witness(self) -> Proposal:
        return Proposal(self.token_id, (Witness(self._whitened.point(self.direction)),))

    def _proved(self, rest: Float64[np.ndarray, " n"]) -> bool:
        """Whether what is left of the weighted sum is small against the ball that the weight on the mean buys."""
        problem = self._set.problem
        labels = problem.labels[problem.passive]
        centre = problem.weights[labels == MEAN].sum() + self._push * problem.weights.sum()
        return bool(np.linalg.norm(rest[:-1]) < 0.5 * centre * self._radius)

    def _weights(self) -> Proposal:
        labels, weights, _, _ = self._set.problem.support()
        rivals = labels != MEAN
        centre = float(weights[~rivals].sum() + self._push * weights.sum())
        claims = (Weights(labels[rivals], weights[rivals], centre),)
        return Proposal(self.token_id, claims, final=self._push == 0)

    def _ease(self) -> Proposal | None:
        """Neither proof is near: without the push if there still is one, else this is a tie or as good as one."""
        if self._push > 0:
            self._rounds = max(DEEP_FROM, FIRST.bit_length())
            self._push_by(PUSH if self._push > PUSH else 0.0)
            rest = self._set.problem.solve(50 * STEPS, stop=self._proved)
            if self._proved(rest) and self.refusals < 2:
                return self._weights()
            if float(rest @ rest) > NOTHING_LEFT:
                self._look_along(rest)
                self._set.problem.optimal = False
                return None
        labels, weights, _, _ = self._set.problem.support()
        rivals = labels != MEAN
        if not rivals.any():
            return Proposal(self.token_id, (), final=True)
        best = Witness(self._whitened.point(self.direction))
        claims: tuple[Witness | Weights, ...] = (*snapped(labels[rivals], weights[rivals]), best)
        return Proposal(self.token_id, claims, final=True)
