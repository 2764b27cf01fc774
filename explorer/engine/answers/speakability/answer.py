"""Answers `ProveSpeakability` and `ReadCertificates`: runs, and what they left on disk."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Int64
from platformdirs import user_cache_path

from explorer.base.errors import ExplorerError
from explorer.base.records.record import Array, Progress
from explorer.base.records.speakability import (
    SPEAKABILITIES,
    Certificates,
    ProveSpeakability,
    ReadCertificates,
    SpeakabilityMode,
    SpeakabilityPart,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.base.records.tokens import TokenRef
from explorer.base.records.unions import AnyPart, Cancelled
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.speakability.proofs import proof_record, reaches_sphere, refine
from explorer.engine.answers.speakability.store import SpeakStore
from explorer.engine.answers.speakability.unembedding import Unembedding, Unembeddings
from explorer.engine.core.speakability.certify import certify as certified
from explorer.engine.core.speakability.geometry import Ground
from explorer.engine.core.speakability.own_direction import own_direction_winners
from explorer.engine.core.speakability.questions import Question, Verdict
from explorer.engine.models.abilities import HasWeights, weights_of
from explorer.engine.queue import Control, Work

KEPT_EVERY = 0.5
"""Seconds after which what is settled goes to disk."""
TOLD_EVERY = 0.1
TOLD_AT_ONCE = 8192
NAMED_SHADOWS = 16
"""Tokens named of a proof."""


def answer_prove(engine: Holdings, request: ProveSpeakability, control: Control) -> Work:
    """Settle which tokens are speakable. Raises `ExplorerError` as `certify` does."""
    return (
        yield from certify(weights_of(engine.models.get(request.model)), request, control, kept=engine.unembeddings)
    )


def answer_read_certificates(engine: Holdings, request: ReadCertificates, control: Control) -> Work:
    """The certificates on disk of a run."""
    yield Progress(done=0, total=0, what=f"reading the certificates about {request.of.model}")
    return read_certificates(weights_of(engine.models.get(request.of.model)), request, kept=engine.unembeddings)


def cache_folder() -> Path:
    """Where verdicts are kept on this machine."""
    return user_cache_path("glitch-explore") / "speakability"


@dataclass(frozen=True)
class Asked:
    """A checked question about a model's unembedding."""

    model: HasWeights
    mode: SpeakabilityMode
    found: Unembedding
    question: Question | None
    """None for `own_direction`."""
    digest: str
    ground: Ground

    def path(self, cache: Path, mode: str) -> Path:
        """The file of this question, or of `own_direction` about the same numbers."""
        return cache / self.digest / f"{mode}.sqlite"

    def places(self, token_ids: Sequence[int]) -> Int64[np.ndarray, " n"]:
        """Rows of tokens. Raises `ExplorerError` for one that has none."""
        ids = np.array([max(-1, min(one, 2**62)) for one in token_ids], dtype=np.int64)
        places = np.searchsorted(self.found.token_ids, ids)
        inside = places < len(self.found.token_ids)
        inside[inside] = self.found.token_ids[places[inside]] == ids[inside]
        if not inside.all():
            raise ExplorerError(
                f"token {token_ids[int(inside.argmin())]} of {self.model.info.name} is padding or out of range",
                hint=f"Name ids from 0 to {self.model.info.tokenizer_size - 1}.",
            )
        return np.asarray(places)

    @property
    def words(self) -> str:
        """Which x are admissible."""
        width = self.found.rows.shape[1]
        if self.question is None:
            return "x is the token's own row: who wins there (the post's list of tokens hard to speak)"
        if self.mode == "cone":
            return "any x at all, without a bias: is the token's row a vertex of the hull of all rows"
        if self.mode == "box":
            return "every entry of x at most 1 in size: the post's linear program"
        held = ", its entries summing to 0: what a LayerNorm delivers" if self.question.mean_zero else ""
        return f"x no longer than sqrt({width}) = {self.question.radius:.4g}{held}"

    def device(self) -> str:
        """Where matrix products are done."""
        return self.model.info.device if self.model.info.device.startswith("cuda") else "cpu"


def ask(
    model: HasWeights, mode: SpeakabilityMode, *, bias: bool, folded: bool, kept: Unembeddings | None = None
) -> Asked:
    """Check a question; what `kept` knows of the model is used and added to.

    Raises `ExplorerError` where it makes no sense of this model.
    """
    if mode == "cone" and bias:
        raise ExplorerError("the cone has no bias: with any x at all, a bias can be outgrown", hint="Use --no-bias.")
    known = (kept or Unembeddings()).of(model, folded=folded, bias=bias)
    found = known.found
    question = None
    if mode != "own_direction":
        radius = math.sqrt(found.rows.shape[1]) if mode == "ball" else 1.0
        question = Question(mode, radius, bias, mean_zero=mode == "ball" and found.mean_zero)
    digest = hashlib.sha256(f"{known.digest} {model.info.tokenizer_digest} {bias}".encode()).hexdigest()[:32]
    return Asked(model, mode, found, question, digest, known.ground)


