"""Whether two answers to one question agree: exactly where they must, within a stated tolerance where they may.

Ids, texts, classes and digests must be equal. Log-probabilities may differ by the tolerance of the dtype, other
numbers by a relative one. Ranks follow from log-probabilities and may swap among near ties; a picture's
coordinates follow from distances. Sampled replies agree when they are the same, as they are from the same seed
on the same numbers; else when a two-sample test on the classes of the replies does not tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from explorer.records import (
    AnyOutcome,
    AnyRequest,
    CertifyResult,
    Failure,
    ModelLoaded,
    Neighbour,
    Probe,
    RankedTokens,
    RepeatBack,
    RepeatBackResult,
    TopToken,
    VerificationResult,
)
from explorer.sessions.describe import summarise
from explorer.sessions.two_sample import two_sample_p
from explorer.text import visible

LEVEL = 0.01
"""Sampled replies whose p-value is below this differ."""


@dataclass(frozen=True)
class Tolerance:
    """How far apart two numbers may be."""

    logprob: float
    """Nats, for log-probabilities and entropies."""
    relative: float = 1e-4
    """Share of the larger one, for every other number."""


TOLERANCES: dict[str, Tolerance] = {
    "float32": Tolerance(logprob=1e-3),
    "float16": Tolerance(logprob=3e-2),
    "bfloat16": Tolerance(logprob=2.5e-1),
}
"""By dtype. A float32 logit of 20 is good to 2e-6, a float16 one to 8e-3, a bfloat16 one to 6e-2; sums in another
order (other threads, another device) multiply that."""


def loosest(dtypes: Sequence[str]) -> Tolerance:
    """The tolerance for answers in which models of these dtypes took part; an unknown dtype counts as float32."""
    known = [TOLERANCES.get(dtype, TOLERANCES["float32"]) for dtype in dtypes]
    return max(known, key=lambda tolerance: tolerance.logprob, default=TOLERANCES["float32"])


@dataclass(frozen=True)
class Agreement:
    """How two answers compare."""

    difference: str
    """The first difference, in words; empty where they agree."""
    how: str = ""
    """By what they agree or differ, where that is not plain equality ('two-sample test, p = 0.41')."""


def compare(request: AnyRequest, recorded: AnyOutcome, live: AnyOutcome, tolerance: Tolerance) -> Agreement:
    """Compare two answers to `request`. Names of models and of sources are not compared."""
    match request, recorded, live:
        case _, Failure(), Failure():
            return Agreement("", "both failed")
        case RepeatBack(temperature=temperature), RepeatBackResult(), RepeatBackResult() if temperature > 0:
            return _compare_samples(recorded, live, tolerance)
        case _, ModelLoaded(), ModelLoaded():
            return Agreement(digest_difference(recorded, live))
        case _, RankedTokens(), RankedTokens() if recorded.digest != live.digest:
            rows = first_difference(recorded.rows, live.rows, tolerance, "rows")
            said = f"digest: {visible(recorded.digest)} was recorded, {live.digest} came"
            return Agreement(said + (f"; {rows}" if rows else "; the rows shown agree"))
        case _, RankedTokens(), RankedTokens():
            return Agreement(first_difference(_numbers_of(recorded), _numbers_of(live), tolerance))
        case _, VerificationResult(), VerificationResult():
            # A probability is the exponential of a log-probability, and as far off as that allows.
            loose = Tolerance(tolerance.logprob, max(tolerance.relative, math.expm1(tolerance.logprob)))
            return Agreement(first_difference(_findings_of(recorded), _findings_of(live), loose))
        case _, CertifyResult(), CertifyResult():
            return Agreement(first_difference(_verdicts_of(recorded), _verdicts_of(live), tolerance))
        case _:
            return Agreement(first_difference(recorded, live, tolerance))


def _findings_of(result: VerificationResult) -> VerificationResult:
    """`result` without how long it took and what was on disk."""
    return msgspec.structs.replace(result, answered=0, reused=0, tokens_per_second=0.0)


def _verdicts_of(result: CertifyResult) -> CertifyResult:
    """`result` without how it was found: of one verdict there are many proofs, each with its own margin."""
    rows = tuple(msgspec.structs.replace(row, margin=0.0, certificate=None, on_sphere=None) for row in result.rows)
    return msgspec.structs.replace(result, rows=rows, names=(), reused=0, tokens_per_second=0.0)


def _numbers_of(view: RankedTokens) -> RankedTokens:
    """`view` without what only a screen adds or older sessions lack: letters, remarks, widths of columns."""
    rows = tuple(msgspec.structs.replace(row, flags=()) for row in view.rows)
    return msgspec.structs.replace(view, rows=rows, flags=(), notes=(), formats={})


def digest_difference(recorded: ModelLoaded, live: ModelLoaded) -> str:
    """Which of weights and tokenizer are not the same; empty where both are."""
    return "; ".join(
        f"{what}: {visible(was) or 'no digest'} was recorded, {visible(came) or 'no digest'} came"
        for what, was, came in (
            ("weights", recorded.info.weights_digest, live.info.weights_digest),
            ("tokenizer", recorded.info.tokenizer_digest, live.info.tokenizer_digest),
        )
        if was != came
    )


def _compare_samples(recorded: RepeatBackResult, live: RepeatBackResult, tolerance: Tolerance) -> Agreement:
    difference = first_difference(recorded, live, tolerance)
    if not difference:
        return Agreement("", "the same replies from the same seed")
    pairs = list(zip((recorded.probe, *recorded.controls), (live.probe, *live.controls), strict=False))
    asked = [_asked_difference(one, other) for one, other in pairs]
    if len(recorded.controls) != len(live.controls) or any(asked):
        return Agreement(next(filter(None, asked), difference))
    subject = two_sample_p(_classes([recorded.probe]), _classes([live.probe]))
    controls = two_sample_p(_classes(recorded.controls), _classes(live.controls))
    p = min(1.0, 2 * min(subject, controls)) if recorded.controls else subject
    how = f"two-sample test on outcomes, p = {p:.2g}"
    return Agreement(difference, how) if p < LEVEL else Agreement("", how)


def _asked_difference(recorded: Probe, live: Probe) -> str:
    if (recorded.token.token_bytes, recorded.prompt_ids) != (live.token.token_bytes, live.prompt_ids):
        return "prompt_ids: another token or prompt was asked"
    return ""


def _classes(probes: Sequence[Probe]) -> list[str]:
    return [reply.outcome for probe in probes for reply in probe.replies if reply.finish != "cancelled"]


# ── the walk ──────────────────────────────────────────────────────────────────────────────────────────────

_NAMES = frozenset({"model", "name", "source"})
_FOLLOWS = frozenset({"rank", "token_rank", "token_position", "x", "y"})
_OF_THE_MACHINE = frozenset({"memory_bytes", "answered", "reused", "tokens_per_second"})
_NOT_COMPARED = _NAMES | _FOLLOWS | _OF_THE_MACHINE
_LOGPROBS = frozenset({"logprob", "token_logprob", "logprobs", "entropy"})


def first_difference(recorded: Any, live: Any, tolerance: Tolerance, path: str = "") -> str:
    """The first place where two answers differ, in words; empty where they agree."""
    if isinstance(recorded, msgspec.Struct):
        if type(recorded) is not type(live):
            return _said(path or "outcome", recorded, live)
        names = (name for name in recorded.__struct_fields__ if name not in _NOT_COMPARED)
        places = ((_join(path, name), getattr(recorded, name), getattr(live, name)) for name in names)
    elif isinstance(recorded, dict) and isinstance(live, dict):
        if recorded.keys() != live.keys():
            return _said(path, ", ".join(recorded), ", ".join(live))
        places = ((_join(path, name), value, live[name]) for name, value in recorded.items())
    elif isinstance(recorded, tuple) and isinstance(live, tuple):
        return _sequence_difference(recorded, live, tolerance, path)
    else:
        return "" if _same(recorded, live, tolerance, path) else _said(path, recorded, live)
    return next(filter(None, (first_difference(was, came, tolerance, place) for place, was, came in places)), "")


def _sequence_difference(recorded: Any, live: Any, tolerance: Tolerance, path: str) -> str:
    if len(recorded) != len(live):
        return _said(path, f"{len(recorded)} entries", f"{len(live)}")
    if recorded and isinstance(recorded[0], TopToken):
        return _ranking_difference(recorded, live, tolerance, path, lambda entry: entry.logprob)
    if recorded and isinstance(recorded[0], Neighbour):
        return _ranking_difference(recorded, live, tolerance, path, lambda entry: entry.distance)
    if recorded and isinstance(recorded[0], int):
        return "" if recorded == live else _said(path, recorded, live)
    pairs = enumerate(zip(recorded, live, strict=True), start=1)
    found = (first_difference(was, came, tolerance, f"{path} {place}") for place, (was, came) in pairs)
    return next(filter(None, found), "")


def _ranking_difference(
    recorded: Any, live: Any, tolerance: Tolerance, path: str, value_of: Callable[[Any], float]
) -> str:
    """Two lists in the order of a number: near ties may have swapped places, or fallen off the end."""
    by_id = {entry.token.token_id: entry for entry in live}
    for place, (was, came) in enumerate(zip(recorded, live, strict=True), start=1):
        name = f"{path} {place} {'logprob' if isinstance(was, TopToken) else 'distance'}"
        if not _same(value_of(was), value_of(came), tolerance, name):
            return _said(name, value_of(was), value_of(came))
        same = by_id.get(was.token.token_id)
        if same is None:
            if not _same(value_of(was), value_of(live[-1]), tolerance, name):
                return _said(f"{path} {place}", was.token.text, came.token.text)
        elif difference := first_difference(was, same, tolerance, f"{path} {place}"):
            return difference
    return ""


def _same(recorded: Any, live: Any, tolerance: Tolerance, path: str) -> bool:
    if recorded == live or not isinstance(recorded, float | int) or not isinstance(live, float | int):
        return bool(recorded == live)
    if isinstance(recorded, int) and isinstance(live, int):
        return False
    if math.isnan(recorded) or math.isnan(live):
        return math.isnan(recorded) and math.isnan(live)
    if any(word in _LOGPROBS for word in path.replace(".", " ").split()):
        return abs(recorded - live) <= tolerance.logprob
    return math.isclose(recorded, live, rel_tol=tolerance.relative, abs_tol=tolerance.relative * 1e-2)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


_SHOWN = 60


def _said(path: str, recorded: Any, live: Any) -> str:
    return f"{path}: {_shown(recorded)} was recorded, {_shown(live)} came"


def _shown(value: Any) -> str:
    if isinstance(value, Failure):
        return summarise(value)
    if isinstance(value, msgspec.Struct):
        return type(value).__name__
    if isinstance(value, float):
        return f"{value:.6g}"
    said = visible(value if isinstance(value, str) else str(value), spaces=False)
    return said if len(said) <= _SHOWN else said[: _SHOWN - 1] + "…"
