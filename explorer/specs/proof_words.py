"""Proofs of speakability in words: what proves a verdict, its share of directions, and whether it was checked again."""

from __future__ import annotations

from explorer.base.numbers import format_percent
from explorer.base.records.speakability import (
    ProofCheck,
    RowsLost,
    SolidAngleEstimate,
    SpeakabilityCertificate,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.specs.blocks import count, token_text

HEAVIEST = 4
"""Tokens of a proof that are named."""
NAMED = 3
"""Tokens named that win along most rows."""
REFUSED = 8
"""Tokens named whose proofs do not hold."""


def share_words(angle: SolidAngleEstimate | None) -> str:
    """The share of directions as a power of ten: '-12.30 ± 0.11', or a bound where the region was not reached."""
    if angle is None:
        return "–"
    return f"{angle.log10:.2f} ± {angle.stderr:.2f}" if angle.found else f"below {angle.log10:.2f}"


def proof_words(proof: SpeakabilityCertificate | None) -> str:
    """A proof in a few words."""
    if proof is None:
        return "–"
    if proof.kind == "witness":
        return f"a point of {len(proof.x):,} numbers"
    if proof.kind == "row_witness":
        return "its own row less the mean"
    heaviest = sorted(zip(proof.weights, proof.token_ids, strict=True), reverse=True)[:HEAVIEST]
    weighed = ", ".join(f"{weight:.3g} × {token_id}" for weight, token_id in heaviest)
    rest = len(proof.token_ids) - len(heaviest)
    return (weighed + (f" and {rest:,} more" if rest else "")) or "the mean row alone"


def lost_words(result: SpeakabilityResult) -> tuple[str, ...]:
    """Who wins along the tokens' rows, as they are and less the mean row, a sentence each: 'Along their own rows 46,408
    of 49,152 tokens lose to another and are hard to speak; 94.0 % to ·strugg (18263).'"""
    asked = (("their own rows", result.own_rows, True), ("their rows less the mean row", result.centred_rows, False))
    return tuple(f"Along {what} {_lost(rows, hard)}." for what, rows, hard in asked if rows is not None)


def _lost(rows: RowsLost, hard: bool) -> str:
    lose, are = ("loses", "is") if rows.lost == 1 else ("lose", "are")
    told = f"{rows.lost:,} of {count(rows.tokens, 'token')} {lose} to another" + f" and {are} hard to speak" * hard
    shares = (f"{format_percent(won.beats / rows.lost)} to {token_text(won.token)} ({won.token.token_id})"
              for won in rows.winners[:NAMED])  # fmt: skip
    return "; ".join([told, ", ".join(shares)] if rows.winners else [told])


def check_words(check: ProofCheck) -> str:
    """'the proof was checked again and holds', 'the 3 proofs were checked again; those of tokens 5, 7 do NOT hold';
    empty where nothing was claimed that could be checked."""
    refused = len(check.refused)
    several = check.proved + refused
    if several < 2:
        return f"the proof was checked again and {'does NOT hold' if refused else 'holds'}" if several else ""
    checked = f"the {several:,} proofs were checked again"
    if not refused:
        return f"{checked} and hold"
    return f"{checked}; of {count(refused, 'token')} they do NOT hold: {some_of(check.refused)}"


def some_of(token_ids: tuple[int, ...]) -> str:
    """The first few ids."""
    return ", ".join(map(str, token_ids[:REFUSED])) + (" …" if len(token_ids) > REFUSED else "")


def check_of(result: SpeakabilityResult, row: SpeakabilityRow) -> ProofCheck | None:
    """What the check said of one of the listed tokens; None where nothing was checked."""
    if result.checked is None:
        return None
    token_id = row.token.token_id
    refused = (token_id,) if token_id in result.checked.refused else ()
    return ProofCheck(proved=int(row.certificate is not None and not refused), refused=refused)


def tie_words(row: SpeakabilityRow) -> str:
    """'tied with PlaneProtection 36743 and 6 more, said by the lowest id, 5'; nothing where it is tied with none."""
    if not row.tied:
        return ""
    first, others = row.tied[0], len(row.tied) - 1
    more = f" and {others:,} more" if others else ""
    lowest = min(row.token.token_id, first.token_id)
    itself = ", its own" if lowest == row.token.token_id else ""
    return f"tied with {token_text(first)} {first.token_id}{more}, said by the lowest id, {lowest}{itself}"
