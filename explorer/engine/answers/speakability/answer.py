"""Answers `ProveSpeakability` and `ReadCertificates`: runs, and what they left on disk."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from platformdirs import user_cache_path

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Array, Progress
from explorer.base.records.speakability import (
    SPEAKABILITIES,
    Certificates,
    ProveSpeakability,
    ReadCertificates,
    RowsLost,
    SpeakabilityMode,
    SpeakabilityPart,
    SpeakabilityRow,
)
from explorer.base.records.unions import AnyPart, Cancelled
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.speakability.asked import Asked, ask
from explorer.engine.answers.speakability.check import check_named
from explorer.engine.answers.speakability.proofs import proof_record, reaches_sphere, refine
from explorer.engine.answers.speakability.room import refuse_misfit
from explorer.engine.answers.speakability.store import ProofStore
from explorer.engine.answers.speakability.summary import count_winners, is_hard, summarise_run
from explorer.engine.answers.speakability.unembedding import Unembeddings
from explorer.engine.control import Control
from explorer.engine.core.speakability.own_direction import own_direction_winners
from explorer.engine.core.speakability.prove import prove
from explorer.engine.core.speakability.questions import Settled
from explorer.engine.models.abilities import HasWeights, weights_of
from explorer.engine.queue import Work

CENTRED = "own_direction_centred"
"""The file of who wins along the rows less the mean row."""
KEPT_EVERY = 0.5
"""Seconds after which what is settled goes to disk."""
TOLD_EVERY = 0.1
TOLD_AT_ONCE = 8192

Lost = tuple[RowsLost | None, RowsLost | None]
"""Who wins along the rows as they are, and less the mean row."""


def answer_prove(engine: Holdings, request: ProveSpeakability, control: Control) -> Work:
    """Settle which tokens are speakable, and check the proofs of the tokens that the request names.

    The checker does not know how a proof was found. Whole vocabularies are not checked here: that would take as long
    again, and `CheckCertificates` does it for an exported file. Raises `ExplorerError` as `prove_tokens` does."""
    return (
        yield from prove_tokens(
            weights_of(engine.models.get(request.model)), request, control, kept=engine.unembeddings
        )
    )


def answer_read_certificates(engine: Holdings, request: ReadCertificates, control: Control) -> Work:
    """The certificates on disk of a run."""
    yield Progress(done=0, total=0, what=f"reading the certificates about {request.of.model}")
    return read_certificates(weights_of(engine.models.get(request.of.model)), request, kept=engine.unembeddings)


def cache_folder() -> Path:
    """Where verdicts are kept on this machine."""
    return user_cache_path("glitch-explore") / "speakability"


def prove_tokens(
    model: HasWeights,
    request: ProveSpeakability,
    control: Control,
    cache: Path | None = None,
    kept: Unembeddings | None = None,
) -> Work:
    """Settle tokens, and check the proofs of named ones; the result, or what there is of it once cancelled.
    Raises `ExplorerError`."""
    if request.token_ids is not None and not request.token_ids:
        raise ExplorerError("no token was named", hint="Name one, or ask for all.")
    refuse_misfit(model, None if request.token_ids is None else len(request.token_ids))
    yield Progress(done=0, total=0, what=f"reading the unembedding of {model.info.name}")
    asked = ask(model, request.mode, bias=request.bias, folded=request.folded, kept=kept)
    began = time.monotonic()
    found = yield from _settled(asked, request, control, cache or cache_folder())
    seconds = max(time.monotonic() - began, 1e-6)
    pace = round(max(len(found.rows) - found.reused, 0) / seconds, 1)
    result = summarise_run(asked, request, found.rows, found.notes, found.reused, pace, found.lost)
    if request.token_ids is not None and asked.question is not None and found.rows and not control.cancelled():
        check = yield from check_named(asked, found.rows, control)
        result = msgspec.structs.replace(result, checked=check)
    return Cancelled(partial=result) if control.cancelled() else result


class _Found(NamedTuple):
    """What a run settled, now or earlier."""

    rows: list[SpeakabilityRow]
    notes: tuple[str, ...]
    reused: int
    """Of the rows, those that were on disk."""
    lost: Lost


def _settled(
    asked: Asked, request: ProveSpeakability, control: Control, folder: Path
) -> Generator[AnyPart, None, _Found]:
    """Settle the tokens that `request` names, with what is on disk in `folder`. Raises `ExplorerError`."""
    wanted = asked.found.token_ids.tolist() if request.token_ids is None else sorted(set(request.token_ids))
    asked.places(wanted)

    def opened(mode: str) -> ProofStore:
        alone = request.token_ids is None  # a look at one token need not wait for a run over all
        return stack.enter_context(ProofStore(asked.path(folder, mode), write=True, fresh=request.fresh, alone=alone))

    with ExitStack() as stack:
        own = opened("own_direction")
        reused = len(own.rows.keys() & set(wanted)) if asked.question is None else 0
        yield from _settle(own, "own_direction", _own_rows(asked, own, wanted), wanted, control)
        store = own
        lost: Lost = None, None
        if request.token_ids is None and not control.cancelled():
            lost = yield from _lost_rows(asked, own, opened(CENTRED), wanted, control)
        if request.hard:
            wanted = [one for one in wanted if one in own.rows and is_hard(own.rows[one])]
        if asked.question is not None:
            store = opened(request.mode)
            reused = len(store.rows.keys() & set(wanted))
            yield from _settle(store, request.mode, _proved_rows(asked, own, store, wanted), wanted, control)
            named = wanted if request.token_ids is not None or request.solid_angle else []
            yield from refine(asked.found, asked.question, request, store, named, control.cancelled)
        rows = [store.rows[one] for one in wanted if one in store.rows]
        notes = tuple(dict.fromkeys(note for note in (own.note, store.note) if note))
    return _Found(rows, notes, reused, lost)


def _lost_rows(
    asked: Asked, own: ProofStore, centred: ProofStore, wanted: Sequence[int], control: Control
) -> Generator[AnyPart, None, Lost]:
    """Who wins along the rows as they are, and less the mean row; nothing once cancelled."""
    for rows in _own_rows(asked, centred, wanted, centred=True):
        centred.append(rows)
        yield Progress(done=len(centred.rows), total=len(wanted), what="rows less the mean row")
        if control.cancelled():
            return None, None
    kept = [[store.rows[one] for one in wanted if one in store.rows] for store in (own, centred)]
    return count_winners(asked, kept[0]), count_winners(asked, kept[1])


def _settle(
    store: ProofStore,
    mode: SpeakabilityMode,
    work: Iterable[list[SpeakabilityRow]],
    wanted: Sequence[int],
    control: Control,
) -> Generator[AnyPart, None, None]:
    """Tell what is there, then take rows as they come: to disk now and then, and told. Ends early when cancelled."""
    known = [store.rows[one] for one in wanted if one in store.rows]
    for start in range(0, len(known), TOLD_AT_ONCE):
        yield _part(mode, known[start : start + TOLD_AT_ONCE])
    done = reused = len(known)
    what = "own directions" if mode == "own_direction" else "tokens proved"
    began = kept = told = time.monotonic()
    fresh: list[SpeakabilityRow] = []
    try:
        for rows in work:
            fresh += rows
            done += len(rows)
            now = time.monotonic()
            if now - kept > KEPT_EVERY:
                store.append(fresh)
                fresh, kept = [], now
            if rows:
                yield _part(mode, rows)
            if now - told > TOLD_EVERY:
                told, rate = now, (done - reused) / max(now - began, 1e-6)
                left = (len(wanted) - done) / rate if rate else None
                yield Progress(done=done, total=len(wanted), what=what, rate=rate, seconds_left=left, reused=reused)
            if control.cancelled():
                return
    finally:
        store.append(fresh)


def _part(mode: SpeakabilityMode, rows: Sequence[SpeakabilityRow]) -> SpeakabilityPart:
    return SpeakabilityPart(
        mode=mode,
        token_ids=Array.of(np.array([row.token.token_id for row in rows], dtype=np.int32)),
        verdicts=Array.of(np.array([SPEAKABILITIES.index(row.verdict) for row in rows], dtype=np.uint8)),
        margins=Array.of(np.array([row.margin for row in rows], dtype=np.float64)),
        winners=Array.of(np.array([row.own_direction_winner.token_id for row in rows], dtype=np.int32)),
    )


def _own_rows(
    asked: Asked, own: ProofStore, wanted: Sequence[int], *, centred: bool = False
) -> Generator[list[SpeakabilityRow], None, None]:
    """Who wins along each token's own row (less the mean row, if `centred`), for tokens that are not in `own` yet."""
    left = [one for one in wanted if one not in own.rows]
    if not left:
        return
    found, ref = asked.found, asked.model.vocabulary.ref
    places, device = asked.places(left), asked.device()
    for part in own_direction_winners(found.rows, found.total_bias, places, device, centred=centred):
        rows = []
        for place, winner, lead in zip(part.token_ids.tolist(), part.winners.tolist(), part.leads, strict=True):
            itself = winner == place
            rows.append(SpeakabilityRow(
                token=ref(int(found.token_ids[place])), own_direction_winner=ref(int(found.token_ids[winner])),
                verdict="speakable" if itself and lead > 0 else "undecided", margin=float(lead if itself else -lead),
            ))  # fmt: skip
        yield rows


