"""File 1 of a verb: what is asked, and what comes back. No torch, no textual."""

from __future__ import annotations

from explorer.base.records.record import Outcome, Record, Request


class CountLengths(Request, kw_only=True):
    """How long are the tokens of a vocabulary, in bytes?"""

    model: str
    longest: int = 64
    """Longer tokens are counted together."""


class LengthCount(Record, kw_only=True):
    """How many tokens are this long."""

    length: int
    """Bytes; the last one stands for all longer tokens too."""
    tokens: int


class LengthCounts(Outcome, kw_only=True):
    """Token lengths, the shortest first."""

    model: str
    counts: tuple[LengthCount, ...]
