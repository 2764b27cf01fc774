"""What a server sent, checked before it is believed: typed, complete, about the right ids, and a distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
from jaxtyping import Float32

from explorer.engine.models.errors import ModelError

T = TypeVar("T")

SUM_OFF = 5e-3
"""How far probabilities may sum beside 1: float32 sums over 262,144 ids are 4e-4 off (measured, llama.cpp)."""
SLACK = 1e-3
"""Nats that a log-probability may be above 0, or above that of the likeliest, by rounding."""
LEAST = -1e30
"""What is below stands for a probability of 0 (llama.cpp writes −3.4e38)."""


class BadAnswer(ModelError):
    """A server's answer cannot be believed; nothing of it is used."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the server's answer is not used: {what}", hint="Look at the server's log; ask again.")


def read_json(content: bytes, kind: type[T]) -> T:
    """The answer as `kind`; fields that are not wanted are not read."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        what = "it is cut off or is no JSON" if not isinstance(error, msgspec.ValidationError) else "parts are missing"
        raise BadAnswer(what) from None
    except UnicodeDecodeError:
        raise BadAnswer("it is no JSON") from None
    except RecursionError:
        raise BadAnswer("it is nested too deeply") from None


def checked_logprob(value: float | None, zero: float = LEAST) -> float:
    """A log-probability; −inf for `zero` and what is below it."""
    if value is None or math.isnan(value) or value > SLACK:
        raise BadAnswer(f"{value} is no log-probability")
    return -math.inf if value <= zero else min(value, 0.0)


def checked_ids(ids: Sequence[int], vocab_size: int) -> None:
    """Refuse ids outside the vocabulary."""
    if ids and not (min(ids) >= 0 and max(ids) < vocab_size):
        raise BadAnswer(f"it names an id outside 0 … {vocab_size - 1:,}")


def whole_row(ids: Sequence[int], logprobs: Sequence[float], vocab_size: int) -> Float32[np.ndarray, " vocab"]:
    """Log-probabilities of the whole vocabulary by id, as they came. Raises `BadAnswer` where one is missing, doubled,
    or no number, or where the probabilities do not sum to 1."""
    checked_ids(ids, vocab_size)  # first: an id may be too large for an array
    if not ids or len(ids) != vocab_size or len(set(ids)) != vocab_size:
        raise BadAnswer(f"it holds {len(ids):,} log-probabilities where {vocab_size:,} different ones were asked for")
    told = np.maximum(np.array(logprobs, dtype=np.float64), LEAST)
    if np.isnan(told).any() or told.max() > SLACK:
        raise BadAnswer("some of its numbers are no log-probabilities")
    row = np.empty(vocab_size, dtype=np.float32)
    row[list(ids)] = np.where(told <= LEAST, -np.inf, told)
    if (off := sum_off(row)) > SUM_OFF:
        raise BadAnswer(f"its probabilities sum to 1 only within {off:.2g}")
    return row


def sum_off(row: Float32[np.ndarray, " vocab"]) -> float:
    """How far the probabilities sum beside 1."""
    return abs(float(np.exp(row.astype(np.float64)).sum()) - 1.0)
