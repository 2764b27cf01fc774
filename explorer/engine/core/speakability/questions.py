"""What is asked about a token, and what proves the answer: plain data, shared by the solver and the checker.

Token t wins at x when `w_t·x + b_t > w_j·x + b_j` for every other j, with `w_j` the rows of an unembedding
[vocab, d_model] and `b` a bias [vocab] or nothing. It is speakable when it wins at some admissible x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

Mode = Literal["cone", "ball", "box"]
Answer = Literal["speakable", "unspeakable", "undecided"]


@dataclass(frozen=True)
class Question:
    """Which x are admissible, and whether the bias counts."""

    mode: Mode
    """`cone`: any x, never with a bias; `ball`: |x| at most `radius`; `box`: every |x_i| at most `radius`."""
    radius: float = 1.0
    bias: bool = False
    mean_zero: bool = False
    """Only x whose entries sum to 0: what a LayerNorm without its scale and shift can deliver."""

    def __post_init__(self) -> None:
        if self.mode == "cone" and self.bias:
            raise ValueError("the cone has no bias: with any x at all, a bias can be outgrown")
        if self.mode == "box" and self.mean_zero:
            raise ValueError("the box is the post's own program, over all of the box: ask for the ball")
        if not (np.isfinite(self.radius) and self.radius > 0):
            raise ValueError(f"a radius is a positive number, not {self.radius}")


@dataclass(frozen=True)
class Witness:
    """An admissible x at which the token wins."""

    x: Float64[np.ndarray, " d_model"]


@dataclass(frozen=True)
class RowWitness:
    """The x along the token's own row less the mean row, as long as is admissible (1 in the cone).

    Most of a vocabulary is proved by these, and a name is shorter than 50,257 vectors.
    """


@dataclass(frozen=True)
class Weights:
    """Weights over other tokens; whatever x may be, these tokens together score at least what the token scores."""

    token_ids: Int64[np.ndarray, " support"]
    weights: Float64[np.ndarray, " support"]
    """Non-negative; what they sum to does not matter."""
    centre: float = 0.0
    """Weight on the mean of all rows. The weighted sum then need not vanish: what is left of it is within the
    ball round the mean that the hull of the other rows is proved to contain. Only without a bias."""


Certificate = Witness | RowWitness | Weights


@dataclass(frozen=True)
class Settled:
    """The answer for one token, with what proves it."""

    token_id: int
    answer: Answer
    margin: float
    """Speakable: the witness's lead over the runner-up is at least this (with no bias: for |x| = `radius`).
    Unspeakable: no admissible x leads by more than this, which is at most 0. Undecided: no admissible x that was found
    leads by more than 0, and the least upper bound that was proved is this (infinity: none)."""
    certificate: Certificate | None
