"""What parts of a map hold."""

from __future__ import annotations

from explorer.base.records.record import Record

MOST_REGIONS = 12


class MapRegion(Record, kw_only=True):
    """A part of a window with more tokens of one writing system or category than elsewhere."""

    name: str
    share: float
    """Of its tokens, those that are of it."""
    x: float
    y: float
    """Where its name stands: amid the tokens of its densest tile."""
