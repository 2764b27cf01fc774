"""A model behind a server, as answers see it: the same `Continuation` as that of a model here.

Where the server tells whole distributions, numbers are reduced here exactly as a local model's. Where only a target and
the likeliest id are wanted, only these are asked for. A server that names but its likeliest ids gives bounds for the
others: what it names never enters a distribution, for filling up the rest would renormalise it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float32, Int

from explorer.base.records.models import ModelInfo, Reach
from explorer.base.servers import Server
from explorer.engine.control import Stopped
from explorer.engine.models.abilities import Embeddings, Scored, Unasked
from explorer.engine.models.errors import ModelError
from explorer.engine.models.local import EmbeddingsOnly
from explorer.engine.models.prediction import UNKNOWN, Prediction, Wanted, predict
from explorer.engine.models.remote.backend import Backend, Likeliest
from explorer.engine.models.remote.bounds import bound_targets, first_named, no_names
from explorer.engine.models.remote.client import NoAnswer, Refused
from explorer.engine.models.remote.fingerprint import Fingerprint
from explorer.engine.models.remote.shared import Peer, Prompts, Servers, refusal
from explorer.engine.models.vocabulary import Vocabulary

T = TypeVar("T")

LEAST_ROWS = 128
"""Prompts that are asked at once, at least."""
FEW_TARGETS = 32
"""Targets of one prompt that are asked for one by one where the server does not tell all."""


class RemoteModel:
    """Implements `vocabulary`, `next_tokens`, `generation`, `ScoresReplies` and, with matrices, `weights`."""

    def __init__(
        self, peers: Sequence[Peer], vocabulary: Vocabulary | EmbeddingsOnly, info: ModelInfo, fingerprint: Fingerprint
    ) -> None:
        """`peers`: the servers of the model, first the one that was asked what it tells; the clients of all share its
        loop. `vocabulary`: the tokenizer at hand, or the matrices of a `weights:` source with theirs."""
        self._client, self._held, self._info = peers[0].client, vocabulary, info
        self._servers, self._fingerprint = Servers(peers, fingerprint), fingerprint

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def reach(self) -> Reach:
        """What the server tells."""
        assert self._info.reach is not None, "a remote model was asked what it tells when it was loaded"
        return self._info.reach

    @property
    def server(self) -> Server:
        """See `BehindServer`."""
        return self._client.server

    @property
    def seconds_a_request(self) -> float:
        """See `BehindServer`."""
        return self._fingerprint.seconds / len(self._fingerprint.prompts)

    @property
    def in_flight(self) -> int:
        """See `BehindServer`."""
        return sum(peer.client.pace.now for peer in self._servers.working)

    @property
    def rows_at_once(self) -> int:
        """See `BehindServer`."""
        return max(LEAST_ROWS, self.in_flight * self._backend.parts(LEAST_ROWS))

    @property
    def how(self) -> str:
        """See `BehindServer`."""
        return self._servers.how

    @property
    def left_out(self) -> tuple[str, ...]:
        """See `BehindServer`."""
        return self._servers.left_out

    @property
    def _backend(self) -> Backend:
        """That of the first server that takes part."""
        return self._servers.first.backend

    def count_requests(self, prompts: int, places: int) -> int:
        """See `BehindServer`."""
        at_once = self._backend.parts(prompts)
        return prompts * places if at_once == 1 else math.ceil(prompts / at_once)

    @property
    def vocabulary(self) -> Vocabulary:
        return self._held.vocabulary if isinstance(self._held, EmbeddingsOnly) else self._held

    def embeddings(self) -> Embeddings:
        """See `HasWeights`; raises `ModelError` where only the tokenizer is here."""
        if isinstance(self._held, EmbeddingsOnly):
            return self._held.embeddings()
        raise ModelError(f"{self.info.name} is behind a server, which sends no weights")

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on vocabulary and matrices."""
        return self._held.notes

    def start(self, prompts: Sequence[Sequence[int]]) -> RemoteContinuation:
        """See `PredictsTokens`; asks nothing yet."""
        self._check_prompts(prompts, 0)
        return RemoteContinuation(self, [list(prompt) for prompt in prompts])

    @property
    def gives_scores(self) -> bool:
        """See `ScoresReplies`."""
        return self.reach.targets != "none" or self._backend.bounds_scores

    def score_replies(
        self, prompts: Sequence[Sequence[int]], targets: Sequence[int], places: int
    ) -> Iterator[list[tuple[int, Scored | Unasked]]]:
        """See `ScoresReplies`."""
        self._check_prompts(prompts, places - 1)
        asked = Prompts.of(prompts, targets, places, self._backend.parts(len(prompts)))
        try:
            with self._client.words.cleaning():
                for _ in self._client.loop.stream(self._servers.score(asked), asked.news):
                    yield asked.take()
        except (ModelError, Stopped):
            yield asked.take()
            raise

    def whole(self, prompts: Sequence[Sequence[int]]) -> Float32[np.ndarray, "rows vocab"]:
        """Log-probabilities of all ids after each prompt, as the server gives them."""
        return np.stack(self.ask(lambda backend: [backend.whole(prompt) for prompt in prompts]))

    def likeliest(self, prompts: Sequence[Sequence[int]], count: int) -> list[Likeliest]:
        """The `count` likeliest ids after each prompt, fewer where the server names fewer."""
        most = min(count, self.reach.top)
        return self.ask(lambda backend: [backend.likeliest(prompt, most) for prompt in prompts])

    def score_targets(
        self, prompts: Sequence[Sequence[int]], targets: Int[np.ndarray, "rows targets"]
    ) -> list[list[Scored]]:
        """For each prompt the likeliest id, with the log-probability of each of its targets."""
        pairs = list(zip(prompts, targets, strict=True))
        told = self.ask(lambda backend: [backend.score([prompt] * len(row), row.tolist(), 1) for prompt, row in pairs])
        return [[_sent(each) for each in row] for row in told]

    def sample(self, prompts: Sequence[Sequence[int]], wanted: Wanted) -> list[tuple[int, float]]:
        """An id for each prompt, drawn by the server."""
        assert wanted.choice is not None, "a choice is wanted"
        choice, pairs = wanted.choice, list(zip(prompts, wanted.choice.draws, strict=True))
        return self.ask(lambda backend: [backend.sample(prompt, choice, draw) for prompt, draw in pairs])

    def ask(self, works: Callable[[Backend], Sequence[Coroutine[Any, Any, T]]]) -> list[T]:
        """The answers of the first server that gives any; raises `ModelError`, also where another model answers than
        the one loaded. `works`: what a backend is asked."""
        with self._client.words.cleaning():
            while True:
                first = self._servers.first
                try:
                    answers = self._client.run(works(first.backend))
                except NoAnswer as error:
                    self._servers.let_go(first, error)
                except Refused as refused:
                    raise refusal(first.client, refused) from None
                else:
                    if first.client.was_interrupted:
                        self._client.run([self._servers.check_interrupted()])
                    return answers

    def check_unchanged(self) -> None:
        """See `BehindServer`."""
        with self._client.words.cleaning():
            self._client.run([self._servers.check_all()])

    def close(self) -> None:
        """Close the connections."""
        self._client.loop.close(self._servers.leave())

    def _check_prompts(self, prompts: Sequence[Sequence[int]], more: int) -> None:
        if not prompts or not all(len(prompt) for prompt in prompts):
            raise ModelError("the prompt is empty", hint="A prompt needs at least one token.")
        for prompt in prompts:
            for token_id in (min(prompt), max(prompt)):
                self.vocabulary.token_bytes(token_id)  # refuses ids outside the vocabulary
        longest = max(map(len, prompts)) + more
        if self.info.context and longest > self.info.context:
            raise ModelError(
                f"{longest:,} tokens do not fit the server's context of {self.info.context:,}",
                hint="Take a shorter prompt or fewer new tokens.",
            )


