"""Answers `Verify`, `ReadVerdicts` and `ReadEvidence`: the sweep with its progress, and what it left on disk."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from platformdirs import user_cache_path

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Array, Progress
from explorer.base.records.unions import AnyPart, Cancelled
from explorer.base.records.verification import (
    PromptEvidence,
    ReadEvidence,
    ReadVerdicts,
    VerdictEvidence,
    VerdictPart,
    Verify,
)
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.verification.evidence_file import ROWS_AT_ONCE, EvidenceFile
from explorer.engine.answers.verification.evidence_place import open_evidence
from explorer.engine.answers.verification.plan import Judged, Plan, make_plan
from explorer.engine.answers.verification.questions import ENDED, REPLY_CLASSES, Question
from explorer.engine.answers.verification.summary import cell, summarise_matrix, summary
from explorer.engine.answers.verification.sweep import Asking, Slab, sweep
from explorer.engine.answers.vocabulary import Read
from explorer.engine.behaviour.prompts import build_prompt
from explorer.engine.models.abilities import HasVocabulary
from explorer.engine.queue import Control, Work
from explorer.tables.verdicts import verdict_columns


def cache_folder() -> Path:
    """Where evidence is kept on this machine."""
    return user_cache_path("glitch-explore") / "verification"


def answer_verify(engine: Holdings, request: Verify, control: Control) -> Work:
    """Test the tokens of a vocabulary. Raises `ExplorerError` as `verify` does."""
    model = engine.models.get(request.model)
    return (yield from verify(model, (yield from engine.vocabularies.read(model, None)), request, control))


def answer_read_verdicts(engine: Holdings, request: ReadVerdicts, control: Control) -> Work:
    """The verdicts on disk of a sweep."""
    model = engine.models.get(request.of.model)
    return (yield from read_verdicts(model, (yield from engine.vocabularies.read(model, None)), request))


def answer_read_evidence(engine: Holdings, request: ReadEvidence, control: Control) -> Work:
    """What stands behind one verdict. Raises `ExplorerError` as `read_evidence` does."""
    model = engine.models.get(request.of.model)
    return read_evidence(model, (yield from engine.vocabularies.read(model, None)), request)


def verify(model: HasVocabulary, read: Read, request: Verify, control: Control, cache: Path | None = None) -> Work:
    """Sweep, judging slab by slab; the result, or what there is of it once cancelled. Raises `ExplorerError`."""
    plan = _open_for_sweep(make_plan(model, read, request, cache or cache_folder()))
    swept = yield from run_plan(plan, control)
    result = yield from summarise_matrix(plan, plan.token_ids[: swept.tokens], swept.judged, swept.work)
    return result if swept.completed else Cancelled(partial=result)


def _open_for_sweep(plan: Plan) -> Plan:
    """Drop what the request wants found again; the plan, with notes of what was damaged. Raises `ExplorerError`."""
    notes = plan.notes
    for question in plan.questions:
        with open_evidence(plan.model, question, plan.folder, write=True, fresh=plan.request.fresh) as file:
            notes += (file.note,) if file.note else ()
    return replace(plan, notes=notes)


class Swept:
    """What came of a sweep, as far as it got."""

    def __init__(self, plan: Plan) -> None:
        self.tokens = 0
        """The first so many tokens of the plan are judged."""
        self.completed = False
        self._judged = Judged.nothing(len(plan.definitions), len(plan.token_ids))
        self._began = time.monotonic()
        self._last = Asking(0, 0, 0)
        self._questions = max(len(plan.questions), 1)

    @property
    def judged(self) -> Judged:
        """Of the tokens that are judged."""
        return Judged(self._judged.verdicts[:, : self.tokens], self._judged.values[:, : self.tokens])

    @property
    def rate(self) -> float:
        """Tokens a second that the model answered about."""
        return self.answered / self._questions / max(time.monotonic() - self._began, 1e-6)

    @property
    def answered(self) -> int:
        """Prompts that the model answered."""
        return self._last.rows_done - self._last.rows_found

    @property
    def work(self) -> tuple[int, int, float]:
        """Prompts answered, prompts reused, tokens a second."""
        return self.answered, self._last.rows_found, round(self.rate, 1)

    def take(self, judged: Judged) -> None:
        """Add the next tokens."""
        end = self.tokens + judged.verdicts.shape[1]
        self._judged.verdicts[:, self.tokens : end] = judged.verdicts
        self._judged.values[:, self.tokens : end] = judged.values
        self.tokens = end

    def progress(self, asking: Asking) -> Progress:
        """How far it is, in tokens."""
        self._last = asking
        left = (asking.rows_total - asking.rows_done) / self._questions
        return Progress(
            done=asking.rows_done // self._questions,
            total=asking.rows_total // self._questions,
            what="tokens verified",
            rate=self.rate,
            seconds_left=left / self.rate if self.rate > 0 else None,
            reused=asking.rows_found // self._questions,
        )


def run_plan(plan: Plan, control: Control) -> Generator[AnyPart, None, Swept]:
    """Sweep and judge; tells progress, and verdicts as they come."""
    swept = Swept(plan)
    names = [definition.name for definition in plan.definitions]
    with closing(sweep(plan.model, plan.questions, plan.token_ids, plan.folder, control.cancelled)) as steps:
        while True:
            try:
                step = next(steps)
            except StopIteration as finished:
                swept.completed = finished.value
                return swept
            if isinstance(step, Slab):
                judged = plan.judge(step)
                swept.take(judged)
                yield VerdictPart(
                    token_ids=Array.of(step.token_ids.astype(np.int32)),
                    verdicts={name: Array.of(row) for name, row in zip(names, judged.verdicts, strict=True)},
                    values={name: Array.of(row) for name, row in zip(names, judged.values, strict=True)},
                )
            else:
                yield swept.progress(step)


def read_verdicts(model: HasVocabulary, read: Read, request: ReadVerdicts, cache: Path | None = None) -> Work:
    """The whole matrix of a sweep as the files have it; `not asked` for tokens that a question is missing of."""
    plan = make_plan(model, read, request.of, cache or cache_folder())
    ids = plan.token_ids
    judged = Judged.nothing(len(plan.definitions), len(ids))
    with ExitStack() as stack:
        files = _open_all(plan, stack)
        for start in range(0, len(ids), ROWS_AT_ONCE):
            yield Progress(done=start, total=len(ids), what="verdicts read")
            _judge_known(plan, files, judged, slice(start, start + ROWS_AT_ONCE))
    definitions = tuple(summary(one, judged.verdicts[at]) for at, one in enumerate(plan.definitions))
    source = model.info.source
    return verdict_columns(read.columns, source, ids, definitions, judged.verdicts, judged.values, plan.indicator)


def _judge_known(plan: Plan, files: dict[str, EvidenceFile], judged: Judged, part: slice) -> None:
    """Fill the columns `part` of `judged` from the files, definition by definition."""
    ids = plan.token_ids[part]
    for at, definition in enumerate(plan.definitions):
        needed = [question.key for question in definition.questions if question.key in files]
        known = np.ones(len(ids), dtype=np.bool_)
        for key in needed:
            known &= files[key].has(ids)
        if known.any():
            slab = Slab(ids[known], {key: files[key].read(ids[known]) for key in needed})
            found = plan.judge(slab, [definition])
            judged.verdicts[at, part][known] = found.verdicts[0]
            judged.values[at, part][known] = found.values[0]


def _open_all(plan: Plan, stack: ExitStack) -> dict[str, EvidenceFile]:
    """The files of the plan's questions, to be read, by question key; closed with `stack`."""
    return {
        question.key: stack.enter_context(open_evidence(plan.model, question, plan.folder, write=False))
        for question in plan.questions
    }