def _proved_rows(
    asked: Asked, own: ProofStore, store: ProofStore, wanted: Sequence[int]
) -> Generator[list[SpeakabilityRow], None, None]:
    """Verdicts for tokens whose own direction is known and that are not in `store` yet."""
    left = [one for one in wanted if one not in store.rows and one in own.rows]
    if not left:
        return
    assert asked.question is not None
    found = asked.found
    steps = prove(
        found.rows, found.bias, asked.question, asked.places(left).tolist(), shift=found.shift, device=asked.device(),
        ground=asked.ground,
    )  # fmt: skip
    for verdicts in steps:
        yield [_row(asked, own, verdict) for verdict in verdicts]


def _row(asked: Asked, own: ProofStore, verdict: Settled) -> SpeakabilityRow:
    ids = asked.found.token_ids
    before = own.rows[int(ids[verdict.token_id])]
    proof = None if verdict.certificate is None else proof_record(verdict.certificate, ids)
    assert asked.question is not None
    return msgspec.structs.replace(
        before,
        verdict=verdict.answer,
        margin=verdict.margin,
        certificate=proof,
        on_sphere=True if reaches_sphere(verdict.certificate, asked.question) else None,
    )


def read_certificates(
    model: HasWeights, request: ReadCertificates, cache: Path | None = None, kept: Unembeddings | None = None
) -> Certificates:
    """All rows on disk of a run, by id. Raises `ExplorerError`."""
    of = request.of
    asked = ask(model, of.mode, bias=of.bias, folded=of.folded, kept=kept)
    rows = ProofStore(asked.path(cache or cache_folder(), of.mode), write=False).rows
    wanted = sorted(rows) if of.token_ids is None else [one for one in sorted(set(of.token_ids)) if one in rows]
    chosen = tuple(rows[one] for one in wanted if not of.hard or is_hard(rows[one]))
    return Certificates(
        model=model.info.name, mode=of.mode, bias=of.bias, folded=of.folded, digest=asked.digest, rows=chosen
    )
