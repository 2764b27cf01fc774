"""A model as a server would give it: no weights, and of what comes next only the 20 likeliest tokens."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from explorer.base.records.models import ModelInfo
from explorer.engine.models.abilities import Continuation
from explorer.engine.models.local import LocalModel
from explorer.engine.models.prediction import UNKNOWN, Choice, Prediction, Wanted
from explorer.engine.models.vocabulary import Vocabulary

TOLD = 20
"""Likeliest tokens that the server names."""


class FakeRemote:
    """Answers with what a local model computes, cut down to what a server tells. Its vocabulary is a tokenizer's."""

    def __init__(self, behind: LocalModel, name: str = "faraway") -> None:
        self._behind = behind
        self.info: ModelInfo = msgspec.structs.replace(
            behind.info, name=name, source=f"server:{name}", architecture="unknown", weights_digest="f1" * 16,
            dtype="unknown", device=f"server:{name}", d_model=0, n_layers=0, n_parameters=0, memory_bytes=0,
            abilities=("vocabulary", "next_tokens", "generation"),
        )  # fmt: skip

    @property
    def vocabulary(self) -> Vocabulary:
        return self._behind.vocabulary

    def start(self, prompts: Sequence[Sequence[int]]) -> RemoteContinuation:
        return RemoteContinuation(self._behind.start(prompts))


class RemoteContinuation:
    """Values below the named ones are only known as bounds, ranks and the entropy not at all."""

    def __init__(self, behind: Continuation) -> None:
        self._behind = behind
        self._draws = np.random.default_rng(0)
        """The server's own: its samples cannot be had again."""

    def push(self, token_ids: Sequence[int]) -> None:
        self._behind.push(token_ids)

    def read(self, wanted: Wanted) -> Prediction:
        named = self._behind.read(Wanted(rows=wanted.rows, top=TOLD))
        targets = np.zeros((len(named.top_ids), 0), dtype=np.int64) if wanted.targets is None else wanted.targets
        logprobs = np.zeros(targets.shape, dtype=np.float32)
        exact, ranks = np.zeros(targets.shape, dtype=np.bool_), np.full(targets.shape, UNKNOWN, dtype=np.int64)
        for row, column in np.ndindex(*targets.shape):
            told = named.top_logprobs[row]
            found = np.flatnonzero(named.top_ids[row] == targets[row, column])
            if len(found):
                logprobs[row, column] = told[found[0]]
                exact[row, column] = True
                ranks[row, column] = int((told > told[found[0]]).sum())
            else:
                rest = max(1.0 - float(np.exp(told.astype(np.float64)).sum()), 0.0)
                logprobs[row, column] = min(float(told[-1]), np.log(rest) if rest else -np.inf)
        places = None if wanted.choice is None else self._choose(wanted.choice, named)
        rows = np.arange(len(named.top_ids))
        return Prediction(
            logprobs=logprobs, exact=exact, ranks=ranks,
            top_ids=named.top_ids[:, : wanted.top], top_logprobs=named.top_logprobs[:, : wanted.top],
            chosen=None if places is None else named.top_ids[rows, places],
            chosen_logprobs=None if places is None else named.top_logprobs[rows, places],
        )  # fmt: skip

    def _choose(self, choice: Choice, named: Prediction) -> np.ndarray:
        """A place among the named tokens for each row."""
        if choice.temperature == 0:
            return np.zeros(len(named.top_ids), dtype=np.int64)
        wide = named.top_logprobs.astype(np.float64) / choice.temperature
        shares = np.exp(wide) / np.exp(wide).sum(axis=1, keepdims=True)
        return np.array([self._draws.choice(TOLD, p=row) for row in shares])
