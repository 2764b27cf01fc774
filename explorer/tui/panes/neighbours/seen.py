"""The neighbourhoods that were shown, by model and token, and where the cursor of the list was. No widget."""

from __future__ import annotations

from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.unions import Step

MOST_KEPT = 64
"""Neighbourhoods."""


class SeenNeighbourhoods:
    """Shown again when their token is selected again."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, int], Step] = {}
        """The latest last."""
        self._rows: dict[tuple[str, int], int] = {}

    def keep(self, step: Step, place: tuple[str, int]) -> None:
        """The latest of its token; the oldest of all is given up where there are too many."""
        self._steps.pop(place, None)
        self._steps[place] = step
        if len(self._steps) > MOST_KEPT:
            self._rows.pop(oldest := next(iter(self._steps)), None)
            del self._steps[oldest]

    def leave(self, request: FindNeighbours | None, row: int) -> None:
        """Another list takes the place of that of `request`, whose cursor is on `row`."""
        if request is not None:
            self._rows[request.model, request.token_id] = row

    def step_of(self, model: str, token_id: int) -> Step | None:
        """What was found of a token."""
        return self._steps.get((model, token_id))

    def row_of(self, request: FindNeighbours) -> int:
        """Where the cursor was in the list of the token; 0 where there was none."""
        return self._rows.get((request.model, request.token_id), 0)

    def forget_model(self, name: str) -> None:
        """Another model has taken the name."""
        self._steps = {place: step for place, step in self._steps.items() if place[0] != name}

    def clear(self) -> None:
        """Nothing was shown."""
        self._steps.clear()
        self._rows.clear()
