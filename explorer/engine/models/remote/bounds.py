"""What a server's likeliest ids tell of others: exact numbers of those that it names, bounds for the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64

from explorer.engine.models.errors import ModelError
from explorer.engine.models.prediction import UNKNOWN
from explorer.engine.models.remote.backend import Likeliest


def no_names() -> Likeliest:
    """What is told where no id was asked for."""
    return Likeliest(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))


def bound_targets(
    targets: Int[np.ndarray, "rows targets"], named: Sequence[Likeliest]
) -> tuple[Float32[np.ndarray, "rows targets"], Bool[np.ndarray, "rows targets"], Int64[np.ndarray, "rows targets"]]:
    """Log-probabilities of the named targets; of the others the smaller of the least named and of what is left of 1."""
    logprobs = np.zeros(targets.shape, dtype=np.float32)
    exact, ranks = np.zeros(targets.shape, dtype=np.bool_), np.full(targets.shape, UNKNOWN, dtype=np.int64)
    for row, told in enumerate(named):
        logprobs[row] = told.at_most
        for place, token_id in enumerate(told.ids.tolist()):
            found = targets[row] == token_id
            logprobs[row][found], exact[row][found] = told.logprobs[place], True
            if place < told.sure:
                ranks[row][found] = int((told.logprobs > told.logprobs[place]).sum())
    return logprobs, exact, ranks


def first_named(told: Likeliest) -> tuple[int, float]:
    """The likeliest id with its log-probability, NaN where that is not told."""
    if told.sure:
        return int(told.ids[0]), float(told.logprobs[0])
    if told.chosen < 0:
        raise ModelError(
            "not available from this server: the token that it chose cannot be told from others by its text",
            hint="Ask a server that names tokens by id: vLLM, SGLang or llama-server.",
        )
    return told.chosen, math.nan
