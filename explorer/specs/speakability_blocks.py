"""What proofs of speakability are, in words and tables."""

from __future__ import annotations

from collections.abc import Iterable

from explorer.base.numbers import format_percent
from explorer.base.records.speakability import (
    CertificatesChecked,
    CheckCertificates,
    ProveSpeakability,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.specs.blocks import Block, Table, Words, count, number, prose, token_text
from explorer.specs.proof_words import check_words, lost_words, proof_words, share_words, tie_words


def form_words(question: ProveSpeakability | SpeakabilityResult) -> str:
    """'ball, with bias, folded weights'."""
    bias, weights = "with bias" if question.bias else "without bias", "folded" if question.folded else "raw"
    return f"{question.mode.replace('_', ' ')}, {bias}, {weights} weights"


def summarise(outcome: SpeakabilityResult) -> str:
    """How many tokens there are of each verdict."""
    counts = f"speakable {outcome.speakable:,}, unspeakable {outcome.unspeakable:,}"
    return (
        f"{count(outcome.tokens, 'token')} of {prose(outcome.model)}: {counts},"
        f" undecided {outcome.undecided:,}; hard to speak {outcome.hard:,}{_beside(outcome)}"
    )


def _beside(outcome: SpeakabilityResult) -> str:
    """Where rows were counted: which token most of the hard ones lose to, and how many lose less the mean row."""
    own, centred = outcome.own_rows, outcome.centred_rows
    if own is None or centred is None or not own.winners:
        return ""
    share, name = format_percent(own.winners[0].beats / own.lost), token_text(own.winners[0].token)
    return f" ({share} lose to {name}; less the mean row {centred.lost:,} lose)"


def summarise_checked(outcome: CertificatesChecked) -> str:
    """How many proofs hold."""
    refused = len(outcome.refused)
    return f"{outcome.proved:,} proved, {outcome.undecided:,} undecided, {refused:,} refused"


def blocks(request: ProveSpeakability, outcome: SpeakabilityResult) -> Iterable[Block]:
    """The question, the counts, and the listed tokens with what proves their verdicts."""
    yield Words(f"{prose(outcome.model)}, {form_words(outcome)}: {prose(outcome.question)}")
    yield from (Words(prose(note), warns=True) for note in outcome.notes)
    if outcome.checked is not None:
        words = check_words(outcome.checked)
        yield from [Words(f"{words[:1].upper()}{words[1:]}.", warns=bool(outcome.checked.refused))] if words else []
    heads = ("speakable", "unspeakable", "undecided", "hard to speak", "tokens", "from disk")
    counts = (
        outcome.speakable, outcome.unspeakable, outcome.undecided, outcome.hard, outcome.tokens, outcome.reused,
    )  # fmt: skip
    yield Table(heads, (tuple(f"{number:,}" for number in counts),), right=frozenset(heads))
    yield from map(Words, lost_words(outcome))
    if outcome.rows:
        names = ("id", "token", "wins along its row", "verdict", "margin", "on the sphere", "proof", "log10 share")
        yield Table(names, tuple(map(_row, outcome.rows)), right=frozenset({"id", "margin", "log10 share"}))


def _row(row: SpeakabilityRow) -> tuple[str, ...]:
    on_sphere = {True: "yes", False: "not found", None: "–"}
    return (
        str(row.token.token_id),
        token_text(row.token),
        token_text(row.own_direction_winner),
        ", ".join(part for part in (row.verdict, tie_words(row)) if part),
        number(row.margin, 5),
        on_sphere[row.on_sphere],
        proof_words(row.certificate),
        share_words(row.solid_angle),
    )


def checked_blocks(request: CheckCertificates, outcome: CertificatesChecked) -> Iterable[Block]:
    """How many proofs hold, and what of them was not checked."""
    yield Words("; ".join([summarise_checked(outcome), *map(prose, outcome.notes)]))
