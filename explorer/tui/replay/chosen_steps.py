"""Some steps of a session, decoded when they are looked at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import overload

from explorer.base.records.unions import Step


class ChosenSteps(Sequence[Step]):
    """The steps at `positions` of a session, in order."""

    def __init__(self, session: Sequence[Step], positions: Sequence[int]) -> None:
        self._session = session
        self.positions = positions

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, index: int) -> Step: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Step]: ...

    def __getitem__(self, index: int | slice) -> Step | Sequence[Step]:
        if isinstance(index, slice):
            return [self._session[position] for position in self.positions[index]]
        return self._session[self.positions[index]]

    def place_of(self, position: int) -> int:
        """Where the step at `position` is among the chosen ones; the last one before it where it is not."""
        return max(0, bisect_right(self.positions, position) - 1)
