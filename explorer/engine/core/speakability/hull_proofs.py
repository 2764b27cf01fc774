"""Proofs with a weight on the mean of all rows: the token's row is inside the hull of the others. NumPy in float64.

Rounding is counted, as in `checker`.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Shaped

from explorer.engine.core.speakability.exact_sums import LOST, UNIT, gamma, lengths
from explorer.engine.core.speakability.frame import Frame, frame_of
from explorer.engine.core.speakability.questions import Question
from explorer.engine.core.speakability.rows import Rows


class HullProofs:
    """What such proofs give about one unembedding and question: `rows`, `bias` and `shift` are those of the checker.

    `frames`, by whether entries sum to 0, may be shared by several
    questions about the same rows.
    """

    def __init__(
        self,
        rows: Rows,
        bias: Float64[np.ndarray, " vocab"],
        shift: Float64[np.ndarray, " d_model"],
        question: Question,
        frames: dict[bool, Frame | None] | None = None,
    ) -> None:
        self._rows, self._bias, self._shift = rows, bias, shift
        self._question = question
        self._frames = {} if frames is None else frames

    def bound(
        self, token_id: int, ids: Shaped[np.ndarray, "*ids"], weights: Float64[np.ndarray, "*support"], centre: float
    ) -> float:
        """A proved upper bound of the token's lead at any admissible x, infinity where nothing is proved.

        `ids` and `weights` are well formed, and `centre`, the weight on the mean, is above 0.
        """
        inside = self._inside(token_id, ids, weights, centre)
        return self._spread_without_slope(token_id) if inside else math.inf

    def _inside(
        self, token_id: int, ids: Shaped[np.ndarray, "*ids"], weights: Float64[np.ndarray, "*support"], centre: float
    ) -> bool:
        """Whether the token's row is in the hull of the others, as far as any admissible x can tell.

        Were the token to win at z, then v·z with v = Σ weights (w_t − w_j) + centre (w_t − mean) would exceed
        centre · r · |y|, where z = whiteningᵀ y: w_t·z leads every other row's score, and one of these leads the
        mean's by r·|y|. But v·z is at most |whitening v| · |y|.
        """
        frame = self.frame
        if frame is None:
            return False
        apart, out = self._rows[token_id] - self._rows[ids], self._rows[token_id] - frame.centre
        rest = weights @ apart + centre * out
        width = len(rest)
        slack = gamma(len(ids) + 5 + width) * (weights @ np.abs(apart) + centre * np.abs(out)) * (1 + 1e-12) + LOST
        if self._question.mean_zero:
            rest = rest - rest.mean()
        lost = 2 * float(lengths(slack)) + gamma(width + 3) * float(lengths(rest))
        size = float(lengths(frame.whitening @ rest)) + frame.size * lost
        return size * (1 + 1e-12) <= centre * frame.radius_without(token_id)

    def _spread_without_slope(self, token_id: int) -> float:
        """An upper bound of the lead of a token inside the hull: some weights make v vanish, so that only the biases
        count. What of them is linear in the rows vanishes with v, and the rest is at most this."""
        if np.ptp(self._bias) == 0 and not (self._question.mean_zero and self._shift.any()):
            return 0.0
        rest, lost = self._unexplained_bias
        return float(rest[token_id] - rest.min()) * (1 + 2 * UNIT) + 2 * lost

    @cached_property
    def _unexplained_bias(self) -> tuple[Float64[np.ndarray, " vocab"], float]:
        """All biases less the best linear function of the rows (of what admissible x see of them), and by how much
        an entry may be off."""
        frame, width = self.frame, self._rows.shape[1]
        total = self._rows.along(self._shift) + self._bias
        slope = np.zeros(width)
        if frame is not None:
            products = self._rows.weighed(total - total.mean(), self._rows.mean) / len(total)
            slope = frame.whitening.T @ (frame.whitening @ products)
        drift = 0.0
        if self._question.mean_zero:
            slope -= slope.mean()
            drift = abs(math.fsum(slope)) / width * math.sqrt(width) + LOST
        sizes = float(lengths(self._shift)) + 2 * float(lengths(slope))
        lost = float(self._rows.lengths.max()) * (gamma(width + 4) * sizes + 2 * drift)
        lost += 4 * UNIT * float(np.abs(total).max())
        return total - self._rows.along(slope, self._rows.mean), lost * (1 + 1e-9) + LOST

    @property
    def frame(self) -> Frame | None:
        """The frame of all rows; None where they do not span the admissible x."""
        for _ in self.prepare():
            pass
        return self._frames[self._question.mean_zero]

    def prepare(self) -> Generator[None, None, None]:
        """Work out ahead what proofs with weight on the mean need, which takes a while; yields now and then."""
        mean_zero = self._question.mean_zero
        if mean_zero not in self._frames:
            self._frames[mean_zero] = yield from frame_of(self._rows, mean_zero)
