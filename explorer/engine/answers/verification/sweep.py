"""The sweep: every token of a set asked every question, in batches, with the evidence kept as it comes.

Tokens go in slabs; a slab is asked all questions before the next, so verdicts come out token by token and not
question by question. Of a slab the cheapest question is asked first, and a dearer one only of the tokens whose verdicts
it can still change. The rows of a batch depend only on the token set, the questions and the model, so a sweep that
was killed and taken up again runs the same batches and finds the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from explorer.engine.answers.verification.asking import Asker
from explorer.engine.answers.verification.budget import Budget
from explorer.engine.answers.verification.evidence_file import EvidenceFile
from explorer.engine.answers.verification.evidence_place import open_evidence
from explorer.engine.answers.verification.questions import Evidence, Question, unanswered
from explorer.engine.answers.verification.sizes import rows_of_slab
from explorer.engine.behaviour.batching import never
from explorer.engine.control import Stopped
from explorer.engine.models.abilities import BehindServer
from explorer.engine.models.errors import OutOfMemory

if TYPE_CHECKING:
    from explorer.engine.models.abilities import HasVocabulary

UNASKED_SLAB = 4096
"""Tokens in a slab where there is nothing to ask."""
MOST_SLAB = 256
"""Tokens in a slab, at most, unless the batch of every question has more."""


@dataclass(frozen=True)
class Slab:
    """Tokens about which everything is known now, in the order of the token set."""

    token_ids: Int[np.ndarray, " n"]
    evidence: Mapping[str, Evidence]
    """By question key, a row each; `unanswered` where nothing more needed to be asked, or nothing came."""
    has: Mapping[str, Bool[np.ndarray, " n"]] = field(default_factory=dict)
    """By question key, which tokens there is evidence about; a key that is missing: all."""
    refused: Mapping[int, str] = field(default_factory=dict)
    """Tokens that a server refuses to be asked about, and why."""

    def only(self, which: Bool[np.ndarray, " n"]) -> Slab:
        """Some of its tokens, about which there is all that is needed."""
        return Slab(self.token_ids[which], {key: rows[which] for key, rows in self.evidence.items()})


Undecided = Callable[[Slab, Question], "Bool[np.ndarray, ' n']"]
"""Of which tokens of a slab with what is known so far a question must be asked."""


def ask_everything(slab: Slab, question: Question) -> Bool[np.ndarray, " n"]:
    """Every question of every token."""
    return np.ones(len(slab.token_ids), dtype=np.bool_)


@dataclass(frozen=True)
class Asking:
    """A model call has been made, or evidence was found: how far the sweep is."""

    rows_done: int
    """Of tokens x questions."""
    rows_total: int
    rows_found: int
    """Of those done, how many the files had already."""
    rows_settled: int = 0
    """Of those done, how many were not asked: a cheaper question had settled what they are asked for."""
    work_done: float = 0.0
    """Operations of what was asked, about."""
    work_left: float = 0.0
    """Operations of what will be, about: as many rows will be settled as were so far."""


class Ledger:
    """Counts a sweep's rows, question by question."""

    def __init__(self, askers: Sequence[Asker], known: Mapping[str, int], tokens: int) -> None:
        """`known`: of how many of the `tokens` the files have the answer, by question."""
        self._work = {asker.question.key: asker.work for asker in askers}
        self._left = {key: tokens - known[key] for key in self._work}
        """Rows that are neither on disk nor decided on."""
        self._asked = dict.fromkeys(self._work, 0)
        self._settled = dict.fromkeys(self._work, 0)
        self._found, self._total = 0, tokens * len(askers)

    def find(self, count: int) -> None:
        """So many rows were on disk."""
        self._found += count

    def settle(self, key: str, count: int) -> None:
        """So many rows need not be asked."""
        self._settled[key] += count
        self._left[key] -= count

    def ask(self, key: str, count: int) -> None:
        """So many rows were answered."""
        self._asked[key] += count
        self._left[key] -= count

    def told(self) -> Asking:
        """How far it is."""
        asked, settled = sum(self._asked.values()), sum(self._settled.values())
        return Asking(
            rows_done=self._found + asked + settled,
            rows_total=self._total,
            rows_found=self._found,
            rows_settled=settled,
            work_done=sum(count * self._work[key] for key, count in self._asked.items()),
            work_left=sum(left * self._asked_share(key) * self._work[key] for key, left in self._left.items()),
        )

    def _asked_share(self, key: str) -> float:
        """Of the rows decided on so far, those that had to be asked."""
        decided = self._asked[key] + self._settled[key]
        return self._asked[key] / decided if decided else 1.0