def read_evidence(
    model: HasVocabulary, read: Read, request: ReadEvidence, cache: Path | None = None
) -> VerdictEvidence:
    """What stands behind one cell. Raises `ExplorerError` where the token was not asked about."""
    only = msgspec.structs.replace(request.of, token_ids=(request.token_id,), definitions=(request.definition,))
    plan = make_plan(model, read, only, cache or cache_folder())
    judged = Judged.nothing(1, 1)
    with ExitStack() as stack:
        files = _open_all(plan, stack)
        _judge_known(plan, files, judged, slice(0, 1))
        prompts = tuple(
            _prompt_evidence(plan, question, files[question.key], request.token_id) for question in plan.questions
        )
    return VerdictEvidence(
        model=model.info.name,
        token=model.vocabulary.ref(request.token_id),
        definition=summary(plan.definitions[0], judged.verdicts[0]),
        cell=cell(judged, 0, 0),
        prompts=prompts,
    )


def _prompt_evidence(plan: Plan, question: Question, file: EvidenceFile, token_id: int) -> PromptEvidence:
    vocabulary, ids = plan.model.vocabulary, np.array([token_id])
    if not file.has(ids)[0]:
        raise ExplorerError(f"token {token_id} was not asked this yet", hint="Verify it first.")
    row = file.read(ids)[0]
    prompt = build_prompt(vocabulary, question.template, token_id, question.chat)
    evidence = PromptEvidence(
        template=question.template.name,
        prompt_ids=prompt.ids,
        prompt=prompt.text,
        slot_positions=prompt.slot_positions,
        reencodes=prompt.reencodes,
    )
    if question.samples:
        return msgspec.structs.replace(evidence, classes=tuple(REPLY_CLASSES[code] for code in row["classes"].tolist()))
    reply = [one for one in row["reply_ids"].tolist() if one != ENDED]
    return msgspec.structs.replace(
        evidence,
        reply_ids=tuple(reply),
        reply=vocabulary.decode(reply),
        logprobs=tuple(float(str(one)) for one in row["logprobs"] if not np.isnan(one)),
    )
