"""What a search hands over to be checked, and what all searches share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Float64, Int64

from explorer.engine.core.speakability.least_distance import LeastDistance
from explorer.engine.core.speakability.questions import Weights, Witness

GREATEST_SNAP = 64
"""Ties are sought among weights that are multiples of 1/n up to this n."""


@dataclass(frozen=True)
class Proposal:
    """What a search believes; nothing is true until the checker has said so."""

    token_id: int
    claims: tuple[Witness | Weights, ...]
    """Candidates, the likeliest first. None: the search gives up."""
    final: bool = False
    """Whether the search has nothing more to try if these are refused."""


class Search(Protocol):
    """The search for a proof about one token, a round at a time."""

    token_id: int
    refusals: int
    """How many of its proposals were refused; the caller counts, the search takes more care."""

    @property
    def direction(self) -> Float64[np.ndarray, " width"]:
        """Where to look next: the scores of all rows along it are wanted."""

    def advance(self, scores: Float[np.ndarray, " vocab"]) -> Proposal | None:
        """Use these scores, which it may overwrite; a proposal ends the search unless it is refused."""


class WorkingSet:
    """The constraints that one token's search has met so far."""

    def __init__(self, width: int, vocab: int, token_id: int) -> None:
        self.problem = LeastDistance(width)
        self.known = np.zeros(vocab, dtype=bool)
        self.known[token_id] = True

    def worst(self, scores: Float[np.ndarray, " vocab"], threshold: float, most: int) -> Int64[np.ndarray, " n"]:
        """The unknown rows that score above `threshold`, at most `most` of them, the highest."""
        above = np.flatnonzero(scores > threshold)
        above = above[~self.known[above]]
        if len(above) > most:
            above = above[np.argpartition(-scores[above], most - 1)[:most]]
        self.known[above] = True
        return above


def snapped(token_ids: Int64[np.ndarray, " k"], weights: Float64[np.ndarray, " k"]) -> tuple[Weights, ...]:
    """The weights as they are, and, where they look like multiples of 1/n, as whole numbers: exact ties have such."""
    keep = weights > 1e-9 * weights.sum()
    ids, shares = token_ids[keep], weights[keep] / weights[keep].sum()
    for parts in range(1, GREATEST_SNAP + 1):
        whole = np.round(shares * parts)
        if np.abs(whole - shares * parts).max(initial=0.0) < 1e-6 * parts and whole.min() > 0:
            return (Weights(ids, whole), Weights(ids, shares))
    return (Weights(ids, shares),)
