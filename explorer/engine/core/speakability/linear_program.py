"""The last resort for a token whose search found neither proof: a linear program, by cutting planes, with HiGHS.

The searches look for shortest vectors and lose themselves among rivals that all but coincide with the token. Here each
rival's lead is measured in units of its distance, which leaves its sign and makes such rivals count like any other:

    max s  with  (w_t − w_j)·x + b_t − b_j ≥ s · |(w_t − w_j, b_t − b_j)|  for every rival j,  x in the region.

Rivals enter as x breaks them; a ball is cut out of its box by the planes that touch it. What comes of it is a proposal
like any other, from a solver with tolerances: the checker decides.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import OptimizeResult, linprog

from explorer.engine.core.speakability.proposals import snapped
from explorer.engine.core.speakability.questions import Question, Weights, Witness
from explorer.engine.core.speakability.rows import Rows

ROUNDS = 80
FIRST, MOST = 64, 64
"""Rivals that are there from the start, the nearest; and that enter in a round at most."""
MOST_NUMBERS = 2_000_000
"""In a program that is still put to HiGHS: seconds of work."""
TOLERANCE = 1e-10
"""The least that HiGHS allows."""
INSIDE = 1 - 1e-9


@dataclass(frozen=True)
class Rivals:
    """All rows as one token sees them."""

    rows: Rows
    mean_zero: bool
    """Whether admissible x see of the rows only what is left of their mean entry."""
    token_id: int
    level: Float64[np.ndarray, " vocab"]
    """b_t − b_j, in total."""
    sizes: Float64[np.ndarray, " vocab"]
    """|(w_t − w_j, b_t − b_j)|, 1 where that is 0."""

    @classmethod
    def of(cls, rows: Rows, total: Float64[np.ndarray, " vocab"] | None, token_id: int, *, mean_zero: bool) -> Rivals:
        """`total`: the bias that counts, None for none."""
        level = np.zeros(len(rows)) if total is None else total[token_id] - total
        own = rows[token_id]
        far = [np.linalg.norm(_seen(part - own, mean_zero), axis=1) for _, part in rows.parts()]
        sizes = np.hypot(np.concatenate(far), level)
        return cls(rows, mean_zero, token_id, level, np.where(sizes > 0, sizes, 1.0))

    def apart(self, held: Int64[np.ndarray, " k"]) -> Float64[np.ndarray, "k d_model"]:
        """w_j − w_t, as far as admissible x see it, in each rival's unit."""
        apart = _seen(self.rows[held] - self.rows[self.token_id], self.mean_zero)
        return np.asarray(apart / self.sizes[held, None])

    def leads(self, x: Float64[np.ndarray, " d_model"]) -> Float64[np.ndarray, " vocab"]:
        """The token's leads at x, each in its own unit."""
        x = x - x.mean() if self.mean_zero else x
        found = np.asarray((self.rows[self.token_id] @ x - self.rows.along(x) + self.level) / self.sizes)
        found[self.token_id] = np.inf
        return found


def _seen(apart: Float64[np.ndarray, "k d_model"], mean_zero: bool) -> Float64[np.ndarray, "k d_model"]:
    return apart - apart.mean(axis=1, keepdims=True) if mean_zero else apart


def proposed(rivals: Rivals, question: Question) -> Generator[None, None, tuple[Witness | Weights, ...]]:
    """Weights and a witness, one of which may settle the token; none where HiGHS gives up. Yields now and then."""
    radius = 1.0 if question.mode == "cone" else question.radius
    is_ball = question.mode == "ball"
    order = np.argsort(rivals.sizes, kind="stable")
    held = order[order != rivals.token_id][:FIRST]
    walls = np.zeros((0, rivals.rows.shape[1]))
    claims: tuple[Witness | Weights, ...] = ()
    for _ in range(ROUNDS):
        yield
        found = _solved(rivals, held, walls, radius)
        if found.status != 0:
            break
        x, least = found.x[:-1], float(found.x[-1])
        prices = np.maximum(-found.ineqlin.marginals[: len(held)], 0) / rivals.sizes[held]
        length = float(np.linalg.norm(x))
        point = x * min(1.0, INSIDE * radius / length) if is_ball and length > 0 else x
        leads = rivals.leads(point)
        weights = snapped(held[prices > 0], prices[prices > 0]) if prices.any() else ()
        claims = (*weights, Witness(point))
        if leads.min() > 0 or least <= 0:
            break
        broken = np.flatnonzero(rivals.leads(x) < 0.999 * least)
        broken = np.setdiff1d(broken, held)
        if len(broken) > MOST:
            broken = broken[np.argsort(rivals.leads(x)[broken], kind="stable")[:MOST]]
        sticks_out = is_ball and length > radius * (1 + TOLERANCE)
        if not len(broken) and not sticks_out:
            break
        held = np.concatenate([held, broken])
        walls = np.vstack([walls, x / length]) if sticks_out else walls
        if (len(held) + len(walls)) * len(x) > MOST_NUMBERS:
            break
    return claims


def _solved(
    rivals: Rivals, held: np.ndarray, walls: Float64[np.ndarray, "walls d_model"], radius: float
) -> OptimizeResult:
    """The program over the rivals held, with x in the box of `radius` and behind the walls of a ball of it."""
    width = rivals.rows.shape[1]
    sides = np.block([[rivals.apart(held), np.ones((len(held), 1))], [walls, np.zeros((len(walls), 1))]])
    limits = np.concatenate([rivals.level[held] / rivals.sizes[held], np.full(len(walls), radius)])
    wanted = np.append(np.zeros(width), -1.0)
    bounds = [(-radius, radius)] * width + [(None, None)]
    options = {"primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE}
    return linprog(wanted, A_ub=sides, b_ub=limits, bounds=bounds, method="highs", options=options)
