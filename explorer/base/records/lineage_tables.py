"""Published tables of next-token log-probabilities, as of the SolidGoldMagikarp posts, and what they say of lineage."""

from __future__ import annotations

import math
from typing import Literal

from explorer.base.records.record import Record


class PublishedLogprob(Record, kw_only=True):
    """What one model gives the favourite output of a child after a prompt."""

    child: str
    prompt: str
    output: str
    """The child's favourite."""
    model: str
    logprob: float

    def problem(self) -> str:
        return "" if math.isfinite(self.logprob) and self.logprob <= 0 else f"{self.logprob} is not a log-probability"


class PublishedBase(Record, kw_only=True):
    """One base in a table."""

    base: str
    logprob: float
    p: float | None
    """Of being so far above the other bases, by a prediction interval; None with fewer than 3 bases."""
    p_holm: float | None
    """Adjusted for the number of bases."""


class PublishedVerdict(Record, kw_only=True):
    """What one table says: one child, prompt and output."""

    child: str
    prompt: str
    output: str
    own: float | None
    """The child's log-probability; None: not published."""
    verdict: Literal["leading", "none", "cannot tell"]
    """One prompt never gives more than a leading base."""
    reason: str
    best: str
    margin: float
    """Of the best base above the second, in nats."""
    bases: tuple[PublishedBase, ...]
    """The best first."""