def certify(
    model: HasWeights,
    request: ProveSpeakability,
    control: Control,
    cache: Path | None = None,
    kept: Unembeddings | None = None,
) -> Work:
    """Settle tokens; the result, or what there is of it once cancelled. Raises `ExplorerError`."""
    if request.token_ids is not None and not request.token_ids:
        raise ExplorerError("no token was named", hint="Name one, or ask for all.")
    yield Progress(done=0, total=0, what=f"reading the unembedding of {model.info.name}")
    asked = ask(model, request.mode, bias=request.bias, folded=request.folded, kept=kept)
    wanted = asked.found.token_ids.tolist() if request.token_ids is None else sorted(set(request.token_ids))
    asked.places(wanted)
    began, folder = time.monotonic(), cache or cache_folder()

    def opened(mode: str) -> SpeakStore:
        alone = request.token_ids is None  # a look at one token need not wait for a run over all
        return stack.enter_context(SpeakStore(asked.path(folder, mode), write=True, fresh=request.fresh, alone=alone))

    with ExitStack() as stack:
        own = opened("own_direction")
        reused = len(own.rows.keys() & set(wanted)) if asked.question is None else 0
        yield from _settle(own, "own_direction", _own_rows(asked, own, wanted), wanted, control)
        store = own
        if request.hard:
            wanted = [one for one in wanted if one in own.rows and is_hard(own.rows[one])]
        if asked.question is not None:
            store = opened(request.mode)
            reused = len(store.rows.keys() & set(wanted))
            yield from _settle(store, request.mode, _certified_rows(asked, own, store, wanted), wanted, control)
            named = wanted if request.token_ids is not None or request.solid_angle else []
            yield from refine(asked.found, asked.question, request, store, named, control.cancelled)
        rows = [store.rows[one] for one in wanted if one in store.rows]
        notes = tuple(dict.fromkeys(note for note in (own.note, store.note) if note))
    seconds = max(time.monotonic() - began, 1e-6)
    result = _result(asked, request, rows, notes, reused, round(max(len(rows) - reused, 0) / seconds, 1))
    return Cancelled(partial=result) if control.cancelled() else result


def is_hard(row: SpeakabilityRow) -> bool:
    """Whether another token wins along this one's own direction."""
    return row.own_direction_winner.token_id != row.token.token_id


def _settle(
    store: SpeakStore,
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
    what = "own directions" if mode == "own_direction" else "tokens certified"
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
                left = round((len(wanted) - done) / rate, 1) if rate else None
                yield Progress(done=done, total=len(wanted), what=what, rate=round(rate, 1), seconds_left=left)
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


def _own_rows(asked: Asked, own: SpeakStore, wanted: Sequence[int]) -> Generator[list[SpeakabilityRow], None, None]:
    """Who wins along each token's own row, for tokens that are not in `own` yet."""
    left = [one for one in wanted if one not in own.rows]
    if not left:
        return
    found, ref = asked.found, asked.model.vocabulary.ref
    for part in own_direction_winners(found.rows, found.total_bias, asked.places(left), asked.device()):
        rows = []
        for place, winner, lead in zip(part.token_ids.tolist(), part.winners.tolist(), part.leads, strict=True):
            itself = winner == place
            rows.append(SpeakabilityRow(
                token=ref(int(found.token_ids[place])), own_direction_winner=ref(int(found.token_ids[winner])),
                verdict="speakable" if itself and lead > 0 else "undecided", margin=float(lead if itself else -lead),
            ))  # fmt: skip
        yield rows


def _certified_rows(
    asked: Asked, own: SpeakStore, store: SpeakStore, wanted: Sequence[int]
) -> Generator[list[SpeakabilityRow], None, None]:
    """Verdicts for tokens whose own direction is known and that are not in `store` yet."""
    left = [one for one in wanted if one not in store.rows and one in own.rows]
    if not left:
        return
    assert asked.question is not None
    found = asked.found
    steps = certified(
        found.rows, found.bias, asked.question, asked.places(left).tolist(), shift=found.shift, device=asked.device(),
        ground=asked.ground,
    )  # fmt: skip
    for verdicts in steps:
        yield [_row(asked, own, verdict) for verdict in verdicts]


def _row(asked: Asked, own: SpeakStore, verdict: Verdict) -> SpeakabilityRow:
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


def _result(
    asked: Asked,
    request: ProveSpeakability,
    rows: list[SpeakabilityRow],
    notes: tuple[str, ...],
    reused: int,
    speed: float,
) -> SpeakabilityResult:
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in SPEAKABILITIES}
    if request.token_ids is not None:
        listed = rows[: request.rows]
    else:
        order = ("unspeakable", "undecided", "speakable")
        listed = sorted((row for row in rows if is_hard(row) or row.verdict != "speakable"),
                        key=lambda row: order.index(row.verdict))[: request.rows]  # fmt: skip
        listed = [_without_numbers(row) for row in listed]
    sums = hashlib.sha256()
    for values, kind in (
        ([row.token.token_id for row in rows], np.int32),
        ([row.own_direction_winner.token_id for row in rows], np.int32),
        ([SPEAKABILITIES.index(row.verdict) for row in rows], np.uint8),
    ):
        sums.update(np.array(values, dtype=kind).tobytes())
    return SpeakabilityResult(
        model=asked.model.info.name, mode=request.mode, bias=request.bias, folded=request.folded,
        question=asked.words, tokens=len(rows), **counts, hard=sum(map(is_hard, rows)), rows=tuple(listed),
        names=_names(asked, listed),
        notes=asked.found.notes + notes, reused=reused, tokens_per_second=speed, digest=sums.hexdigest()[:32],
    )  # fmt: skip


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


def read_certificates(
    model: HasWeights, request: ReadCertificates, cache: Path | None = None, kept: Unembeddings | None = None
) -> Certificates:
    """All rows on disk of a run, by id. Raises `ExplorerError`."""
    of = request.of
    asked = ask(model, of.mode, bias=of.bias, folded=of.folded, kept=kept)
    rows = SpeakStore(asked.path(cache or cache_folder(), of.mode), write=False).rows
    wanted = sorted(rows) if of.token_ids is None else [one for one in sorted(set(of.token_ids)) if one in rows]
    chosen = tuple(rows[one] for one in wanted if not of.hard or is_hard(rows[one]))
    return Certificates(
        model=model.info.name, mode=of.mode, bias=of.bias, folded=of.folded, digest=asked.digest, rows=chosen
    )
