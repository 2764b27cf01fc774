"""Findings about many tokens: verdicts are compared, not how long they took, what was on disk, or how they are told."""

from __future__ import annotations

import math

import msgspec

from explorer.base.records.speakability import ProveSpeakability, SpeakabilityResult
from explorer.base.records.verification import (
    DefinitionSummary,
    ReadEvidence,
    VerdictEvidence,
    VerificationResult,
    Verify,
)
from explorer.specs.comparing.agreement import Agreement, Comparison, Tolerance


def compare_findings(
    request: Verify, recorded: VerificationResult, live: VerificationResult, comparison: Comparison
) -> Agreement:
    """The same verdicts by the same definitions. A definition is known by its name; its prose may be reworded."""
    tolerance = comparison.tolerance
    # A probability is the exponential of a log-probability, and as far off as that allows.
    relative = max(tolerance.relative, math.expm1(tolerance.logprob))
    loose = msgspec.structs.replace(comparison, tolerance=Tolerance(tolerance.logprob, relative))
    return Agreement(loose.difference(_findings_of(recorded), _findings_of(live)))


def compare_evidence(
    request: ReadEvidence, recorded: VerdictEvidence, live: VerdictEvidence, comparison: Comparison
) -> Agreement:
    """The same verdict from the same prompts and replies, by a definition of that name."""
    return Agreement(comparison.difference(_cell_of(recorded), _cell_of(live)))


def _findings_of(result: VerificationResult) -> VerificationResult:
    """`result` without how it was run and what was on disk, the definitions' prose (and how replies are counted, which
    earlier sessions do not tell), and remarks."""
    definitions = tuple(map(_without_prose, result.definitions))
    return msgspec.structs.replace(
        result, definitions=definitions, notes=(), answered=0, reused=0, skipped=0, tokens_per_second=0.0, how=""
    )


def _cell_of(evidence: VerdictEvidence) -> VerdictEvidence:
    return msgspec.structs.replace(evidence, definition=_without_prose(evidence.definition))


def _without_prose(definition: DefinitionSummary) -> DefinitionSummary:
    return msgspec.structs.replace(definition, title="", rule="", source="", value="", replies=None)


def compare_proved(
    request: ProveSpeakability, recorded: SpeakabilityResult, live: SpeakabilityResult, comparison: Comparison
) -> Agreement:
    """The same verdicts; whether a recorded proof holds is for the checker."""
    return Agreement(comparison.difference(*_verdicts_of(recorded, live)))


def _verdicts_of(
    recorded: SpeakabilityResult, live: SpeakabilityResult
) -> tuple[SpeakabilityResult, SpeakabilityResult]:
    """Both without how it was found and how it is told: of one verdict there are many proofs, each with its own margin
    and its own names of tokens. The names that both have stay, by id; so do the check of the proofs and
    the winners along rows, where both have them (version 0.1 recorded none)."""
    lacks_check = recorded.checked is None or live.checked is None
    lacks_rows = recorded.own_rows is None or live.own_rows is None
    both = {token.token_id for token in recorded.names} & {token.token_id for token in live.names}

    def of(result: SpeakabilityResult) -> SpeakabilityResult:
        rows = tuple(msgspec.structs.replace(row, margin=0.0, certificate=None, on_sphere=None) for row in result.rows)
        names = tuple(token for token in result.names if token.token_id in both)
        return msgspec.structs.replace(
            result, question="", rows=rows, names=names, notes=(), reused=0, tokens_per_second=0.0,
            checked=None if lacks_check else result.checked,
            own_rows=None if lacks_rows else result.own_rows,
            centred_rows=None if lacks_rows else result.centred_rows,
        )  # fmt: skip

    return of(recorded), of(live)
