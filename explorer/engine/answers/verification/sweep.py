"""The sweep: every token of a set asked every question, in batches, with the evidence kept as it comes.

Tokens go in slabs; a slab is asked all questions before the next, so verdicts come out token by token and not
question by question. The rows of a batch depend only on the token set, the question and the model, so a sweep that
was killed and taken up again runs the same batches and finds the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Int

from explorer.base.reply_classes import Subject, classify
from explorer.engine.answers.verification.evidence_file import EvidenceFile
from explorer.engine.answers.verification.questions import (
    ENDED,
    REPLY_CLASSES,
    Evidence,
    PromptForm,
    Question,
    prompt_form,
)
from explorer.engine.behaviour.batching import never
from explorer.engine.behaviour.errors import BehaviourError
from explorer.engine.core.sampling import draws_of
from explorer.engine.models.abilities import SharesPrefix, running
from explorer.engine.models.errors import OutOfMemory
from explorer.engine.models.prediction import Choice, Wanted

if TYPE_CHECKING:
    from explorer.base.records.models import ModelInfo
    from explorer.engine.models.abilities import Continuation, HasVocabulary, Prefix
    from explorer.engine.models.vocabulary import Vocabulary

WORK_AT_ONCE = {"cpu": 2.4e10, "cuda": 2e13}
"""Multiplications and additions in one call of the model, about: up to a quarter of an idle machine's second."""
LOGITS_AT_ONCE = {"cpu": 2**21, "cuda": 2**28}
"""Logits of one batch, rows x vocabulary."""
POSITIONS_AT_ONCE = {"cpu": 2**13, "cuda": 2**18}
"""Tokens of one batch, prompts and replies together: bounds the key-value cache."""
LEAST_SLAB = 256
"""Tokens in a slab, at least, where the batch of a quick question has so many rows; of a slow model verdicts come
sooner."""
UNASKED_SLAB = 4096
"""Tokens in a slab where there is nothing to ask."""

Step = Generator[None, None, Evidence]


@dataclass(frozen=True)
class Slab:
    """Tokens about which everything is known now, in the order of the token set."""

    token_ids: Int[np.ndarray, " n"]
    evidence: dict[str, Evidence]
    """By question key, a row each."""


@dataclass(frozen=True)
class Asking:
    """A model call has been made, or evidence was found: how far the sweep is."""

    rows_done: int
    """Of tokens x questions."""
    rows_total: int
    rows_found: int
    """Of those done, how many the files had already."""


def rows_at_once(info: ModelInfo, read: int, held: int) -> int:
    """How many rows go into one batch, at least 1: `read` tokens of each are run, `held` are in its cache at the end.

    Bounds the time of one call, so that other requests need not wait long, and the memory it takes.
    """
    device = "cuda" if info.device.startswith("cuda") else "cpu"
    work = 2 * max(info.n_parameters, 1) * read
    most = min(WORK_AT_ONCE[device] / work, LOGITS_AT_ONCE[device] / info.vocab_size, POSITIONS_AT_ONCE[device] / held)
    return max(1, int(most))


