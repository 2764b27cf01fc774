"""A verdict matrix in numbers small enough for a session: counts, overlaps, scores, curves and the called tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, UInt8

from explorer.base.records.record import Progress
from explorer.base.records.tokens import CATEGORIES
from explorer.base.records.verification import (
    VERDICTS,
    CallCurve,
    ControlCounts,
    DefinitionPair,
    DefinitionSummary,
    IndicatorScore,
    ReplyCounts,
    TruthScore,
    VerdictCell,
    VerdictRow,
    VerificationResult,
)
from explorer.base.shares import format_share
from explorer.engine.answers.verification.controls import CONTROLS_FAIL, controls_fail, shares_meet
from explorer.engine.answers.verification.definitions import Definition
from explorer.engine.answers.verification.plan import SPECIAL, Judged, Plan
from explorer.engine.models.vocabulary import Vocabulary
from explorer.tables.agreement import (
    average_precision,
    confusion,
    jaccard,
    precision_recall_points,
    roc_auc,
    roc_points,
)

TRUTHS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("withheld from training (zoo card; the under-trained ones left out)", ("withheld",), ("under_trained",)),
    ("withheld or under-trained (zoo card)", ("withheld", "under_trained"), ()),
    ("named by a published list", ("published",), ()),
)
"""What a definition can be measured against: the words, the flags of the true tokens, and of those left out."""
CURVE_POINTS = 33


@dataclass(frozen=True)
class Spent:
    """What a sweep cost."""

    answered: int
    """Prompts that the model answered."""
    reused: int
    """Prompts whose answers were on disk."""
    skipped: int
    """Prompts that need not be asked."""
    rate: float
    """Tokens a second."""
    how: str
    """The dtype, the device and the threads."""


def summarise_matrix(
    plan: Plan, token_ids: Int[np.ndarray, " n"], judged: Judged, controls: Judged | None, work: Spent
) -> Generator[Progress, None, VerificationResult]:
    """The result of a plan about `token_ids`, those of its tokens that were judged, against its `controls`, if any.
    Yields now and then: a moment for others."""
    called = judged.called()
    scores: list[IndicatorScore] = []
    curves: list[CallCurve] = []
    for place, definition in enumerate(plan.definitions):
        yield Progress(done=place, total=len(plan.definitions), what="definitions compared")
        usable = judged.decided()[place]
        found = _indicator_scores(plan, definition, token_ids[usable], called[place, usable])
        scores += found
        curves += _curves(plan, found, token_ids[usable], called[place, usable])
    definitions = summaries(plan, judged, controls)
    return VerificationResult(
        model=plan.model.info.name,
        tokens=len(token_ids),
        definitions=definitions,
        pairs=tuple(_pairs(plan.definitions, called)),
        truths=tuple(_truths(plan, token_ids, judged)),
        indicators=tuple(scores),
        curves=tuple(curves),
        rows=_called_rows(plan, token_ids, judged, called),
        notes=(*plan.notes, *_notes_on_controls(definitions)),
        answered=work.answered,
        reused=work.reused,
        skipped=work.skipped,
        tokens_per_second=float(f"{work.rate:.3g}"),
        how=work.how,
        controls=tuple(plan.model.vocabulary.ref(token_id) for token_id in plan.control_ids.tolist()),
        digest=_digest(token_ids, judged.verdicts),
    )


def summaries(plan: Plan, judged: Judged, controls: Judged | None) -> tuple[DefinitionSummary, ...]:
    """The plan's definitions, how often each gave each verdict, and what it says of the controls, if there are any."""
    return tuple(_summary(one, at, judged, controls) for at, one in enumerate(plan.definitions))


def _summary(definition: Definition, at: int, judged: Judged, controls: Judged | None) -> DefinitionSummary:
    counts = np.bincount(judged.verdicts[at], minlength=len(VERDICTS)).tolist()
    return DefinitionSummary(
        name=definition.name, title=definition.title, rule=definition.rule, source=definition.source,
        value=definition.value, verified=counts[0], weak=counts[1], rejected=counts[2],
        inconclusive=counts[3] + counts[CONTROLS_FAIL], silenced=counts[CONTROLS_FAIL],
        replies=_reply_counts(judged, at),
        controls=None if controls is None or not definition.questions else count_controls(controls, at),
    )  # fmt: skip


def _reply_counts(judged: Judged, definition: int) -> ReplyCounts | None:
    exact, said, replies = judged.replies[definition].tolist()
    return ReplyCounts(exact=exact, said=said, replies=replies) if replies else None


def count_controls(controls: Judged, definition: int) -> ControlCounts:
    """What the verdicts on the controls come to."""
    called, tokens = (int(which[definition].sum()) for which in (controls.called(), controls.decided()))
    return ControlCounts(
        called=called, tokens=tokens, replies=_reply_counts(controls, definition), fail=controls_fail(called, tokens)
    )


def failing_definitions(plan: Plan, controls: Judged | None) -> list[bool]:
    """Which definitions call their controls too; those that ask nothing have none."""
    if controls is None:
        return [False] * len(plan.definitions)
    return [bool(one.questions) and count_controls(controls, at).fail for at, one in enumerate(plan.definitions)]


def _notes_on_controls(definitions: Sequence[DefinitionSummary]) -> list[str]:
    """What a reader must know of how the definitions treat ordinary tokens."""
    notes = []
    for one in definitions:
        controls = one.controls
        if controls is None or not controls.called:
            continue
        called = f"{one.name} calls {format_share(controls.called, controls.tokens)} of the controls"
        found = one.verified + one.weak
        if controls.fail:
            notes.append(f"{called}: its calls are inconclusive, the controls fail too")
        elif shares_meet(found, found + one.rejected, controls.called, controls.tokens):
            tested = format_share(found, found + one.rejected)
            notes.append(f"{called} and {tested} of the tokens tested: as a whole no more than chance")
    return notes


