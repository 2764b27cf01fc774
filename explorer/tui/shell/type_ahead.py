"""Keys that follow so fast on a key which opens a box that the box is not there yet: kept, then typed into it."""

from __future__ import annotations

from collections.abc import Iterable

from textual.events import Key


class TypeAhead:
    """Keeps keys from the moment a box is asked for until it has the focus."""

    def __init__(self) -> None:
        self._opening_keys: set[str] = set()
        self._kept: list[Key] | None = None

    def heed(self, keys: Iterable[str]) -> None:
        """These keys open a box."""
        self._opening_keys.update(key.strip() for key in keys)

    def keeps(self, event: Key, *, is_free: bool) -> bool:
        """Whether `event` has to wait. `is_free`: keys are commands now, no box has the focus."""
        if self._kept is not None:
            self._kept.append(event)
            return True
        if is_free and not self._opening_keys.isdisjoint((event.key, event.character, *event.aliases)):
            self._kept = []
        return False

    @property
    def is_waiting(self) -> bool:
        """Whether a box has been asked for and is not there yet."""
        return self._kept is not None

    def release(self) -> list[Key]:
        """The box is there: the keys that are meant for it, in order."""
        kept, self._kept = self._kept or [], None
        return kept