class Asker:
    """One question on its way through the vocabulary."""

    def __init__(self, model: HasVocabulary, question: Question) -> None:
        self.question = question
        self._model = running(model)
        self._form: PromptForm = prompt_form(model.vocabulary, question)
        self._prefix: Prefix | None = None
        self._prefix_read = False
        length, copies = len(self._form.ids), max(question.samples, 1)
        rows = rows_at_once(model.info, length - len(self._form.shared), length + question.tokens)
        self.rows = max(1, rows // copies)
        """Tokens in one batch; halved when memory runs out."""

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
        return (yield from self._greedy(token_ids))

    def _start(self, token_ids: Int[np.ndarray, " n"]) -> Continuation:
        prompts = self._form.fill(token_ids)
        shared = self._form.shared
        if not self._prefix_read and shared and isinstance(self._model, SharesPrefix):
            self._prefix = self._model.read_prefix(shared)
        self._prefix_read = True
        if self._prefix is None or not isinstance(self._model, SharesPrefix):
            return self._model.start(prompts.tolist())
        return self._model.start_after(self._prefix, prompts[:, len(shared) :].tolist())

    def _greedy(self, token_ids: Int[np.ndarray, " n"]) -> Step:
        found = np.zeros(len(token_ids), dtype=self.question.dtype)
        found["token_id"], found["reply_ids"], found["logprobs"] = token_ids, ENDED, np.nan
        subjects = np.asarray(token_ids, dtype=np.int64)[:, None]
        # A token whose own embedding is broken must not end the sweep: its log-probabilities are NaN.
        wanted = Wanted(targets=subjects, choice=Choice(), strict=False)
        live, bounded = np.ones(len(token_ids), dtype=np.bool_), np.zeros(found["logprobs"].shape, dtype=np.bool_)
        ends = np.array(sorted(self._model.vocabulary.eos_ids), dtype=np.int64)
        decoding = self._start(token_ids)
        for position in range(self.question.tokens):
            told = decoding.read(wanted)
            assert told.chosen is not None, "a choice was wanted"
            chosen = told.chosen
            found["logprobs"][live, position] = told.logprobs[live, 0]
            bounded[live, position] = ~told.exact[live, 0]
            live &= ~np.isin(chosen, ends)
            found["reply_ids"][live, position] = chosen[live]
            yield
            if position + 1 == self.question.tokens or not live.any():
                break
            decoding.push(chosen.tolist())
        found["logprobs"] = without_bounds(found["logprobs"], bounded)
        return found

    def _sampled(self, token_ids: Int[np.ndarray, " n"]) -> Step:
        question, vocabulary = self.question, self._model.vocabulary
        copies = np.repeat(np.asarray(token_ids, dtype=np.int64), question.samples)
        draws = [draws_of(question.seed, sample) for _ in token_ids for sample in range(question.samples)]
        replies: list[list[int]] = [[] for _ in copies]
        chosen = [0] * len(copies)  # an ended row is fed its last id; nobody reads what comes of it
        live = np.ones(len(copies), dtype=np.bool_)
        decoding = self._start(copies)
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
            yield
            if position + 1 == question.tokens or not live.any():
                break
            decoding.push(chosen)
        found = np.zeros(len(token_ids), dtype=question.dtype)
        found["token_id"] = token_ids
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


def class_of(vocabulary: Vocabulary, question: Question, token_id: int, reply_ids: Sequence[int]) -> int:
    """The class of one reply, as an index into `REPLY_CLASSES`."""
    subject = Subject(token_id, vocabulary.token_bytes(token_id), token_id in vocabulary.special_ids)
    found = classify(reply_ids, vocabulary.decode_bytes(reply_ids), subject, question.template)
    return REPLY_CLASSES.index(found)


def sweep(
    model: HasVocabulary,
    questions: Sequence[Question],
    token_ids: Int[np.ndarray, " n"],
    folder: Path,
    cancelled: Callable[[], bool] = never,
) -> Generator[Asking | Slab, None, bool]:
    """Ask `questions`, all of which must fit the context, about `token_ids`; True when all was asked.

    Yields `Asking` after each call of the model and where evidence was found, and a `Slab` whenever one is done.
    `folder` holds this model's evidence files: what they have is not asked again. Stops (False) between two calls of
    the model once `cancelled`. Raises `BehaviourError` where the files cannot be written, `ModelError` where the model
    fails.
    """
    askers = [Asker(model, question) for question in questions]
    rows = [asker.rows for asker in askers] or [UNASKED_SLAB]
    slab_rows = max(min(LEAST_SLAB, max(rows)), min(rows))
    total, done, found = len(token_ids) * len(questions), 0, 0
    with ExitStack() as files:
        kept = {
            asker.question.key: files.enter_context(
                EvidenceFile(evidence_path(folder, asker.question), asker.question.dtype, model.info.vocab_size,
                             write=True)
            )
            for asker in askers
        }  # fmt: skip
        for start in range(0, len(token_ids), slab_rows):
            slab = token_ids[start : start + slab_rows]
            for asker in askers:
                file = kept[asker.question.key]
                known = int(file.has(slab).sum())
                done, found = done + known, found + known
                if known:  # else a sweep of what is all on disk would tell nothing of its work
                    yield Asking(done, total, found)
                for new in _missing(asker, file, slab, cancelled):
                    if new < 0:
                        return False
                    done += new
                    yield Asking(done, total, found)
            yield Slab(slab, {key: file.read(slab) for key, file in kept.items()})
    return True


def _missing(
    asker: Asker, file: EvidenceFile, slab: Int[np.ndarray, " n"], cancelled: Callable[[], bool]
) -> Generator[int, None, None]:
    """Ask what the file lacks of `slab`; yields after each call how many tokens were settled by it, −1 to stop."""
    first = 0
    while first < len(slab):
        batch = slab[first : first + asker.rows]
        lacking = batch[~file.has(batch)]
        if len(lacking):
            step = asker.ask(lacking)
            try:
                while True:
                    if cancelled():
                        yield -1
                        return
                    try:
                        next(step)
                    except StopIteration as finished:
                        file.append(finished.value)
                        yield len(lacking)
                        break
                    yield 0
            except OutOfMemory:
                if asker.rows == 1:
                    raise
                asker.rows = max(1, asker.rows // 2)
                continue
        first += len(batch)


def evidence_path(folder: Path, question: Question) -> Path:
    """Where the evidence of `question` is kept in a model's folder."""
    return folder / f"{question.key}.sqlite"


def evidence_folder(cache: Path, info: ModelInfo) -> Path:
    """A model's folder in `cache`: by its weights, its vocabulary and the dtype it runs in, not by its name.

    Raises `BehaviourError` for a model without a digest, whose evidence could be taken for another's.
    """
    if not info.weights_digest:
        raise BehaviourError(f"{info.name} has no digest of its weights", "Evidence is kept under the digest.")
    device = info.device.split(":")[0]
    return cache / f"{info.weights_digest}-{info.tokenizer_digest[:12]}-{info.dtype}-{device}"
