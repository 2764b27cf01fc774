"""Answers `CheckCertificates`: proofs are checked anew by the checker that knows nothing of how they were found."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from explorer.core.speakability.checker import Checker
from explorer.core.speakability.own_direction import own_direction_winners
from explorer.core.speakability.questions import RowWitness, Weights
from explorer.engine.queue import Control, Work
from explorer.engine.speaking import Asked, ask
from explorer.engine.speaking_proofs import proof_of
from explorer.engine.unembedding import Unembedding, Unembeddings
from explorer.errors import ExplorerError
from explorer.models.language_model import LanguageModel
from explorer.records import AnyPart, Cancelled, CertificatesChecked, CheckCertificates, Progress, SpeakRow

SAME = 1e-9
"""Rounding by which a checked number may differ from the claimed one, as a share of 1 plus its size."""
TOGETHER = 16


def check_certificates(
    model: LanguageModel, request: CheckCertificates, control: Control, kept: Unembeddings | None = None
) -> Work:
    """Check proofs, margins and own-direction winners. Raises `ExplorerError` where they are about other numbers."""
    asked = ask(model, request.mode, bias=request.bias, folded=request.folded, kept=kept)
    if asked.digest != request.digest:
        raise ExplorerError(
            f"these certificates are not about the weights of {model.info.name}",
            hint="Name the model that they were made for.",
        )
    found, rows = asked.found, request.rows
    places = asked.places([row.token.token_id for row in rows]).tolist()
    winners = yield from _winners(asked, places)
    frames = asked.ground.frames
    checker = None if asked.question is None else Checker(found.rows, found.bias, asked.question, found.shift, frames)
    refused: list[int] = []
    for at, (row, place) in enumerate(zip(rows, places, strict=True)):
        if at % TOGETHER == 0:
            yield Progress(done=at, total=len(rows), what="certificates checked")
            if control.cancelled():
                return Cancelled()
        winner, lead = winners[place]
        holds = int(found.token_ids[winner]) == row.own_direction_winner.token_id
        if checker is None:
            holds = holds and _won(row, lead if winner == place else -lead)
        else:
            holds = holds and _holds(checker, found, row, place)
        if not holds:
            refused.append(row.token.token_id)
    undecided = sum(row.verdict == "undecided" and row.token.token_id not in refused for row in rows)
    proved = len(rows) - len(refused) - undecided
    return CertificatesChecked(model=model.info.name, proved=proved, undecided=undecided, refused=tuple(refused))


def _winners(asked: Asked, places: list[int]) -> Generator[AnyPart, None, dict[int, tuple[int, float]]]:
    """By row: who wins along it, and the winner's lead."""
    found = asked.found
    winners: dict[int, tuple[int, float]] = {}
    for part in own_direction_winners(found.rows, found.total_bias, np.unique(places), asked.device()):
        won = zip(part.winners.tolist(), part.leads.tolist(), strict=True)
        winners |= dict(zip(part.token_ids.tolist(), won, strict=True))
        yield Progress(done=len(winners), total=len(places), what="own directions checked")
    return winners


def _won(row: SpeakRow, lead: float) -> bool:
    """Whether an own-direction row says what is so: a winner's margin is at most its lead, a loser's at least."""
    room = SAME * (1 + abs(lead))
    if row.verdict == "speakable":
        return 0 < row.margin <= lead + room
    return row.verdict == "undecided" and lead - room <= row.margin <= 0


def _holds(checker: Checker, found: Unembedding, row: SpeakRow, place: int) -> bool:
    """Whether the proof proves the verdict and the margin."""
    if row.verdict == "undecided":
        return row.certificate is None
    proof = None if row.certificate is None else proof_of(row.certificate, found.token_ids)
    if proof is None or not checker.proves(place, row.verdict, proof):
        return False
    room = SAME * (1 + abs(row.margin))
    if isinstance(proof, Weights):
        return checker.bound(place, proof) <= row.margin + room
    x = checker.row_witness(place) if isinstance(proof, RowWitness) else proof.x
    return bool(0 < row.margin <= float(checker.margins([place], x[None])[0]) + room)
