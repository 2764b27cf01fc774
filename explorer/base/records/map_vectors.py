"""Vectors that are no rows of a vocabulary, put on its map."""

from __future__ import annotations

from typing import Literal

from explorer.base.records.record import Record

VectorKind = Literal["centroid", "twin", "vector"]
"""The mean row; the row of another model's token with the subject's bytes; a vector of a file."""
Placing = Literal["exact", "nearest", "none"]
"""`exact`: by the same formula as the tokens; `nearest`: at the weighted mean of the 3 tokens nearest to it; `none`: it
has no place."""


class PlacedVector(Record, kw_only=True):
    role: VectorKind
    label: str
    x: float = 0.0
    y: float = 0.0
    placing: Placing
    why: str = ""
    """Why it has no place."""
    fit: float | None = None
    """Of a twin: correlation r of the shared tokens' rows with those of the other model once these are turned, shifted
    and scaled to fit (Procrustes): 1: the same but for a turn."""
    by_chance: float | None = None
    """That correlation where every row is laid over that of the wrong token."""
    kept: float | None = None
    """Of a twin: share of its squared length, after the turn, in the dimensions that this model's rows have."""

    def problem(self) -> str:
        finite = -1e300 < self.x < 1e300 and -1e300 < self.y < 1e300
        return "" if finite else f"{self.label!r} is nowhere on the plane"
