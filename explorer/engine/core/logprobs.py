"""Next-token distributions: log-probabilities, ranks, entropy. Natural logarithms throughout.

Log-probabilities are float32 log-softmax of float32 logits, whatever the model's dtype, so that models of
different dtypes are compared by one rule. Their absolute error is about 1e-6.
"""

from __future__ import annotations

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


def ranks(logprobs: Float[Tensor, "rows vocab"], given: Float[Tensor, "rows n"]) -> Int[Tensor, "rows n"]:
    """For each of the `given` log-probabilities of a row, how many tokens of the row are strictly more probable.

    0 is the best; tokens that tie share a rank.
    """
    better = [(logprobs > given[:, place, None]).sum(dim=-1) for place in range(given.shape[1])]
    return torch.stack(better, dim=-1) if better else torch.zeros_like(given, dtype=torch.int64)


def top_k(logprobs: Float[Tensor, " vocab"], k: int) -> Int[Tensor, " k"]:
    """The ids of the `k` most probable tokens (all of them where there are fewer), best first, ties by id."""
    k = min(k, len(logprobs))
    if k < 1:
        return torch.empty(0, dtype=torch.int64)
    threshold = torch.topk(logprobs, k).values[-1]
    ids = torch.nonzero(logprobs >= threshold).flatten()
    order = torch.sort(logprobs[ids], descending=True, stable=True).indices
    return ids[order][:k].cpu()
