"""Answers `Verify`, `ReadVerdicts` and `ReadEvidence`: the sweep with its progress, and what it left on disk."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Int
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
from explorer.engine.answers.verification.budget import Budget
from explorer.engine.answers.verification.cost import cost_of, refuse_costly
from explorer.engine.answers.verification.evidence_file import ROWS_AT_ONCE, EvidenceFile
from explorer.engine.answers.verification.evidence_place import evidence_folder, open_evidence
from explorer.engine.answers.verification.finished import note_finished
from explorer.engine.answers.verification.plan import NOT_ASKED, Judged, Plan, make_plan
from explorer.engine.answers.verification.questions import ENDED, REPLY_CLASSES, Question
from explorer.engine.answers.verification.summary import cell, failing_definitions, summaries, summarise_matrix
from explorer.engine.answers.verification.sweep import Asking, Slab, sweep
from explorer.engine.answers.verification.swept import Swept, note_on_dtype
from explorer.engine.answers.vocabulary import Read
from explorer.engine.behaviour.prompts import build_prompt, check_token_id
from explorer.engine.control import Control
from explorer.engine.models.abilities import BehindServer, HasVocabulary
from explorer.engine.queue import Work
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
    if isinstance(model, BehindServer):
        asked = np.concatenate([plan.control_ids, plan.token_ids])
        cost = cost_of(model, plan.questions, asked, plan.folder)
        refuse_costly(cost, model.server)
        yield Progress(done=0, total=0, what=f"{model.info.name}: {cost.in_words(model.server)}")
    budget = Budget(model if isinstance(model, BehindServer) else None)
    swept = yield from run_plan(plan, control, budget)
    plan = replace(plan, notes=(*plan.notes, *swept.notes, *filter(None, [budget.reached])))
    result = yield from summarise_matrix(plan, plan.token_ids[: swept.tokens], swept.judged, swept.controls, swept.work)
    if not swept.completed:
        return Cancelled(partial=result, why=budget.reached)
    if model.info.weights_digest:
        note_finished(evidence_folder(cache or cache_folder(), model.info), request)
    return result


def _open_for_sweep(plan: Plan) -> Plan:
    """Drop what the request wants found again; the plan, with notes of what was damaged. Raises `ExplorerError`."""
    notes = plan.notes + (note_on_dtype(plan.model.info) if plan.questions else ())
    for question in plan.questions:
        with open_evidence(plan.model, question, plan.folder, write=True, fresh=plan.request.fresh) as file:
            notes += (file.note,) if file.note else ()
    return replace(plan, notes=notes)


def run_plan(plan: Plan, control: Control, budget: Budget | None = None) -> Generator[AnyPart, None, Swept]:
    """Sweep and judge, the controls first; tells progress, and verdicts as they come."""
    swept = Swept(plan)
    names, ids = (
        [definition.name for definition in plan.definitions],
        np.concatenate([plan.control_ids, plan.token_ids]),
    )
    first = len(plan.control_ids)
    steps = sweep(plan.model, plan.questions, ids, plan.folder, control.cancelled, plan.undecided, first, budget)
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as finished:
                swept.completed = finished.value
                return swept
            if isinstance(step, Asking):
                yield swept.progress(step)
                continue
            swept.refused |= step.refused
            if first and swept.controls is None:
                swept.take_controls(plan.judge(step))
            else:
                judged = swept.take(plan.judge(step))
                yield VerdictPart(
                    token_ids=Array.of(step.token_ids.astype(np.int32)),
                    verdicts={name: Array.of(row) for name, row in zip(names, judged.verdicts, strict=True)},
                    values={name: Array.of(row) for name, row in zip(names, judged.values, strict=True)},
                )


def read_verdicts(model: HasVocabulary, read: Read, request: ReadVerdicts, cache: Path | None = None) -> Work:
    """The whole matrix of a sweep as the files have it; `not asked` for tokens that a question is missing of."""
    plan = make_plan(model, read, request.of, cache or cache_folder())
    ids = plan.token_ids
    with ExitStack() as stack:
        files = _open_all(plan, stack)
        controls = _read_controls(plan, files)
        judged = Judged.nothing(len(plan.definitions), len(ids))
        for start in range(0, len(ids), ROWS_AT_ONCE):
            yield Progress(done=start, total=len(ids), what="verdicts read")
            _judge_known(plan, files, judged, ids, start)
    judged = judged.against(failing_definitions(plan, controls))
    definitions = summaries(plan, judged, controls)
    source = model.info.source
    return verdict_columns(read.columns, source, ids, definitions, judged.verdicts, judged.values, plan.indicator)


def _read_controls(plan: Plan, files: dict[str, EvidenceFile]) -> Judged | None:
    """The verdicts on the controls as the files have them; None where there are none."""
    if not len(plan.control_ids):
        return None
    controls = Judged.nothing(len(plan.definitions), len(plan.control_ids))
    _judge_known(plan, files, controls, plan.control_ids, 0)
    return controls


def _judge_known(
    plan: Plan, files: dict[str, EvidenceFile], judged: Judged, token_ids: Int[np.ndarray, " n"], start: int
) -> None:
    """Fill the next columns of `judged`, those of `token_ids` from `start` on, from the files."""
    part = slice(start, start + ROWS_AT_ONCE)
    ids = token_ids[part]
    for at, definition in enumerate(plan.definitions):
        needed = [question.key for question in definition.questions if question.key in files]
        known = plan.settled(definition, Slab(ids, {key: files[key].read(ids) for key in needed}))
        known |= np.logical_and.reduce([np.ones(len(ids), dtype=np.bool_), *(files[key].has(ids) for key in needed)])
        if known.any():
            slab = Slab(ids[known], {key: files[key].read(ids[known]) for key in needed})
            found = plan.judge(slab, [definition])
            judged.verdicts[at, part][known] = found.verdicts[0]
            judged.values[at, part][known] = found.values[0]
            judged.replies[at] += found.replies[0]


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
    of = msgspec.structs.replace(request.of, definitions=(request.definition,))
    plan = make_plan(model, read, of, cache or cache_folder())
    check_token_id(model.vocabulary, request.token_id)
    judged, ids = Judged.nothing(1, 1), np.array([request.token_id])
    with ExitStack() as stack:
        files = _open_all(plan, stack)
        controls = _read_controls(plan, files)
        _judge_known(plan, files, judged, ids, 0)
        judged = judged.against(failing_definitions(plan, controls))
        is_known = bool((judged.verdicts != NOT_ASKED).all())
        prompts = tuple(
            _prompt_evidence(plan, question, files[question.key], request.token_id, is_known)
            for question in plan.questions
        )
    return VerdictEvidence(
        model=model.info.name,
        token=model.vocabulary.ref(request.token_id),
        definition=summaries(plan, judged, controls)[0],
        cell=cell(judged, 0, 0),
        prompts=prompts,
    )


def _prompt_evidence(
    plan: Plan, question: Question, file: EvidenceFile, token_id: int, is_known: bool
) -> PromptEvidence:
    vocabulary, ids = plan.model.vocabulary, np.array([token_id])
    asked = bool(file.has(ids)[0])
    if not asked and not is_known:
        raise ExplorerError(f"token {token_id} was not asked this yet", hint="Verify it first.")
    row = file.read(ids)[0]
    prompt = build_prompt(vocabulary, question.template, token_id, question.chat)
    evidence = PromptEvidence(
        template=question.template.name,
        prompt_ids=prompt.ids,
        prompt=prompt.text,
        slot_positions=prompt.slot_positions,
        reencodes=prompt.reencodes,
        asked=asked,
    )
    if not asked:
        return evidence
    if question.samples:
        return msgspec.structs.replace(evidence, classes=tuple(REPLY_CLASSES[code] for code in row["classes"].tolist()))
    reply = [one for one in row["reply_ids"].tolist() if one != ENDED]
    return msgspec.structs.replace(
        evidence,
        reply_ids=tuple(reply),
        reply=vocabulary.decode(reply),
        logprobs=tuple(float(str(one)) for one in row["logprobs"] if not np.isnan(one)),
    )
