"""One question asked of many tokens: prompts are read in calls of bounded length, replies go on together."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Int

from explorer.engine.answers.verification.questions import (
    Evidence,
    PromptForm,
    Question,
    class_of,
    prompt_form,
    unanswered,
)
from explorer.engine.answers.verification.sizes import RowCost, cost_of_row, rows_of_batch, rows_of_call
from explorer.engine.core.sampling import draws_of
from explorer.engine.models.abilities import (
    BehindServer,
    JoinsBatches,
    Scored,
    ScoresReplies,
    SharesPrefix,
    Unasked,
    running,
)
from explorer.engine.models.prediction import Choice, Wanted

if TYPE_CHECKING:
    from explorer.engine.models.abilities import Continuation, HasVocabulary, Prefix

Step = Generator[Evidence | None, None, Evidence]
"""Yields after each call of the model, with the rows that are whole then, and returns those that are left."""


class Asker:
    """One question on its way through the vocabulary."""

    def __init__(self, model: HasVocabulary, question: Question) -> None:
        self.question = question
        self._model = running(model)
        self._form: PromptForm = prompt_form(model.vocabulary, question)
        self._prefix: Prefix | None = None
        self._prefix_read = False
        self.refused: dict[int, str] = {}
        """Tokens whose prompts the server does not take, and why."""
        copies = max(question.samples, 1)
        self.cost: RowCost = cost_of_row(model.info, len(self._form.ids), len(self._form.shared), question.tokens)
        most = rows_of_batch(model.info, self.cost, drawn=question.samples > 0)
        if isinstance(model, BehindServer) and not question.samples:
            most = model.rows_at_once
        self.rows = max(1, most // copies)
        """Tokens in one batch; halved when memory runs out."""
        self._rows_of_call = rows_of_call(model.info, self.cost)

    @property
    def length(self) -> int:
        """Tokens of its prompt."""
        return len(self._form.ids)

    @property
    def work(self) -> float:
        """Operations for one token, about."""
        return self.cost.whole * max(self.question.samples, 1)

    def too_long(self) -> str:
        """Why the question does not fit the model's context; empty where it does."""
        needed, context = len(self._form.ids) + self.question.tokens - 1, self._model.info.context
        if not context or needed <= context:
            return ""
        return f"{self.question.template.name} takes {needed:,} tokens; the model reads {context:,}"

    @property
    def shared_share(self) -> float:
        """The share of the prompt that is read once for all tokens."""
        return len(self._form.shared) / len(self._form.ids)

    def ask(self, token_ids: Int[np.ndarray, " n"]) -> Step:
        """Evidence about `token_ids`, in one batch; yields after each call of the model.

        Raises `OutOfMemory` where the batch does not fit the device.
        """
        if self.question.samples:
            return (yield from self._sampled(token_ids))
        if isinstance(self._model, ScoresReplies) and self._model.gives_scores:
            return (yield from self._scored(self._model, token_ids))
        return (yield from self._greedy(token_ids))

    def _start(self, token_ids: Int[np.ndarray, " n"]) -> Generator[None, None, Continuation]:
        """Read the prompts, few enough at a time that other requests need not wait long; all as one batch."""
        at_once = self._rows_of_call if isinstance(self._model, JoinsBatches) else len(token_ids)
        parts = [self._read(token_ids[:at_once])]
        for first in range(at_once, len(token_ids), at_once):
            yield
            parts.append(self._read(token_ids[first : first + at_once]))
        if len(parts) > 1 and isinstance(self._model, JoinsBatches):
            return self._model.join(parts)
        return parts[0]

    def _read(self, token_ids: Int[np.ndarray, " n"]) -> Continuation:
        prompts = self._form.fill(token_ids)
        shared = self._form.shared
        if not self._prefix_read and shared and isinstance(self._model, SharesPrefix):
            self._prefix = self._model.read_prefix(shared)
        self._prefix_read = True
        if self._prefix is None or not isinstance(self._model, SharesPrefix):
            return self._model.start(prompts.tolist())
        return self._model.start_after(self._prefix, prompts[:, len(shared) :].tolist())

    def _greedy(self, token_ids: Int[np.ndarray, " n"]) -> Step:
        found = unanswered(self.question.dtype, token_ids)
        subjects = np.asarray(token_ids, dtype=np.int64)[:, None]
        # An ended row is fed its last id; nobody reads what comes of it.
        chosen = np.zeros(len(token_ids), dtype=np.int64)
        live, bounded = np.ones(len(token_ids), dtype=np.bool_), np.zeros(found["logprobs"].shape, dtype=np.bool_)
        ends = np.array(sorted(self._model.vocabulary.eos_ids), dtype=np.int64)
        decoding = yield from self._start(token_ids)
        for position in range(self.question.tokens):
            rows = np.flatnonzero(live)
            # A token whose own embedding is broken must not end the sweep: its log-probabilities are NaN.
            told = decoding.read(Wanted(rows.tolist(), subjects[rows], choice=Choice(), strict=False))
            assert told.chosen is not None, "a choice was wanted"
            chosen[rows] = told.chosen
            found["logprobs"][rows, position] = told.logprobs[:, 0]
            bounded[rows, position] = ~told.exact[:, 0]
            live &= ~np.isin(chosen, ends)
            found["reply_ids"][live, position] = chosen[live]
            yield None
            if position + 1 == self.question.tokens or not live.any():
                break
            decoding.push(chosen.tolist())
        found["logprobs"] = without_bounds(found["logprobs"], bounded)
        return found

    def _scored(self, model: ScoresReplies, token_ids: Int[np.ndarray, " n"]) -> Step:
        """The same evidence as `_greedy`'s, of a model that tells no more than that."""
        prompts = self._form.fill(token_ids).tolist()
        for told in model.score_replies(prompts, token_ids.tolist(), self.question.tokens):
            scored = [(int(token_ids[row]), each) for row, each in told if isinstance(each, Scored)]
            refused = [(int(token_ids[row]), each.why) for row, each in told if isinstance(each, Unasked)]
            self.refused |= dict(refused)
            yield self._rows(scored)
        return unanswered(self.question.dtype, token_ids[:0])

    def _rows(self, scored: Sequence[tuple[int, Scored]]) -> Evidence:
        found = unanswered(self.question.dtype, np.array([token_id for token_id, _ in scored], dtype=np.int64))
        bounded = np.zeros(found["logprobs"].shape, dtype=np.bool_)
        for row, (_, told) in enumerate(scored):
            bounded[row, : len(told.exact)] = ~np.array(told.exact, dtype=np.bool_)
            for place, (token_id, logprob) in enumerate(zip(told.ids, told.logprobs, strict=True)):
                found["logprobs"][row, place] = logprob
                if token_id in self._model.vocabulary.eos_ids:
                    break
                found["reply_ids"][row, place] = token_id
        found["logprobs"] = without_bounds(found["logprobs"], bounded)
        return found

    def _sampled(self, token_ids: Int[np.ndarray, " n"]) -> Step:
        question, vocabulary = self.question, self._model.vocabulary
        copies = np.repeat(np.asarray(token_ids, dtype=np.int64), question.samples)
        draws = [draws_of(question.seed, sample) for _ in token_ids for sample in range(question.samples)]
        replies: list[list[int]] = [[] for _ in copies]
        chosen = [0] * len(copies)  # an ended row is fed its last id; nobody reads what comes of it
        live = np.ones(len(copies), dtype=np.bool_)
        decoding = yield from self._start(copies)
        for position in range(question.tokens):
            rows = np.flatnonzero(live).tolist()
            choice = Choice(question.temperature, question.top_p, [draws[row].random() for row in rows])
            told = decoding.read(Wanted(rows=rows, choice=choice))
            assert told.chosen is not None, "a choice was wanted"
            for row, token_id in zip(rows, told.chosen.tolist(), strict=True):
                chosen[row] = token_id
                if token_id in vocabulary.eos_ids:
                    live[row] = False
                else:
                    replies[row].append(token_id)
            yield None
            if position + 1 == question.tokens or not live.any():
                break
            decoding.push(chosen)
        found = unanswered(question.dtype, token_ids)
        classes = [class_of(vocabulary, question, int(i), reply) for i, reply in zip(copies, replies, strict=True)]
        found["classes"] = np.array(classes, dtype=np.uint8).reshape(len(token_ids), question.samples)
        return found


def without_bounds(
    logprobs: Float32[np.ndarray, "n places"], bounded: Bool[np.ndarray, "n places"]
) -> Float32[np.ndarray, "n places"]:
    """Log-probabilities with NaN for those that are only upper bounds.

    Where a bound is above all that is known, the row's greatest is not known: then the whole row is NaN, and the
    verdict inconclusive.
    """
    known = np.where(bounded, np.float32(np.nan), logprobs)
    greatest = np.fmax.reduce(known, axis=1, initial=-np.inf)
    known[np.where(bounded, logprobs, -np.inf).max(axis=1) > greatest] = np.nan
    return known
