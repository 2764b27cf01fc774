"""Answers `CheckCertificates`: proofs are checked again by a checker that does not know how they were found."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

import numpy as np

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Progress
from explorer.base.records.speakability import CertificatesChecked, CheckCertificates, ProofCheck, SpeakabilityRow
from explorer.base.records.unions import AnyPart, Cancelled
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.speakability.asked import Asked, ask
from explorer.engine.answers.speakability.proofs import proof_of, reaches_sphere
from explorer.engine.answers.speakability.unembedding import Unembedding, Unembeddings
from explorer.engine.control import Control
from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.own_direction import own_direction_winners
from explorer.engine.core.speakability.questions import Certificate, RowWitness, Weights, Witness
from explorer.engine.core.speakability.sphere import sphere_witness
from explorer.engine.models.abilities import HasWeights, weights_of
from explorer.engine.queue import Work

SAME = 1e-9
"""Rounding by which a checked number may differ from the claimed one, as a share of 1 plus its size."""
TOGETHER = 16


def answer(engine: Holdings, request: CheckCertificates, control: Control) -> Work:
    """Check certificates. Raises `ExplorerError` as `check_certificates` does."""
    model = weights_of(engine.models.get(request.model))
    return (yield from check_certificates(model, request, control, engine.unembeddings))


def check_certificates(
    model: HasWeights, request: CheckCertificates, control: Control, kept: Unembeddings | None = None
) -> Work:
    """Check proofs, margins, own-direction winners and whatever else a row says that can be checked. Raises
    `ExplorerError` where they are about other numbers."""
    asked = ask(model, request.mode, bias=request.bias, folded=request.folded, kept=kept)
    if asked.digest != request.digest:
        raise ExplorerError(
            f"these certificates are not about the weights of {model.info.name}",
            hint="Name the model that they were made for.",
        )
    refused = yield from _refused(asked, request.rows, control)
    if refused is None:
        return Cancelled()
    undecided = _without_proof(request.rows, refused)
    proved = len(request.rows) - len(refused) - undecided
    notes = () if asked.question is None else _unchecked(request.rows)
    return CertificatesChecked(model=model.info.name, proved=proved, undecided=undecided, refused=refused, notes=notes)


def check_named(
    asked: Asked, rows: Sequence[SpeakabilityRow], control: Control
) -> Generator[AnyPart, None, ProofCheck | None]:
    """Check what was just proved of the tokens that were named; None once cancelled."""
    refused = yield from _refused(asked, rows, control)
    if refused is None:
        return None
    return ProofCheck(proved=len(rows) - len(refused) - _without_proof(rows, refused), refused=refused)


def _without_proof(rows: Sequence[SpeakabilityRow], refused: Sequence[int]) -> int:
    """How many of these, beside the refused, claim nothing but a bound or an own-direction winner."""
    return sum(row.verdict == "undecided" and row.token.token_id not in refused for row in rows)


def _refused(
    asked: Asked, rows: Sequence[SpeakabilityRow], control: Control
) -> Generator[AnyPart, None, tuple[int, ...] | None]:
    """Ids of the rows that do not hold; None once cancelled."""
    found, ref = asked.found, asked.model.vocabulary.ref
    places = asked.places([row.token.token_id for row in rows]).tolist()
    winners = yield from _winners(asked, places)
    frames = asked.ground.frames
    checker = None if asked.question is None else Checker(found.rows, found.bias, asked.question, found.shift, frames)
    refused: list[int] = []
    for at, (row, place) in enumerate(zip(rows, places, strict=True)):
        if at % TOGETHER == 0:
            yield Progress(done=at, total=len(rows), what="certificates checked")
            if control.cancelled():
                return None
        winner, lead = winners[place]
        holds = row.own_direction_winner == ref(int(found.token_ids[winner])) and row.token == ref(row.token.token_id)
        holds = holds and _could_be(row)
        if checker is None:
            holds = holds and _won(row, lead if winner == place else -lead)
        else:
            holds = holds and _holds(checker, found, row, place)
        if not holds:
            refused.append(row.token.token_id)
    return tuple(refused)


def _winners(asked: Asked, places: list[int]) -> Generator[AnyPart, None, dict[int, tuple[int, float]]]:
    """By row: who wins along it, and the winner's lead."""
    found = asked.found
    winners: dict[int, tuple[int, float]] = {}
    for part in own_direction_winners(found.rows, found.total_bias, np.unique(places), asked.device()):
        won = zip(part.winners.tolist(), part.leads.tolist(), strict=True)
        winners |= dict(zip(part.token_ids.tolist(), won, strict=True))
        yield Progress(done=len(winners), total=len(places), what="own directions checked")
    return winners


def _won(row: SpeakabilityRow, lead: float) -> bool:
    """Whether an own-direction row says what is so: a winner's margin is at most its lead, a loser's at least."""
    room = SAME * (1 + abs(lead))
    if row.certificate is not None or row.on_sphere is not None or row.solid_angle is not None:
        return False
    if row.verdict == "speakable":
        return 0 < row.margin <= lead + room
    return row.verdict == "undecided" and lead - room <= row.margin <= 0


def _holds(checker: Checker, found: Unembedding, row: SpeakabilityRow, place: int) -> bool:
    """Whether the proof proves the verdict and the margin, and what is said of the sphere is so."""
    if row.verdict == "undecided":
        # A bound of 0 or less would have been a verdict.
        return row.certificate is None and row.margin > 0
    proof = None if row.certificate is None else proof_of(row.certificate, found.token_ids)
    if proof is None or not checker.proves(place, row.verdict, proof):
        return False
    if isinstance(proof, Weights):
        bound = checker.bound(place, proof)
        return bound - SAME * (1 + abs(bound)) <= row.margin <= 0
    x = checker.row_witness(place) if isinstance(proof, RowWitness) else proof.x
    lead = float(checker.margins([place], x[None])[0])
    return 0 < row.margin <= lead + SAME * (1 + abs(lead)) and _sphere_is_so(checker, row, place, proof)


def _could_be(row: SpeakabilityRow) -> bool:
    """Whether a row says of the sphere and the solid angle, which only speakable tokens have, what is possible."""
    angle = row.solid_angle
    if row.verdict != "speakable":
        return angle is None and row.on_sphere is None
    if angle is None:
        return True
    return math.isfinite(angle.log10) and angle.log10 <= SAME and math.isfinite(angle.stderr) and angle.stderr >= 0


def _sphere_is_so(checker: Checker, row: SpeakabilityRow, place: int, proof: Certificate) -> bool:
    """Whether the token wins on the sphere where the row says so, and is not found there where it says not."""
    if row.on_sphere is None:
        return True
    if checker.question.mode != "ball":
        return False
    if reaches_sphere(proof, checker.question) or not isinstance(proof, Witness):
        return row.on_sphere
    return row.on_sphere == (sphere_witness(checker, place, proof.x) is not None)


def _unchecked(rows: Sequence[SpeakabilityRow]) -> tuple[str, ...]:
    """What these rows say that no certificate proves, in words."""
    told = (
        (any(row.solid_angle is not None for row in rows), "solid angles are estimates and were not checked"),
        (any(row.verdict == "undecided" for row in rows), "the bounds of undecided tokens come without proof"),
        (any(row.on_sphere is False for row in rows), "that a token is not found on the sphere is not proved"),
    )
    return tuple(words for said, words in told if said)
