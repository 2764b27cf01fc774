"""The neighbourhoods that were shown, by model and token, and where the cursor of the list was. No widget."""

from __future__ import annotations

from explorer.base.records.unions import Step

MOST_KEPT = 64
"""Neighbourhoods."""

Place = tuple[str, int]
"""A model's name and a token id."""


class SeenNeighbourhoods:
    """Shown again when their token is selected again."""

    def __init__(self) -> None:
        self._steps: dict[Place, Step] = {}
        """The latest last."""
        self._rows: dict[Place, int] = {}

    def keep(self, step: Step, place: Place) -> None:
        """The latest of its token; the oldest of all is given up where there are too many."""
        self._steps.pop(place, None)
        self._steps[place] = step
        if len(self._steps) > MOST_KEPT:
            self._rows.pop(oldest := next(iter(self._steps)), None)
            del self._steps[oldest]

    def leave(self, place: Place, row: int) -> None:
        """Another list takes the place of this token's, whose cursor is on `row`."""
        self._rows[place] = row

    def step_of(self, place: Place) -> Step | None:
        """What was found of a token."""
        return self._steps.get(place)

    def row_of(self, place: Place) -> int:
        """Where the cursor was in the list of the token; 0 where there was none."""
        return self._rows.get(place, 0)

    def forget_model(self, name: str) -> None:
        """Another model has taken the name."""
        self._steps = {place: step for place, step in self._steps.items() if place[0] != name}

    def clear(self) -> None:
        """Nothing was shown."""
        self._steps.clear()
        self._rows.clear()
