"""Choosing the next id of each row: the most likely one, or one drawn at a temperature from the top-p nucleus.

Every sample has its own stream of draws, made from the seed and the sample's number alone. So sample 3 of 8 is
sample 3 of 1,000, whatever else is in the batch (as far as the model's logits are: batched floating-point
sums may differ in the last bits).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def draws_of(seed: int, sample: int) -> np.random.Generator:
    """The stream of draws of one sample. Any integer is a seed (taken modulo 2^64)."""
    return np.random.default_rng(np.random.SeedSequence(seed % 2**64, spawn_key=(sample,)))


def choose_greedy(logits: Float[Tensor, "batch vocab"]) -> list[int]:
    """The most likely id of each row; the lowest of equals."""
    return _as_list(logits.argmax(dim=-1))  # torch promises the first of equals


def choose_sampled(
    logits: Float[Tensor, "batch vocab"], temperature: float, top_p: float, draws: Sequence[float]
) -> list[int]:
    """One id a row, drawn from softmax(logits / temperature) cut to its nucleus.

    `temperature` > 0; `draws` holds one number in [0, 1) a row. The nucleus is the smallest set of most likely
    ids (equals by id) whose probabilities, summed in float64, reach `top_p` (Holtzman et al., arXiv
    1904.09751); 1.0 keeps every id.
    """
    wide = logits.double()
    probabilities = ((wide - wide.amax(dim=-1, keepdim=True)) / temperature).softmax(dim=-1)
    draw = torch.tensor(draws, dtype=torch.float64, device=wide.device).unsqueeze(-1)
    if top_p >= 1.0:
        return _as_list(_invert(probabilities.cumsum(dim=-1), draw))
    candidates = _candidates(probabilities, top_p)
    ordered, order = probabilities.gather(-1, candidates).sort(dim=-1, descending=True, stable=True)
    reached_before = torch.nn.functional.pad(ordered.cumsum(dim=-1)[:, :-1], (1, 0)) >= top_p
    nucleus = ordered.masked_fill(reached_before, 0.0).cumsum(dim=-1)
    place = order.gather(-1, _invert(nucleus, draw).unsqueeze(-1))
    return _as_list(candidates.gather(-1, place).squeeze(-1))


def _candidates(probabilities: Float[Tensor, "batch vocab"], top_p: float) -> Int[Tensor, "batch candidates"]:
    """Ids, ascending, among which each row's nucleus is sure to be. Saves sorting the whole vocabulary.

    Tokens of less than (1 − top_p) / (2 vocab) have together less than half of what the nucleus may leave out,
    so it is reached without them, whatever the rounding.
    """
    vocab = probabilities.shape[-1]
    most = int((probabilities >= (1 - top_p) / (2 * vocab)).sum(dim=-1).max())
    return probabilities.topk(most, dim=-1, sorted=False).indices.sort(dim=-1).values


def _invert(cumulative: Float[Tensor, "batch vocab"], draw: Float[Tensor, "batch 1"]) -> Int[Tensor, " batch"]:
    """The index at which each row's cumulative sum passes the share `draw` of its last value."""
    total = cumulative[:, -1:]
    # A draw just under 1 can round up to the whole sum, past the last index of any probability.
    target = torch.minimum(draw * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, target, right=True).squeeze(-1)


def _as_list(ids: Int[Tensor, " batch"]) -> list[int]:
    listed: list[int] = ids.tolist()
    return listed
