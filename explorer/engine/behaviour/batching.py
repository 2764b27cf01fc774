"""How much a model is asked at once, and the flag that stops it."""

from __future__ import annotations

MOST_ROWS = 64
"""Sequences in one batch, at most."""
MOST_POSITIONS = 16_384
"""Tokens in one batch, prompts and replies together, at most: bounds the key-value cache when prompts are long."""


def rows_at_once(positions: int) -> int:
    """How many sequences of `positions` tokens go into one batch, at least 1."""
    return min(MOST_ROWS, max(1, MOST_POSITIONS // positions))


def never() -> bool:
    """A `cancelled` for callers that do not cancel."""
    return False
