"""Speakability: which tokens can be the argmax of the logits, with proof."""

from __future__ import annotations

from typing import Literal

from explorer.base.records.record import Array, Outcome, Record, Request
from explorer.base.records.tokens import TokenRef

SpeakabilityMode = Literal["ball", "box", "cone", "own_direction"]
"""Which x a token may win at: of norm at most sqrt(d_model); of entries within 1; any; only along its own row."""


Speakability = Literal["speakable", "unspeakable", "undecided"]


SPEAKABILITIES: tuple[Speakability, ...] = ("speakable", "unspeakable", "undecided")


class ProveSpeakability(Request, kw_only=True):
    """Which tokens can be the argmax of the logits, each answer with a proof. Whole vocabularies run in the
    background; cancel to pause. What was settled is kept on disk by the weights, so asking again continues from there.
    """

    model: str
    mode: SpeakabilityMode = "ball"
    token_ids: tuple[int, ...] | None = None
    """None: all but padding rows."""
    hard: bool = False
    """Of those, only the tokens that another one beats along their own direction."""
    bias: bool = True
    """Whether the head's bias and the final norm's count; the cone has none."""
    folded: bool = True
    """Whether the final norm's scale is folded into the weights."""
    solid_angle: bool = False
    """Also estimate the share of directions in which a speakable token wins (no bias)."""
    seed: int = 0
    """Of the solid angle."""
    fresh: bool = False
    """Settle again what is on disk."""
    rows: int = 20
    """Tokens listed in the result."""


class SpeakabilityPart(Record, kw_only=True, tag_field="kind", tag=True):
    """Tokens settled, while a run goes on; first those that were settled before."""

    mode: SpeakabilityMode
    """`own_direction` at the beginning of every run, then that of the request."""
    token_ids: Array
    """int32 [n]."""
    verdicts: Array
    """Index into `SPEAKABILITIES`, uint8 [n]."""
    margins: Array
    """float64 [n]."""
    winners: Array
    """Who wins along the token's own direction, int32 [n]."""


class SpeakabilityCertificate(Record, kw_only=True):
    """What proves a verdict, see `explorer.engine.core.speakability.questions`."""

    kind: Literal["witness", "row_witness", "weights"]
    """`witness`: wins at `x`; `row_witness`: wins along its own row less the mean row; `weights`: so weighted, the
    tokens of `token_ids` together score at least what the token scores, wherever x may be."""
    x: tuple[float, ...] = ()
    token_ids: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    centre: float = 0.0
    """Weight on the mean of all rows."""

    def problem(self) -> str:
        if len(self.weights) == len(self.token_ids):
            return ""
        return f"{len(self.weights)} weights do not belong to {len(self.token_ids)} tokens"


class SolidAngleEstimate(Record, kw_only=True):
    """The share of directions in which a token wins."""

    log10: float
    stderr: float
    """Standard error of `log10`."""
    seed: int = 0
    found: bool = True
    """False where the search ended before the region was reached: the share is below 10^log10."""


class SpeakabilityRow(Record, kw_only=True):
    """What was found of one token."""

    token: TokenRef
    own_direction_winner: TokenRef
    verdict: Speakability
    """In mode `own_direction`: `speakable` where the token itself wins, else `undecided`: elsewhere it may win."""
    margin: float
    """Speakable: it leads by at least this at the witness. Else it leads by no more than this at any admissible x
    (`own_direction`: at its own direction)."""
    certificate: SpeakabilityCertificate | None = None
    on_sphere: bool | None = None
    """In the ball: whether it wins somewhere on the sphere (False: no such place was found); None: not looked for."""
    solid_angle: SolidAngleEstimate | None = None
    tied: tuple[TokenRef, ...] = ()
    """Of an unspeakable token: those that score exactly as much at every x (same row, same bias), by id. Where such a
    tie is ahead, argmax says its lowest id. Not told in `Certificates`."""


class ProofCheck(Record, kw_only=True):
    """What the checker, which does not know how proofs are found, says of the tokens that were named."""

    proved: int
    """Proofs that hold."""
    refused: tuple[int, ...] = ()
    """Ids whose proof, or something else that is said of them, does not hold."""

    def problem(self) -> str:
        return "" if self.proved >= 0 else f"{self.proved} proofs cannot hold"


class RowWinner(Record, kw_only=True):
    """A token that wins along the rows of others."""

    token: TokenRef
    beats: int
    """Tokens along whose row it wins, itself not counted."""


class RowsLost(Record, kw_only=True):
    """Along how many tokens' rows another token wins, and which ones win most."""

    tokens: int
    """Tokens asked about."""
    lost: int
    winners: tuple[RowWinner, ...]
    """Those that win most, the first of them the most often."""

    def problem(self) -> str:
        beaten = sum(winner.beats for winner in self.winners)
        return "" if beaten <= self.lost <= self.tokens else f"{beaten} of {self.lost} of {self.tokens} cannot be"


class SpeakabilityResult(Outcome, kw_only=True):
    """What a run found, small enough for a session; `ReadCertificates` reads it all."""

    model: str
    mode: SpeakabilityMode
    bias: bool
    folded: bool
    question: str
    """Which x are admissible, in a sentence."""
    tokens: int
    """Tokens settled."""
    speakable: int
    unspeakable: int
    undecided: int
    hard: int
    """Tokens that another one beats along their own direction."""
    rows: tuple[SpeakabilityRow, ...] = ()
    """The tokens named; else the unspeakable first, then undecided, then hard ones, without the witnesses' numbers."""
    names: tuple[TokenRef, ...] = ()
    """The tokens that weigh most in the proofs of these rows."""
    notes: tuple[str, ...] = ()
    reused: int = 0
    """Tokens whose verdicts were on disk."""
    tokens_per_second: float = 0.0
    """Of the work done now."""
    digest: str = ""
    """SHA-256 of ids and own-direction winners (int32) and verdicts (uint8), first 32 hex digits."""
    own_rows: RowsLost | None = None
    """Who wins along the rows as they are. None for named tokens, and in sessions of earlier versions."""
    centred_rows: RowsLost | None = None
    """The same along the rows less the mean row, which tells tokens apart where one row wins along nearly all."""
    checked: ProofCheck | None = None
    """Of tokens that were named; None: not checked (whole vocabularies, own directions, and version 0.1's sessions)."""


class ReadCertificates(Request, kw_only=True):
    """Read all that is on disk of a run. Never stands in a session file."""

    of: ProveSpeakability


class Certificates(Outcome, kw_only=True):
    """Every settled token of a run."""

    model: str
    mode: SpeakabilityMode
    bias: bool
    folded: bool
    digest: str
    """SHA-256 of the numbers that the proofs are about, first 32 hex digits."""
    rows: tuple[SpeakabilityRow, ...]
    """By id."""


class CheckCertificates(Request, kw_only=True):
    """Check proofs again, with the checker that does not know how they were found. Never stands in a session file."""

    model: str
    mode: SpeakabilityMode
    bias: bool
    folded: bool
    digest: str
    """As `Certificates` has it."""
    rows: tuple[SpeakabilityRow, ...]


class CertificatesChecked(Outcome, kw_only=True):
    """Which proofs hold."""

    model: str
    proved: int
    undecided: int
    """Tokens of which nothing is claimed but a bound or an own-direction winner."""
    refused: tuple[int, ...]
    """Ids whose proof, or something else that is said of them, does not hold."""
    notes: tuple[str, ...] = ()
    """What is said of these tokens that no certificate proves."""