class RemoteContinuation:
    """Implements `Continuation`. Each place is a new prompt to the server, which keeps what it read of it."""

    def __init__(self, model: RemoteModel, prompts: list[list[int]]) -> None:
        self._model, self._prompts = model, prompts
        self._whole: dict[int, Float32[np.ndarray, " vocab"]] = {}
        """Distributions at this place, by row."""

    def push(self, token_ids: Sequence[int]) -> None:
        """See `Continuation`; asks nothing."""
        self._whole.clear()
        for prompt, token_id in zip(self._prompts, token_ids, strict=True):
            prompt.append(int(token_id))
        context = self._model.info.context
        if context and max(map(len, self._prompts)) > context:
            raise ModelError(f"the reply does not fit the server's context of {context:,}")

    def read(self, wanted: Wanted) -> Prediction:
        """See `Continuation`."""
        rows = list(range(len(self._prompts))) if wanted.rows is None else list(wanted.rows)
        if wanted.top and not self._model.reach.top:
            raise ModelError("not available from this server: it tells no log-probabilities, only replies")
        if self._model.reach.whole and _needs_whole(wanted):
            return predict(torch.from_numpy(self._rows(rows)), _of_all_rows(wanted))
        return _told(self._model, [self._prompts[row] for row in rows], wanted)

    def _rows(self, rows: Sequence[int]) -> Float32[np.ndarray, "rows vocab"]:
        lacking = [row for row in dict.fromkeys(rows) if row not in self._whole]
        if lacking:
            found = self._model.whole([self._prompts[row] for row in lacking])
            self._whole |= dict(zip(lacking, found, strict=True))
        return np.stack([self._whole[row] for row in rows])


