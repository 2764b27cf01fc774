"""Proofs as records and back, and what more is found out about speakable tokens: the sphere, the solid angle."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import msgspec
import numpy as np
from jaxtyping import Int64

from explorer.base.records.record import Progress
from explorer.base.records.speakability import (
    ProveSpeakability,
    SolidAngleEstimate,
    SpeakabilityCertificate,
    SpeakabilityRow,
)
from explorer.base.records.unions import AnyPart
from explorer.engine.answers.speakability.store import ProofStore
from explorer.engine.answers.speakability.unembedding import Unembedding
from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.questions import Certificate, Question, RowWitness, Weights, Witness
from explorer.engine.core.speakability.solid_angle import SolidAngle, solid_angle
from explorer.engine.core.speakability.sphere import sphere_witness

NEARLY = 1e-9
"""A point that is shorter than the radius by less than this share of it is on the sphere."""


def proof_record(proof: Certificate, token_ids: Int64[np.ndarray, " n"]) -> SpeakabilityCertificate:
    """A proof about rows as one about tokens; `token_ids` are the rows'."""
    if isinstance(proof, Witness):
        return SpeakabilityCertificate(kind="witness", x=tuple(proof.x.tolist()))
    if isinstance(proof, RowWitness):
        return SpeakabilityCertificate(kind="row_witness")
    return SpeakabilityCertificate(
        kind="weights",
        token_ids=tuple(token_ids[np.asarray(proof.token_ids, dtype=np.int64)].tolist()),
        weights=tuple(np.asarray(proof.weights, dtype=np.float64).tolist()),
        centre=float(proof.centre),
    )


def proof_of(record: SpeakabilityCertificate, token_ids: Int64[np.ndarray, " n"]) -> Certificate | None:
    """The proof about rows that a record stands for; None where it names a token that has no row."""
    if record.kind == "witness":
        return Witness(np.array(record.x, dtype=np.float64))
    if record.kind == "row_witness":
        return RowWitness()
    try:
        named = np.array(record.token_ids, dtype=np.int64)
    except OverflowError:
        return None
    if not np.isin(named, token_ids).all():
        return None
    return Weights(np.searchsorted(token_ids, named), np.array(record.weights, dtype=np.float64), record.centre)


def refine(
    found: Unembedding,
    question: Question,
    request: ProveSpeakability,
    store: ProofStore,
    token_ids: Sequence[int],
    cancelled: Callable[[], bool],
) -> Generator[AnyPart, None, None]:
    """Find out more about these tokens, where they are speakable, one by one; the rows in `store` are replaced."""
    checker: Checker | None = None
    for done, token_id in enumerate(token_ids):
        row = store.rows.get(token_id)
        if cancelled():
            return
        if row is None or row.verdict != "speakable":
            continue
        yield Progress(done=done, total=len(token_ids), what="regions measured")
        known = row
        place = int(np.searchsorted(found.token_ids, token_id))
        if question.mode == "ball" and row.on_sphere is None:
            checker = checker or Checker(found.rows, found.bias, question, found.shift)
            row = msgspec.structs.replace(row, on_sphere=_on_sphere(checker, row, place))
        stale = row.solid_angle is None or row.solid_angle.seed != request.seed
        if request.solid_angle and stale and len(found.rows) > 1:
            angle = yield from _angle(found, question, request.seed, place, cancelled, (done, len(token_ids)))
            row = row if angle is None else msgspec.structs.replace(row, solid_angle=angle)
        if row is not known:
            store.append([row])


def reaches_sphere(proof: Certificate | None, question: Question) -> bool:
    """Whether a proof is a point on the ball's sphere."""
    if question.mode != "ball" or proof is None or isinstance(proof, Weights):
        return False
    # A row's own witness is as long as is admissible, whatever the row.
    return isinstance(proof, RowWitness) or bool(np.linalg.norm(proof.x) >= question.radius * (1 - NEARLY))


def _on_sphere(checker: Checker, row: SpeakabilityRow, place: int) -> bool:
    """Whether a place on the sphere is found where the token wins, from a point inside where it does."""
    return row.certificate is not None and sphere_witness(checker, place, np.array(row.certificate.x)) is not None


def _angle(
    found: Unembedding,
    question: Question,
    seed: int,
    place: int,
    cancelled: Callable[[], bool],
    step: tuple[int, int],
) -> Generator[AnyPart, None, SolidAngleEstimate | None]:
    """The share of directions, or None once cancelled."""
    work = solid_angle(found.rows, place, mean_zero=question.mean_zero, seed=seed)
    while True:
        try:
            reached = next(work)
        except StopIteration as finished:
            share: SolidAngle = finished.value
            return SolidAngleEstimate(log10=share.log10, stderr=share.stderr, seed=seed, found=share.found)
        # The share of directions in the region that the search has come down to.
        yield Progress(done=step[0], total=step[1], what=f"regions measured (now 1e{round(reached)})")
        if cancelled():
            return None
