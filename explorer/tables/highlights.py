"""Where a token's text, as it is shown, holds what a filter looks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import regex

from explorer.tables.filter_terms import FilterError, HasText, MatchesRegex
from explorer.tables.filters import parse_filter

_SECONDS = 0.005
"""That a pattern may take on one token; it has passed the whole vocabulary before."""


def sought_in(text: str, indicators: Collection[str]) -> tuple[regex.Pattern[str], ...]:
    """What the filter `text` looks for in the texts of tokens; nothing where it cannot be read or looks elsewhere."""
    try:
        terms = parse_filter(text, indicators).terms
    except FilterError:
        return ()
    words = [regex.escape(needle) for term in terms if isinstance(term, HasText) for needle in term.needles]
    literal = [regex.compile("|".join(words), regex.IGNORECASE)] if words else []
    return (*literal, *(term.pattern for term in terms if isinstance(term, MatchesRegex)))


def spans(sought: Collection[regex.Pattern[str]], shown: str) -> list[tuple[int, int]]:
    """The parts of `shown` that are sought, as (begin, end), in order; a `·` is the space that it stands for."""
    return sorted({span for pattern in sought for span in _found(pattern, shown.replace("·", " "))})


def _found(pattern: regex.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    try:
        yield from (match.span() for match in pattern.finditer(text, timeout=_SECONDS) if match[0])
    except TimeoutError:
        return
