"""This program tested against published lists and the zoo's ground truth."""

from __future__ import annotations

from explorer.base.records.record import Outcome, Record, Request
from explorer.base.records.speakability import Speakability
from explorer.base.records.tokens import TokenRef
from explorer.base.records.verification import TruthScore, VerdictRow


class SelfTest(Request, kw_only=True):
    """Test this program on a loaded model against published lists, or against the zoo's ground truth."""

    model: str
    list_name: str = ""
    """A list that was matched with this model (`MatchTokenList.name`); empty: the one that comes with the program, else
    any that was matched, else the zoo's card."""


class BoxLine(Record, kw_only=True):
    """The post's linear program about one token, beside our verdict."""

    bias: bool
    listed_best: int
    """Who wins at the optimum that the post printed: the token itself where it was found speakable."""
    verdict: Speakability
    margin: float
    agrees: bool | None
    """None where we leave it undecided."""


class HardLine(Record, kw_only=True):
    """One token of the post's list of tokens hard to speak."""

    token: TokenRef
    listed_winner: int
    """Who wins along the token's own direction, as printed."""
    winner: TokenRef
    """Who wins there by our numbers."""
    lead: float
    """By how much our winner is ahead of the printed one; 0 where they are the same."""
    boxes: tuple[BoxLine, ...] = ()


class HardListScore(Record, kw_only=True):
    """The published list of tokens hard to speak, line by line."""

    list_name: str
    statement: str
    agreed: int
    """Lines whose own-direction winner is ours."""
    boxes: int
    boxes_agreed: int
    not_listed: int
    """Tokens hard to speak by our numbers that the list has not."""
    examples: tuple[TokenRef, ...]
    """The first of those."""
    lines: tuple[HardLine, ...]


class SelfTestResult(Outcome, kw_only=True):
    """How far this program and the list agree."""

    model: str
    list_name: str
    statement: str
    """What was compared with what, in a sentence or two."""
    listed: int
    """Tokens the list names."""
    tested: int
    """Tokens verified for this: the candidates and the listed ones."""
    score: TruthScore
    """Of the magikarp definition against the list, over the tokens tested."""
    rank_correlation: float | None
    """Spearman's, between our indicator and the list's numbers over the listed tokens (zoo: between our indicator
    and how often the token occurred in training, over all tokens)."""
    correlated: str
    """Which two numbers those are."""
    within_a_decade: float | None
    """Share of the listed tokens whose P(token) is within a factor of 10 of the list's; None where it has none."""
    disagreements: tuple[VerdictRow, ...] = ()
    """Listed tokens we do not call and called ones not listed, at most 50."""
    hard_to_speak: HardListScore | None = None
    """Where a list of such tokens is about this model."""