def sweep(
    model: HasVocabulary,
    questions: Sequence[Question],
    token_ids: Int[np.ndarray, " n"],
    folder: Path,
    cancelled: Callable[[], bool] = never,
    undecided: Undecided = ask_everything,
    first: int = 0,
    budget: Budget | None = None,
) -> Generator[Asking | Slab, None, bool]:
    """Ask `questions`, all of which must fit the context, about `token_ids`; True when all was asked.

    Yields `Asking` after each call of the model and where evidence was found, and a `Slab` whenever one is done; the
    `first` tokens (0: none) are a slab of their own. `folder` holds this model's evidence files: what they have is not
    asked again. `undecided` says what need be asked. Stops (False) between two calls of the model once `cancelled`, and
    before `budget`, if there is one, would be passed: it says so then.
    Raises `BehaviourError` where the files cannot be written, `ModelError` where the model fails.
    """
    if questions and isinstance(model, BehindServer):
        model.check_unchanged()
    askers = sorted((Asker(model, question) for question in questions), key=lambda asker: asker.work)
    with ExitStack() as stack:
        files = {
            asker.question.key: stack.enter_context(
                open_evidence(model, asker.question, folder, write=True)
            )
            for asker in askers
        }  # fmt: skip
        ledger = Ledger(askers, {key: int(file.has(token_ids).sum()) for key, file in files.items()}, len(token_ids))
        for part in _slabs(model, askers, token_ids, first):
            for asker in askers:
                for told in _ask_slab(asker, files, part, undecided, ledger, cancelled, budget or Budget()):
                    if told is None:
                        return False
                    yield told
            yield replace(_slab(part, files), refused=_refused(askers, part))
    return True


def _slabs(
    model: HasVocabulary, askers: Sequence[Asker], token_ids: Int[np.ndarray, " n"], first: int
) -> Generator[Int[np.ndarray, " n"], None, None]:
    """The tokens in parts: few enough that verdicts come soon, enough to fill the batches where the model is quick."""
    size = UNASKED_SLAB
    if askers:
        rows = [asker.rows for asker in askers]
        wished = max(min(MOST_SLAB, max(rows)), min(rows))
        size = min(wished, rows_of_slab(model.info, sum(asker.work for asker in askers)))
        size = max(rows) if isinstance(model, BehindServer) else size
    if first:
        yield token_ids[:first]
    for start in range(first, len(token_ids), size):
        yield token_ids[start : start + size]


def _slab(token_ids: Int[np.ndarray, " n"], files: Mapping[str, EvidenceFile]) -> Slab:
    evidence = {key: file.read(token_ids) for key, file in files.items()}
    return Slab(token_ids, evidence, {key: file.has(token_ids) for key, file in files.items()})


def _refused(askers: Sequence[Asker], token_ids: Int[np.ndarray, " n"]) -> dict[int, str]:
    """Of these tokens, those that some question cannot be asked about."""
    return {each: asker.refused[each] for asker in askers for each in token_ids.tolist() if each in asker.refused}


def _ask_slab(
    asker: Asker,
    files: Mapping[str, EvidenceFile],
    slab: Int[np.ndarray, " n"],
    undecided: Undecided,
    ledger: Ledger,
    cancelled: Callable[[], bool],
    budget: Budget,
) -> Generator[Asking | None, None, None]:
    """Ask what a slab needs of one question; yields None to stop."""
    key = asker.question.key
    has = files[key].has(slab)
    needed = undecided(_slab(slab, files), asker.question)
    ledger.find(int(has.sum()))
    ledger.settle(key, int((~needed & ~has).sum()))
    if not (needed & ~has).all():  # else a sweep of what is all on disk would tell nothing of its work
        yield ledger.told()
    for count in _missing(asker, files[key], slab[needed], cancelled, budget):
        if count is None:
            yield None
            return
        ledger.ask(key, count)
        yield ledger.told()


def _missing(
    asker: Asker, file: EvidenceFile, slab: Int[np.ndarray, " n"], cancelled: Callable[[], bool], budget: Budget
) -> Generator[int | None, None, None]:
    """Ask what the file lacks of `slab`; yields after each call how many tokens were settled by it, None to stop."""
    first = 0
    while first < len(slab):
        batch = next_batch(slab[first:], asker.rows)
        lacking = batch[~file.has(batch)]
        allowed = lacking[: budget.room(asker, len(lacking))]
        try:
            for rows in _answers(asker, allowed, cancelled, budget) if len(allowed) else ():
                if rows is None:
                    yield None
                    return
                if len(rows):
                    file.append(rows)
                yield len(rows)
        except OutOfMemory:
            if asker.rows == 1:
                raise
            asker.rows = max(1, asker.rows // 2)
            continue
        if len(allowed) < len(lacking):
            yield None
            return
        if refused := len(allowed) - int(file.has(allowed).sum()):
            yield refused
        first += len(batch)


def _answers(
    asker: Asker, token_ids: Int[np.ndarray, " n"], cancelled: Callable[[], bool], budget: Budget
) -> Generator[Evidence | None, None, None]:
    """Evidence about `token_ids` as it comes, a call of the model each time; None to stop."""
    step, nothing = asker.ask(token_ids), unanswered(asker.question.dtype, token_ids[:0])
    while not cancelled():
        try:
            with budget.counting():
                told = next(step)
        except StopIteration as finished:
            yield finished.value
            return
        except Stopped:
            break
        yield nothing if told is None else told
    yield None


def next_batch(left: Int[np.ndarray, " n"], most: int) -> Int[np.ndarray, " batch"]:
    """The first of the fewest batches of at most `most` tokens that are alike in size: a last one of few tokens would
    read all weights for them alone."""
    return left[: math.ceil(len(left) / math.ceil(len(left) / most))]
