"""What a run found, small enough for a session."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np

from explorer.base.records.speakability import (
    SPEAKABILITIES,
    ProveSpeakability,
    RowsLost,
    RowWinner,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.base.records.tokens import TokenRef
from explorer.engine.answers.speakability.asked import Asked
from explorer.engine.answers.speakability.ties import tell_ties

WINNERS = 5
"""Tokens named that win along most rows."""
NAMED_SHADOWS = 16
"""Tokens named of a proof."""


def is_hard(row: SpeakabilityRow) -> bool:
    """Whether another token wins along this one's own direction."""
    return row.own_direction_winner.token_id != row.token.token_id


def summarise_run(
    asked: Asked,
    request: ProveSpeakability,
    rows: list[SpeakabilityRow],
    notes: tuple[str, ...],
    reused: int,
    speed: float,
    lost: Sequence[RowsLost | None],
) -> SpeakabilityResult:
    """Counts, the rows listed, and the tokens that weigh most in their proofs; `rows`: every token settled; `lost`:
    along rows as they are, and less the mean row."""
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in SPEAKABILITIES}
    if request.token_ids is not None:
        listed = rows[: request.rows]
    else:
        order = ("unspeakable", "undecided", "speakable")
        listed = sorted((row for row in rows if is_hard(row) or row.verdict != "speakable"),
                        key=lambda row: order.index(row.verdict))[: request.rows]  # fmt: skip
        listed = [_without_numbers(row) for row in listed]
    listed = tell_ties(asked, listed)
    sums = hashlib.sha256()
    for values, kind in (
        ([row.token.token_id for row in rows], np.int32),
        ([row.own_direction_winner.token_id for row in rows], np.int32),
        ([SPEAKABILITIES.index(row.verdict) for row in rows], np.uint8),
    ):
        sums.update(np.array(values, dtype=kind).tobytes())
    return SpeakabilityResult(
        model=asked.model.info.name, mode=request.mode, bias=request.bias, folded=request.folded,
        question=asked.words, tokens=len(rows), speakable=counts["speakable"], unspeakable=counts["unspeakable"],
        undecided=counts["undecided"], hard=sum(map(is_hard, rows)), rows=tuple(listed),
        names=_names(asked, listed),
        notes=asked.found.notes + notes, reused=reused, tokens_per_second=speed, digest=sums.hexdigest()[:32],
        own_rows=lost[0], centred_rows=lost[1],
    )  # fmt: skip


def count_winners(asked: Asked, rows: Sequence[SpeakabilityRow]) -> RowsLost:
    """Along how many tokens' rows another token wins, and which ones win most."""
    ids = np.array([(row.token.token_id, row.own_direction_winner.token_id) for row in rows]).reshape(-1, 2)
    winners, beats = np.unique(ids[ids[:, 0] != ids[:, 1], 1], return_counts=True)
    most = np.argsort(-beats, kind="stable")[:WINNERS]
    named = (RowWinner(token=asked.model.vocabulary.ref(int(winners[at])), beats=int(beats[at])) for at in most)
    return RowsLost(tokens=len(rows), lost=int(beats.sum()), winners=tuple(named))


def _names(asked: Asked, rows: Sequence[SpeakabilityRow]) -> tuple[TokenRef, ...]:
    """The tokens that weigh most in each of the proofs."""
    heavy: set[int] = set()
    for row in rows:
        if row.certificate is not None:
            weighed = sorted(zip(row.certificate.weights, row.certificate.token_ids, strict=True), reverse=True)
            heavy |= {token_id for _, token_id in weighed[:NAMED_SHADOWS]}
    return tuple(asked.model.vocabulary.ref(token_id) for token_id in sorted(heavy))


def _without_numbers(row: SpeakabilityRow) -> SpeakabilityRow:
    """A row whose witness, d_model numbers, is left out."""
    if row.certificate is None or row.certificate.kind != "witness":
        return row
    return msgspec.structs.replace(row, certificate=None)
