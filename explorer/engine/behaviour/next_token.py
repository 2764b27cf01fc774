"""The model's next-token distribution, refused where it is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.engine.behaviour.errors import BehaviourError
from explorer.engine.core.logprobs import log_softmax

if TYPE_CHECKING:
    from jaxtyping import Float, Float32
    from torch import Tensor


def next_logprobs(logits: Float[Tensor, "batch vocab"]) -> Float32[Tensor, "batch vocab"]:
    """Log-probabilities (nats) of each row of logits; raises `BehaviourError` where a row holds NaN or +inf."""
    logprobs = log_softmax(logits)
    if bool(logprobs.isnan().any()):
        raise BehaviourError("the model's logits hold NaN", "Its weights may be damaged; try dtype float32.")
    return logprobs
