"""What every kind of server is asked, whatever its API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float32, Int64

from explorer.engine.models.abilities import Scored
from explorer.engine.models.prediction import Choice


@dataclass(frozen=True)
class About:
    """What a server says of itself and of the model it serves."""

    model: str
    """The served model's id."""
    version: str = ""
    vocab_size: int = 0
    """0 where it does not say."""
    context: int = 0
    dtype: str = ""
    """How its weights are stored; empty where it does not say."""
    n_parameters: int = 0
    d_model: int = 0


@dataclass(frozen=True)
class Likeliest:
    """The likeliest ids after a prompt, the likeliest first, equals by id."""

    ids: Int64[np.ndarray, " k"]
    logprobs: Float32[np.ndarray, " k"]


class Backend(Protocol):
    """One kind of server. All methods raise `ModelError`: `BadAnswer` where an answer is not what was asked for."""

    kind: str
    vocab_size: int
    """Set once it is known; 0 before."""

    async def about(self) -> About:
        """What it serves; raises `ModelError` where it does not serve the model that is wanted."""

    async def whole(self, prompt: Sequence[int]) -> Float32[np.ndarray, " vocab"]:
        """Log-probabilities of every id after `prompt`, as the server gives them."""

    async def likeliest(self, prompt: Sequence[int], count: int, temperature: float = 0.0) -> Likeliest:
        """At most `count` of the likeliest ids after `prompt`; `temperature` only chooses, and changes no number."""

    async def score(self, prompts: Sequence[Sequence[int]], targets: Sequence[int], places: int) -> list[Scored]:
        """For each prompt the greedy reply of at most `places` ids, and the log-probability of its target there."""

    async def sample(self, prompt: Sequence[int], choice: Choice, draw: float) -> tuple[int, float]:
        """An id drawn by the server, and its log-probability; `draw` in [0, 1) becomes its seed."""

    def parts(self, count: int) -> int:
        """How many prompts `score` should be given at once."""


def in_order(ids: Sequence[int], logprobs: Sequence[float]) -> Likeliest:
    """The likeliest first, equals by id."""
    keys = np.asarray(ids, dtype=np.int64)
    values = np.asarray(logprobs, dtype=np.float32)
    order = np.lexsort((keys, -values))
    return Likeliest(keys[order], values[order])


def seed_of(draw: float) -> int:
    """A seed of 31 bits for a draw in [0, 1)."""
    return int(draw * 2**31)
