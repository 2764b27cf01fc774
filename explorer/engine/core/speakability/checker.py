"""The independent checker: does a certificate prove its verdict? NumPy in float64, one pass, nothing of the solver.

Every bound counts what rounding and underflow may lose; ties and narrow margins are settled by exact sums
(`exact_sums`). Numbers too large or too small for that prove nothing.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped

from explorer.engine.core.speakability.exact_sums import LARGEST, LOST, UNIT, exact_products, gamma, lengths, underflow
from explorer.engine.core.speakability.frame import Frame
from explorer.engine.core.speakability.hull_proofs import HullProofs
from explorer.engine.core.speakability.questions import Answer, Certificate, Question, Weights, Witness
from explorer.engine.core.speakability.rows import Rows

MOST_CONTENDERS = 64
"""Rivals of a witness that are settled by exact sums; a witness with more of them is refused."""
LEAST_SHARE = 2.0**-300
"""Weights, and a weight on the mean, that are a smaller share of the largest than this are refused."""


class Checker:
    """Checks certificates about one unembedding.

    `rows` is [vocab, d_model]. Where the question counts the bias, row j scores w_j·(x + shift) + bias_j: `bias`
    is the head's own, `shift` what the final norm adds. All are taken as exact numbers. `frames` is where checkers of
    several questions about the same rows keep what they need in common.
    """

    def __init__(
        self,
        rows: Rows | Float[np.ndarray, "vocab d_model"],
        bias: Float[np.ndarray, " vocab"] | None,
        question: Question,
        shift: Float[np.ndarray, " d_model"] | None = None,
        frames: dict[bool, Frame | None] | None = None,
    ) -> None:
        self.question = question
        self.rows = Rows.of(rows)
        count, width = self.rows.shape
        used_bias, used_shift = (bias, shift) if question.bias else (None, None)
        self.bias = np.zeros(count) if used_bias is None else np.asarray(used_bias, dtype=np.float64)
        self.shift = np.zeros(width) if used_shift is None else np.asarray(used_shift, dtype=np.float64)
        if not (self.rows.are_finite and all(np.isfinite(values).all() for values in (self.bias, self.shift))):
            raise ValueError("rows, bias and shift must be finite numbers")
        self._norms = self.rows.lengths
        self.in_range = self._in_range()
        self.hull = HullProofs(self.rows, self.bias, self.shift, question, frames)

    def proves(self, token_id: int, answer: Answer, certificate: Certificate | None) -> bool:
        """Whether the certificate proves the answer. `undecided` needs no proof."""
        if answer == "undecided":
            return True
        if answer == "unspeakable":
            return isinstance(certificate, Weights) and self.bound(token_id, certificate) <= 0
        if certificate is None or isinstance(certificate, Weights) or not self.in_range:
            return False
        x = certificate.x if isinstance(certificate, Witness) else self.row_witness(token_id)
        return x.shape == self.shift.shape and bool(self.margins([token_id], x[None])[0] > 0)

    def prepare(self) -> Generator[None, None, None]:
        """Work out ahead what proofs with weight on the mean need, which takes a while; yields now and then."""
        yield from self.hull.prepare()

    def _in_range(self) -> bool:
        """Whether nothing can overflow, and the rows are not so small that nothing could be proved of them."""
        largest = float(self._norms.max(initial=0.0))
        others = (self.bias, self.shift, np.array([self.question.radius]))
        if not (largest <= LARGEST and all(np.abs(values).max(initial=0.0) <= LARGEST for values in others)):
            return False
        return bool(largest >= 1 / LARGEST or not self.rows.any())

    def row_witness(self, token_id: int) -> Float64[np.ndarray, " d_model"]:
        """What a `RowWitness` stands for."""
        direction = self.rows[token_id] - self.rows.mean
        if self.question.mean_zero:
            direction = direction - direction.mean()
        # Times a power of two that brings it to ordinary size, which loses nothing.
        direction = np.ldexp(direction, -np.frexp(np.abs(direction).max(initial=0.0))[1])
        length = np.abs(direction).max() if self.question.mode == "box" else np.linalg.norm(direction)
        return np.asarray(direction * (self.question.radius * (1 - 1e-12) / length)) if length > 0 else direction

    def margins(self, token_ids: Sequence[int], points: Float64[np.ndarray, "n d_model"]) -> Float64[np.ndarray, " n"]:
        """For each token and its x, a proved lower bound of its lead over every other; -inf for inadmissible x."""
        x = np.asarray(points, dtype=np.float64)
        if not self.in_range:
            return np.full(len(x), -np.inf)
        width = self.rows.shape[1]
        ordinary = np.asarray((np.abs(x) <= LARGEST).all(axis=1, keepdims=True))
        x = np.where(ordinary, x, 0.0)
        admissible = ordinary[:, 0] & self._admissible(x)
        drift = np.zeros(len(x))
        if self.question.mean_zero:
            # The admissible point meant is x less the mean of its entries; all but `drift` of that is done here.
            x = x - x.mean(axis=1, keepdims=True)
            rest = np.array([abs(math.fsum(one)) for one in x])
            drift = np.where(rest > 0, rest / width * (1 + 4 * UNIT) + LOST, 0.0)
        shifted = x + self.shift
        scores = self.rows.scores(shifted) + self.bias
        loss = gamma(width + 4) * lengths(shifted) + drift * math.sqrt(width) * (1 + 4 * UNIT)
        errors = loss[:, None] * self._norms + 2 * UNIT * (np.abs(scores) + np.abs(self.bias)) + LOST
        found = np.full(len(x), -np.inf)
        for row, token_id in enumerate(token_ids):
            if not admissible[row]:
                continue
            low = scores[row, token_id] - errors[row, token_id]
            high = scores[row] + errors[row]
            high[token_id] = -np.inf
            found[row] = (low - high.max()) * (1 - 4 * UNIT)
            if found[row] <= 0 and drift[row] == 0:
                rivals = np.flatnonzero(high >= low)
                if len(rivals) <= MOST_CONTENDERS:
                    found[row] = self._exact_lead(token_id, rivals, x[row])
        return found

    def bound(self, token_id: int, certificate: Weights) -> float:
        """A proved upper bound of the token's lead at any admissible x, infinity where nothing is proved.

        With S = Σ weights, v = Σ weights (w_t − w_j) and B = Σ weights (b_t − b_j) the lead is at most
        (max over x of v·(x + shift) + B) / S.
        """
        ids, weights, centre = self._scaled(certificate)
        if not (self.in_range and self._well_formed(token_id, ids, weights, centre)):
            return math.inf
        if centre > 0:
            return self.hull.bound(token_id, ids, weights, centre)
        levels = np.full(len(ids), self.bias[token_id]), self.bias[ids]
        level = math.fsum([*exact_products(weights, levels[0]), *exact_products(-weights, levels[1])])
        level += 2 * UNIT * abs(level) + max(float(underflow(weights, values).max(initial=0.0)) for values in levels)
        own, others = self.rows[token_id], self.rows[ids]
        apart = own - others
        # Where the rows agree the sum is 0, and nothing is lost.
        differing = (own != others)[weights > 0].any(axis=0)
        slack = gamma(len(ids) + 4) * (weights @ np.abs(apart)) * (1 + gamma(len(ids) + 4))
        lead = self._reach(weights @ apart, np.where(differing, slack + LOST, 0.0)) + level
        if lead > 0:
            lead = self._reach(*self._exact_rest(own, others, weights, differing)) + level
        return lead / math.fsum(weights) * (1 + math.copysign(4 * UNIT, lead))

    def _exact_rest(
        self,
        own: Float64[np.ndarray, " d_model"],
        others: Float64[np.ndarray, "support d_model"],
        weights: Float64[np.ndarray, " support"],
        differing: Bool[np.ndarray, " d_model"],
    ) -> tuple[Float64[np.ndarray, " d_model"], Float64[np.ndarray, " d_model"]]:
        """Σ weights (own − others), rounded once, and by how much an entry may be off."""
        rest, slack = np.zeros(len(own)), np.zeros(len(own))
        for axis in np.flatnonzero(differing):
            first, second = np.full(len(weights), own[axis]), others[:, axis]
            rest[axis] = math.fsum([*exact_products(weights, first), *exact_products(-weights, second)])
            slack[axis] = max(underflow(weights, first).max(), underflow(weights, second).max())
        return rest, 2 * UNIT * np.abs(rest) + slack

    def _reach(self, rest: Float64[np.ndarray, " d_model"], slack: Float64[np.ndarray, " d_model"]) -> float:
        """An upper bound of v·(x + shift) over admissible x, where v is `rest` but for at most `slack` an entry."""
        if not (rest.any() or slack.any()):
            return 0.0
        terms = gamma(len(rest) + 4)
        along = float(rest @ self.shift)
        along += float((slack + terms * np.abs(rest)) @ np.abs(self.shift)) * (1 + terms)
        if self.question.mean_zero:
            rest = rest - rest.mean()  # |rest − m| bounds |rest less its own mean| for any m at all
        sizes = np.abs(rest) * (1 + 2 * UNIT) + slack
        if self.question.mode == "cone" and sizes.any():
            return math.inf
        size = float(sizes.sum() if self.question.mode == "box" else lengths(sizes))
        total = size * self.question.radius * (1 + terms) + along + LOST
        return total + 2 * UNIT * (abs(total) + abs(along))

    def _scaled(
        self, certificate: Weights
    ) -> tuple[Shaped[np.ndarray, "*ids"], Float64[np.ndarray, "*support"], float]:
        """The rows named, their weights and that of the mean, times a power of two so that the largest is about 1.

        Nothing of the certificate is checked yet: its ids may be anything.
        """
        ids, weights = np.asarray(certificate.token_ids), np.asarray(certificate.weights, dtype=np.float64)
        if not ids.size:
            ids = ids.astype(np.int64)
        power = -np.frexp(max(float(weights.max(initial=0.0)), certificate.centre))[1]
        with np.errstate(all="ignore"):
            return ids, np.ldexp(weights, power), float(np.ldexp(certificate.centre, power))

    def _well_formed(
        self, token_id: int, ids: Shaped[np.ndarray, "*ids"], weights: Float64[np.ndarray, "*support"], centre: float
    ) -> bool:
        if ids.shape != weights.shape or ids.ndim != 1 or ids.dtype.kind not in "iu":
            return False
        shares = np.append(weights, centre)
        if not (np.isfinite(shares).all() and ((shares == 0) | (shares >= LEAST_SHARE)).all() and shares.any()):
            return False
        if (ids == token_id).any() or len(np.unique(ids)) != len(ids):
            return False
        return not len(ids) or bool(ids.min() >= 0 and ids.max() < len(self.rows))

    def _admissible(self, x: Float64[np.ndarray, "n d_model"]) -> Bool[np.ndarray, " n"]:
        if self.question.mode == "box":
            return np.asarray(np.abs(x).max(axis=1, initial=0.0) <= self.question.radius)
        return np.asarray(lengths(x) <= self.question.radius) | (self.question.mode == "cone")

    def _exact_lead(self, token_id: int, rivals: Int[np.ndarray, " some"], x: Float64[np.ndarray, " d_model"]) -> float:
        """The token's least lead over the rivals at x, rounded once, less what underflow may have added."""
        own, others = self.rows[token_id], self.rows[rivals]
        parts = [np.full((len(rivals), 1), self.bias[token_id]), -self.bias[rivals, None]]
        for point in (x, self.shift):
            parts += [np.tile(exact_products(point, own), (len(rivals), 1)), exact_products(-point, others)]
            lost = underflow(point, others).max(axis=1, initial=0.0), underflow(point, own).max(initial=0.0)
            parts.append(-2 * np.maximum(*lost)[:, None])
        return min(map(math.fsum, np.concatenate(parts, axis=1).tolist()))
