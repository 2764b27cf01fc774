"""What is wanted of next-token distributions, and what is told of them.

Logits are reduced where they are: on the device of a local model, on the server of a remote one. What cannot be told
exactly (a server that names only its likeliest tokens) is told as a bound, never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int, Int64
from torch import Tensor

from explorer.engine.core.logprobs import entropy, log_softmax, ranks, top_k
from explorer.engine.core.sampling import choose_greedy, choose_sampled
from explorer.engine.models.errors import ModelError

UNKNOWN = -1
"""The rank of a token where it is not known."""


@dataclass(frozen=True)
class Choice:
    """How the next id of each row is chosen."""

    temperature: float = 0.0
    """0: the likeliest, of equals the lowest id."""
    top_p: float = 1.0
    draws: Sequence[float] = ()
    """One number in [0, 1) a row, where the temperature is above 0."""


@dataclass(frozen=True)
class Wanted:
    """What to tell of the next token."""

    rows: Sequence[int] | None = None
    """Of which rows of the batch; None: of all."""
    targets: Int[np.ndarray, "rows targets"] | None = None
    """For each row, the ids whose log-probabilities are wanted."""
    ranks: bool = False
    """Whether the targets' ranks are wanted too."""
    top: int = 0
    """How many of the likeliest ids are wanted; fewer may be told."""
    entropy: bool = False
    choice: Choice | None = None
    """How to choose an id a row; needs the ability `generation`."""
    strict: bool = True
    """Whether a row that is no distribution (its logits hold NaN) is an error; else its numbers are NaN."""


@dataclass(frozen=True)
class Prediction:
    """What is told: log-probabilities in nats at temperature 1. What was not wanted is empty or None."""

    logprobs: Float32[np.ndarray, "rows targets"]
    exact: Bool[np.ndarray, "rows targets"]
    """False where the log-probability is only known to be at most this."""
    ranks: Int64[np.ndarray, "rows targets"]
    """0 is the best; `UNKNOWN` where it is not known."""
    top_ids: Int64[np.ndarray, "rows top"]
    """The likeliest first, equals by id."""
    top_logprobs: Float32[np.ndarray, "rows top"]
    entropy: Float64[np.ndarray, " rows"] | None = None
    """In nats; None where the whole distribution is not known."""
    chosen: Int64[np.ndarray, " rows"] | None = None
    chosen_logprobs: Float32[np.ndarray, " rows"] | None = None


def predict(logits: Float[Tensor, "batch vocab"], wanted: Wanted) -> Prediction:
    """Reduce whole distributions to what is wanted of them, on the device of `logits`.

    Log-probabilities are the float32 log-softmax of float32 logits. Raises `ModelError` for logits with NaN or +inf,
    where `wanted.strict`.
    """
    if wanted.rows is not None:
        logits = logits[list(wanted.rows)]
    logprobs = log_softmax(logits)
    drawn = wanted.choice is not None and wanted.choice.temperature > 0
    if wanted.strict or drawn:
        refuse_nan(logprobs)
    own = _gather(logprobs, wanted.targets)
    places = ranks(logprobs, own) if wanted.ranks else torch.full_like(own, UNKNOWN, dtype=torch.int64)
    top_ids = _likeliest(logprobs, wanted.top)
    chosen = None if wanted.choice is None else _choose(logits, wanted.choice)
    return Prediction(
        logprobs=own.cpu().numpy(),
        exact=np.ones(tuple(own.shape), dtype=np.bool_),
        ranks=places.cpu().numpy(),
        top_ids=top_ids,
        top_logprobs=_gather(logprobs, top_ids).cpu().numpy(),
        entropy=entropy(logprobs).cpu().numpy() if wanted.entropy else None,
        chosen=chosen,
        chosen_logprobs=None if chosen is None else _gather(logprobs, chosen[:, None])[:, 0].cpu().numpy(),
    )


def refuse_nan(logprobs: Tensor) -> None:
    """Raise `ModelError` where a log-probability is NaN."""
    if bool(logprobs.isnan().any()):
        raise ModelError("the model's logits hold NaN", hint="Its weights may be damaged; try dtype float32.")


def _gather(
    logprobs: Float32[Tensor, "rows vocab"], ids: Int[np.ndarray, "rows n"] | None
) -> Float32[Tensor, "rows n"]:
    if ids is None:
        return logprobs[:, :0]
    places = torch.from_numpy(np.asarray(ids, dtype=np.int64))
    return logprobs.gather(-1, places.to(logprobs.device))


def _likeliest(logprobs: Float32[Tensor, "rows vocab"], k: int) -> Int64[np.ndarray, "rows top"]:
    if k < 1:
        return np.zeros((len(logprobs), 0), dtype=np.int64)
    ids: Int64[np.ndarray, "rows top"] = torch.stack([top_k(row, k) for row in logprobs]).numpy()
    return ids


def _choose(logits: Float[Tensor, "rows vocab"], choice: Choice) -> Int64[np.ndarray, " rows"]:
    if choice.temperature == 0:
        return np.array(choose_greedy(logits), dtype=np.int64)
    return np.array(choose_sampled(logits, choice.temperature, choice.top_p, choice.draws), dtype=np.int64)
