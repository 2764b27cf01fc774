"""Some steps of a session, decoded when they are looked at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from explorer.base.lazy_sequence import LazySequence
from explorer.base.records.unions import Step
from explorer.sessions.file.reader import SessionFile


class ChosenSteps(LazySequence[Step]):
    """The steps at `positions` of a session, in order."""

    def __init__(self, session: SessionFile, positions: Sequence[int]) -> None:
        self._session = session
        self.positions = positions

    def __len__(self) -> int:
        return len(self.positions)

    def item(self, place: int) -> Step:
        """The step at `positions[place]` of the session."""
        return self._session[self.positions[place]]

    def raw(self, place: int) -> bytes:
        """The line of the step at `place`."""
        return self._session.raw(self.positions[place])

    def place_of(self, position: int) -> int:
        """Where the step at `position` is among the chosen ones; the last one before it where it is not."""
        return max(0, bisect_right(self.positions, position) - 1)
