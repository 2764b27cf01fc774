"""Keys that follow so fast on a key which opens a box that the box is not there yet: kept, then typed into it."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

from textual.events import Key

EDITING = frozenset({"enter", "tab", "backspace", "delete", "left", "right", "up", "down", "home", "end"})
"""Keys without a letter that are for a box as letters are."""


class TypeAhead:
    """Keeps keys from the moment a box, or a pane, is asked for until it has the focus."""

    def __init__(self) -> None:
        self._opening_keys: dict[str, bool] = {}
        """By key, whether it opens a box."""
        self._kept: list[Key] | None = None
        self._heard = 0.0
        """When a box or pane was asked for, or the last letter came."""
        self.is_for_box = False
        """Whether a box has been asked for, and not a pane."""

    def heed(self, keys: Iterable[str], *, open_box: bool = True) -> None:
        """These keys open a box, or else give a pane the keys."""
        self._opening_keys.update((key.strip(), open_box) for key in keys)

    def keeps(self, event: Key, *, is_free: bool, is_open: bool = True) -> bool:
        """Whether `event` has to wait. `is_free`: keys are commands now, no box has the focus. `is_open`: commands can
        be carried out; before that a key that opens a box waits too."""
        if self._kept is not None:
            self._kept.append(event)
            if event.is_printable:  # no other key goes on with a word: esc hammered where no box comes must be heard
                self._heard = monotonic()
            return True
        names = filter(None, (event.key, event.character, *event.aliases))
        opened = [self._opening_keys[key] for key in names if key in self._opening_keys]
        if not is_free or not opened or not (is_open or opened[0]):
            return False
        self._kept, self.is_for_box, self._heard = [] if is_open else [event], opened[0], monotonic()
        return not is_open

    @property
    def is_waiting(self) -> bool:
        """Whether a box has been asked for and is not there yet."""
        return self._kept is not None

    def is_silent_for(self, seconds: float) -> bool:
        """Whether the last letter came longer ago."""
        return monotonic() - self._heard > seconds

    def release(self) -> list[Key]:
        """The keys that waited, in order; no more are kept."""
        kept, self._kept = self._kept or [], None
        return kept


def is_text(event: Key) -> bool:
    """Whether a key writes in a box, or edits there; esc, function keys and those with ctrl do not."""
    return event.is_printable or event.key in EDITING
