"""Next-token distributions: log-probabilities, ranks, entropy. Natural logarithms throughout.

Log-probabilities are float32 log-softmax of float32 logits, whatever the model's dtype, so that models of
different dtypes are compared by one rule. Their absolute error is about 1e-6.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float32, Float64, Int
from torch import Tensor


def log_softmax(logits: Float[Tensor, "*batch vocab"]) -> Float32[Tensor, "*batch vocab"]:
    """Log-probabilities (nats) of logits. A logit of -inf gives -inf; a NaN makes its whole distribution NaN."""
    return torch.log_softmax(logits.to(torch.float32), dim=-1)


def entropy(logprobs: Float[Tensor, "*batch vocab"]) -> Float64[Tensor, "*batch"]:
    """Entropy in nats, float64; a token of probability 0 adds nothing."""
    exact = logprobs.to(torch.float64)
    terms = torch.where(torch.isneginf(exact), 0.0, -exact.exp() * exact)
    return terms.sum(dim=-1)


def ranks(logprobs: Float[Tensor, " vocab"], token_ids: Sequence[int]) -> list[int]:
    """For each id, how many tokens are strictly more probable: 0 is the best, tokens that tie share a rank."""
    return [int((logprobs > logprobs[token_id]).sum()) for token_id in token_ids]


def top_k(logprobs: Float[Tensor, " vocab"], k: int) -> Int[Tensor, " k"]:
    """The ids of the `k` most probable tokens (all of them where there are fewer), best first, ties by id."""
    k = min(k, len(logprobs))
    if k < 1:
        return torch.empty(0, dtype=torch.int64)
    threshold = torch.topk(logprobs, k).values[-1]
    ids = torch.nonzero(logprobs >= threshold).flatten()
    order = torch.sort(logprobs[ids], descending=True, stable=True).indices
    return ids[order][:k].cpu()
