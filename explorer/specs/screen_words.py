"""Steps in words as a screen has them: with the short names of indicators that its headings use."""

from __future__ import annotations

from explorer.base.indicator_names import with_labels
from explorer.base.records.maps import ReadMap, ViewMap
from explorer.base.records.record import Outcome, Request
from explorer.base.records.verification import Verify
from explorer.base.records.vocabulary import RankTokens
from explorer.specs.registry import describe, summarise

_NAMES_INDICATORS = (RankTokens, ReadMap, Verify, ViewMap)
"""What others ask may quote a note or a prompt, which stay as they were written."""


def describe_on_screen(request: Request) -> str:
    """What was asked."""
    words = describe(request)
    return with_labels(words) if isinstance(request, _NAMES_INDICATORS) else words


def summarise_on_screen(request: Request, outcome: Outcome) -> str:
    """What came back."""
    words = summarise(outcome)
    return with_labels(words) if isinstance(request, _NAMES_INDICATORS) else words
