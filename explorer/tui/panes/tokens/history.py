"""The tokens that were jumped from and to, as a browser keeps pages. No widget."""

from __future__ import annotations

from typing import NamedTuple

MOST = 200
"""Places kept."""


class Place(NamedTuple):
    """A token of a model."""

    model: str
    token_id: int


class TokenHistory:
    """Where jumps began and ended; going back and forward among them."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._at = 0

    def note(self, before: Place | None, after: Place) -> None:
        """There was a jump from the token under the cursor to another one; what was forward of it is forgotten."""
        if before == after:
            return
        kept = self._places[: self._at]
        self._places = [*kept, *([before] if before is not None else []), after][-MOST:]
        self._at = len(self._places) - 1

    def step(self, by: int, here: Place | None) -> Place | None:
        """The place before (−1) or after (1) this one, None where there is none; it is where jumps begin now.

        `here`, where the cursor has been moved to meanwhile, is what going the other way comes back to.
        """
        to = self._at + by
        if not 0 <= to < len(self._places):
            return None
        if here is not None:
            self._places[self._at] = here
        self._at = to
        return self._places[to]