def _of_all_rows(wanted: Wanted) -> Wanted:
    return Wanted(None, wanted.targets, wanted.ranks, wanted.top, wanted.entropy, wanted.choice, wanted.strict)


def _needs_whole(wanted: Wanted) -> bool:
    """Whether more is wanted than one target's log-probability and the likeliest id, or some likeliest ids."""
    drawn = wanted.choice is not None and wanted.choice.temperature > 0
    targets = 0 if wanted.targets is None else wanted.targets.shape[1]
    return wanted.ranks or wanted.entropy or drawn or targets > 1 or bool(targets and wanted.top)


def _told(model: RemoteModel, prompts: Sequence[Sequence[int]], wanted: Wanted) -> Prediction:
    """What a server tells without the whole distribution: exact where it names an id, else bounds."""
    count = len(prompts)
    targets = np.zeros((count, 0), dtype=np.int64) if wanted.targets is None else np.asarray(wanted.targets)
    asks_targets = model.reach.targets != "none" and 0 < targets.shape[1] <= FEW_TARGETS
    scored = model.score_targets(prompts, targets) if asks_targets else []
    top = wanted.top if scored and not wanted.ranks else max(wanted.top, model.reach.top * bool(targets.size), 1)
    named = model.likeliest(prompts, top) if top else [no_names()] * count
    logprobs, exact, ranks = bound_targets(targets, named)
    if scored:
        logprobs = np.array([[each.logprobs[0] for each in row] for row in scored], dtype=np.float32)
        exact = np.array([[all(each.exact) for each in row] for row in scored], dtype=np.bool_)
    chosen = _choose(model, prompts, wanted, named, scored)
    told = min([wanted.top, *(row.sure for row in named)])
    return Prediction(
        logprobs=logprobs, exact=exact, ranks=ranks if wanted.ranks else np.full_like(ranks, UNKNOWN),
        top_ids=np.array([row.ids[:told] for row in named], dtype=np.int64).reshape(count, told),
        top_logprobs=np.array([row.logprobs[:told] for row in named], dtype=np.float32).reshape(count, told),
        chosen=None if chosen is None else np.array([each[0] for each in chosen], dtype=np.int64),
        chosen_logprobs=None if chosen is None else np.array([each[1] for each in chosen], dtype=np.float32),
    )  # fmt: skip


def _choose(
    model: RemoteModel,
    prompts: Sequence[Sequence[int]],
    wanted: Wanted,
    named: Sequence[Likeliest],
    scored: Sequence[Sequence[Scored]],
) -> list[tuple[int, float]] | None:
    """An id a row with its log-probability."""
    if wanted.choice is None:
        return None
    if wanted.choice.temperature > 0:
        return model.sample(prompts, wanted)
    if any(row.count or row.chosen >= 0 for row in named):
        return [first_named(row) for row in named]
    return [(row[0].ids[0], math.nan) for row in scored]


def _sent(told: Scored | Unasked) -> Scored:
    if isinstance(told, Unasked):
        raise ModelError(f"not available from this server: {told.why}")
    return told