def truth_score(
    definition: str,
    truth: str,
    verdict: tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]],
    true: Bool[np.ndarray, " n"],
) -> TruthScore:
    """`verdict`: which tokens were called, and on which there is a verdict at all."""
    called, decided = verdict
    counts = confusion(called[decided], true[decided])
    return TruthScore(
        definition=definition,
        truth=truth,
        true_positives=counts.true_positives,
        false_positives=counts.false_positives,
        false_negatives=counts.false_negatives,
        undecided=int((true & ~decided).sum()),
        precision=counts.precision,
        recall=counts.recall,
    )


def verdict_row(
    vocabulary: Vocabulary, token_id: int, definitions: Sequence[Definition], judged: Judged, place: int
) -> VerdictRow:
    """The column `place` of the matrix, that of `token_id`."""
    cells = {one.name: cell(judged, at, place) for at, one in enumerate(definitions)}
    category = CATEGORIES[int(vocabulary.categories[token_id])]
    return VerdictRow(token=vocabulary.ref(token_id), category=category, verdicts=cells)


def cell(judged: Judged, definition: int, place: int) -> VerdictCell:
    """One cell of the matrix."""
    value = judged.values[definition, place]
    return VerdictCell(
        verdict=VERDICTS[int(judged.verdicts[definition, place])],
        value=None if np.isnan(value) else float(str(value)),  # str() of a float32 is its shortest form
    )


def _pairs(definitions: Sequence[Definition], called: Bool[np.ndarray, "definitions n"]) -> list[DefinitionPair]:
    return [
        DefinitionPair(
            first=one.name, second=other.name, both=int((called[a] & called[b]).sum()),
            either=int((called[a] | called[b]).sum()), jaccard=jaccard(called[a], called[b]),
        )
        for a, one in enumerate(definitions)
        for b, other in enumerate(definitions)
        if a < b
    ]  # fmt: skip


def _truths(plan: Plan, token_ids: Int[np.ndarray, " n"], judged: Judged) -> list[TruthScore]:
    """Special tokens are left out: they are not trained as text, and no list names them."""
    flags = {name: flag[token_ids] for name, flag in plan.read.columns.flags.items()}
    ordinary = plan.read.columns.categories[token_ids] != SPECIAL
    found = []
    for statement, true_flags, left_out in TRUTHS:
        if set(true_flags) <= flags.keys():
            counted = ordinary & ~np.logical_or.reduce([np.zeros_like(ordinary), *(flags[name] for name in left_out)])
            true = np.logical_or.reduce([flags[name] for name in true_flags]) & counted
            found += [
                truth_score(one.name, statement, (judged.called()[at], judged.decided()[at] & counted), true)
                for at, one in enumerate(plan.definitions)
            ]
    return found


def _indicator_scores(
    plan: Plan, definition: Definition, token_ids: Int[np.ndarray, " n"], called: Bool[np.ndarray, " n"]
) -> list[IndicatorScore]:
    found = []
    for name, column in plan.read.columns.indicators.items():
        finite = np.isfinite(column[token_ids])
        labels, values = called[finite], column[token_ids][finite]
        if labels.all() or not labels.any():
            continue
        area = roc_auc(-values, labels)
        low = area >= 0.5
        found.append(
            IndicatorScore(
                indicator=name, definition=definition.name, low_is_suspicious=low,
                roc_auc=area if low else roc_auc(values, labels),
                average_precision=average_precision(-values if low else values, labels),
            )
        )  # fmt: skip
    return found


def _curves(
    plan: Plan, scores: Sequence[IndicatorScore], token_ids: Int[np.ndarray, " n"], called: Bool[np.ndarray, " n"]
) -> list[CallCurve]:
    found = []
    for score in scores:
        if score.indicator == plan.indicator:
            values = plan.read.columns.indicators[score.indicator][token_ids]
            finite = np.isfinite(values)
            suspicion = (-values if score.low_is_suspicious else values)[finite]
            roc = roc_points(suspicion, called[finite], CURVE_POINTS)
            recall = precision_recall_points(suspicion, called[finite], CURVE_POINTS)
            found.append(
                CallCurve(
                    indicator=score.indicator,
                    definition=score.definition,
                    roc=tuple(zip(roc.x.round(5).tolist(), roc.y.round(5).tolist(), strict=True)),
                    precision_recall=tuple(zip(recall.x.round(5).tolist(), recall.y.round(5).tolist(), strict=True)),
                )
            )
    return found


def _called_rows(
    plan: Plan, token_ids: Int[np.ndarray, " n"], judged: Judged, called: Bool[np.ndarray, "definitions n"]
) -> tuple[VerdictRow, ...]:
    times = called.sum(axis=0)
    order = np.lexsort((token_ids, -times))[: max(plan.request.rows, 0)]
    places = [int(place) for place in order if times[place]]
    return tuple(
        verdict_row(plan.model.vocabulary, int(token_ids[place]), plan.definitions, judged, place) for place in places
    )


def _digest(token_ids: Int[np.ndarray, " n"], verdicts: UInt8[np.ndarray, "definitions n"]) -> str:
    digest = hashlib.sha256(token_ids.astype("<i4").tobytes())
    digest.update(np.ascontiguousarray(verdicts).tobytes())
    return digest.hexdigest()[:32]
