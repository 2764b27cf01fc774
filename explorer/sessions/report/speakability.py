"""What a report says of speakability: counts, and the tokens listed with what proves their verdicts."""

from __future__ import annotations

from collections.abc import Iterable

from explorer.base.records.speakability import SpeakabilityCertificate, SpeakabilityResult, SpeakabilityRow
from explorer.specs.blocks import Block, Table, Words, prose, token_text

SHADOWS = 4
"""Tokens of a proof that are named."""


def speakability_blocks(outcome: SpeakabilityResult) -> Iterable[Block]:
    """The question, the counts, and the listed tokens."""
    yield Words(prose(outcome.question))
    yield from (Words(prose(note)) for note in outcome.notes)
    heads = ("speakable", "unspeakable", "undecided", "hard to speak", "tokens")
    counts = (outcome.speakable, outcome.unspeakable, outcome.undecided, outcome.hard, outcome.tokens)
    yield Table(heads, (tuple(f"{count:,}" for count in counts),), right=frozenset(heads))
    if outcome.rows:
        names = ("id", "token", "wins along its own row", "verdict", "margin", "proof", "log10 share of directions")
        yield Table(names, tuple(map(_row, outcome.rows)), right=frozenset({"id", "margin", names[-1]}))


def _row(row: SpeakabilityRow) -> tuple[str, ...]:
    angle = row.solid_angle
    return (
        str(row.token.token_id),
        token_text(row.token),
        token_text(row.own_direction_winner),
        row.verdict,
        f"{row.margin:.4g}",
        proof_words(row.certificate),
        "–" if angle is None else f"{angle.log10:.2f} ± {angle.stderr:.2f}",
    )


def proof_words(proof: SpeakabilityCertificate | None) -> str:
    """A proof in a few words."""
    if proof is None:
        return "–"
    if proof.kind == "witness":
        return f"a point of {len(proof.x):,} numbers"
    if proof.kind == "row_witness":
        return "its own row less the mean"
    heaviest = sorted(zip(proof.weights, proof.token_ids, strict=True), reverse=True)[:SHADOWS]
    shadows = ", ".join(f"{weight:.3g} × {token_id}" for weight, token_id in heaviest)
    rest = len(proof.token_ids) - len(heaviest)
    return (shadows + (f" and {rest:,} more" if rest else "")) or "the mean row alone"
