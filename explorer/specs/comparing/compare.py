"""Whether two answers to one question agree: exactly where they must, within a stated tolerance where they may.

Ids, texts, classes and digests must be equal. Log-probabilities may differ by the tolerance of the dtype, other
numbers by a relative one. Ranks follow from log-probabilities and may swap among near ties; a picture's
coordinates follow from distances. Sampled replies agree when they are the same, as they are from the same seed
on the same numbers; else when a two-sample test on the classes of the replies does not tell them apart.
"""

from __future__ import annotations

import math

import msgspec

from explorer.base.records.models import ModelInfo, ModelLoaded
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.speakability import SpeakabilityResult
from explorer.base.records.unions import AnyOutcome, AnyRequest
from explorer.base.records.verification import VerificationResult
from explorer.base.records.vocabulary import RankedTokens
from explorer.base.text import visible
from explorer.specs import neighbours
from explorer.specs.comparing.agreement import TOLERANCES, Agreement, Comparison, Tolerance, loosest
from explorer.specs.comparing.samples import compare_samples
from explorer.specs.comparing.walk import Walk
from explorer.specs.comparing.wording import said

Circumstances = Comparison
ALIKE = Comparison()


def compare(
    request: AnyRequest,
    recorded: AnyOutcome,
    live: AnyOutcome,
    tolerance: Tolerance,
    circumstances: Circumstances = ALIKE,
) -> Agreement:
    """Compare two answers to `request`, as the first was asked. Where models were loaded from is not compared."""
    walk = Walk(tolerance, circumstances.names)
    match request, recorded, live:
        case _, Failure(), Failure():
            return Agreement("", "both failed")
        case RepeatBack(temperature=temperature), RepeatBackResult(), RepeatBackResult() if temperature > 0:
            return Agreement(*compare_samples(request, recorded, live, walk, reproducible=circumstances.reproducible))
        case _, ModelLoaded(), ModelLoaded():
            return Agreement(model_difference(recorded.info, live.info), _run_difference(recorded.info, live.info))
        case _, RankedTokens(), RankedTokens() if recorded.digest != live.digest:
            rows = walk.difference(recorded.rows, live.rows, "rows")
            digests = said("digest", recorded.digest, live.digest)
            return Agreement(digests + (f"; {rows}" if rows else "; the rows shown agree"))
        case _, RankedTokens(), RankedTokens():
            return Agreement(walk.difference(_numbers_of(recorded), _numbers_of(live)))
        case _, VerificationResult(), VerificationResult():
            # A probability is the exponential of a log-probability, and as far off as that allows.
            loose = Tolerance(tolerance.logprob, max(tolerance.relative, math.expm1(tolerance.logprob)))
            walk = Walk(loose, circumstances.names)
            return Agreement(walk.difference(_findings_of(recorded), _findings_of(live)))
        case FindNeighbours(), Neighbourhood(), Neighbourhood():
            return neighbours.compare(request, recorded, live, Comparison(tolerance, circumstances.names))
        case _, SpeakabilityResult(), SpeakabilityResult():
            return Agreement(walk.difference(*_verdicts_of(recorded, live)))
        case _:
            return Agreement(walk.difference(recorded, live))


def _findings_of(result: VerificationResult) -> VerificationResult:
    """`result` without how long it took and what was on disk."""
    return msgspec.structs.replace(result, answered=0, reused=0, tokens_per_second=0.0)


def _verdicts_of(
    recorded: SpeakabilityResult, live: SpeakabilityResult
) -> tuple[SpeakabilityResult, SpeakabilityResult]:
    """Both without how it was found: of one verdict there are many proofs, each with its own margin and its own names
    of tokens. The names that both have stay, by id; whether a recorded proof holds is for the checker."""
    both = {token.token_id for token in recorded.names} & {token.token_id for token in live.names}

    def of(result: SpeakabilityResult) -> SpeakabilityResult:
        rows = tuple(msgspec.structs.replace(row, margin=0.0, certificate=None, on_sphere=None) for row in result.rows)
        names = tuple(token for token in result.names if token.token_id in both)
        return msgspec.structs.replace(result, rows=rows, names=names, reused=0, tokens_per_second=0.0)

    return of(recorded), of(live)


def _numbers_of(view: RankedTokens) -> RankedTokens:
    """`view` without what only a screen adds or older sessions lack: letters, remarks, widths of columns."""
    rows = tuple(msgspec.structs.replace(row, flags=()) for row in view.rows)
    return msgspec.structs.replace(view, rows=rows, flags=(), notes=(), formats={})


def digest_difference(recorded: ModelInfo, live: ModelInfo) -> str:
    """Which of weights and tokenizer are not the same; empty where both are."""
    return "; ".join(
        f"{what}: {visible(was) or 'no digest'} was recorded, {visible(came) or 'no digest'} came"
        for what, was, came in (
            ("weights", recorded.weights_digest, live.weights_digest),
            ("tokenizer", recorded.tokenizer_digest, live.tokenizer_digest),
        )
        if was != came
    )


_FACTS = (
    "architecture", "vocab_size", "tokenizer_size", "d_model", "n_layers", "n_parameters", "context", "tied",
    "has_chat_template", "can_run",
)  # fmt: skip
"""What a model is, whatever machine it runs on."""


def model_difference(recorded: ModelInfo, live: ModelInfo) -> str:
    """Which digests are not the same; where both are, what is told of the model that is not so. Else empty."""
    digests = digest_difference(recorded, live)
    facts = ((name, getattr(recorded, name), getattr(live, name)) for name in _FACTS)
    return digests or "; ".join(said(name, was, came) for name, was, came in facts if was != came)


def _run_difference(recorded: ModelInfo, live: ModelInfo) -> str:
    runs = (("dtype", recorded.dtype, live.dtype), ("device", recorded.device, live.device))
    return "; ".join(said(name, was, came) for name, was, came in runs if was != came)


__all__ = [
    "ALIKE",
    "TOLERANCES",
    "Agreement",
    "Circumstances",
    "compare",
    "digest_difference",
    "loosest",
    "model_difference",
]
