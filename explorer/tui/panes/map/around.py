"""What is put on a map for its subject: asked once the subject stands, one question at a time."""

from __future__ import annotations

from collections.abc import Callable

from explorer.base.records.maps import PlacePoints
from explorer.tui.panes.map.body import MapBody
from explorer.tui.shell.messages import Ask, Selection
from explorer.tui.widgets.soon import Rest

REST_PAUSE = 0.3
"""Seconds that the subject must stand."""
NEIGHBOURS = 10


class Surroundings:
    """Asks for `wanted()` where `body` can be seen."""

    def __init__(self, body: MapBody, wanted: Callable[[], PlacePoints | None]) -> None:
        self._body, self._wanted = body, wanted
        self._rest = Rest(body, REST_PAUSE, self._send)
        self._sent: PlacePoints | None = None
        self._is_under_way = False

    def ask(self) -> None:
        """The subject may be another one."""
        if self._body.is_attached:
            self._rest.ask()

    def take(self, request: PlacePoints) -> bool:
        """An answer came; whether it is to what is wanted now. Where it is not, that is asked."""
        self._is_under_way = False
        is_wanted = request == self._wanted()
        if not is_wanted:
            self.ask()
        return is_wanted

    def forget(self) -> None:
        """There is no map any more."""
        self._sent, self._is_under_way = None, False

    def _send(self) -> None:
        wanted = self._wanted()
        if wanted is None or self._is_under_way or wanted == self._sent or not self._body.is_on_screen:
            return
        self._sent, self._is_under_way = wanted, True
        self._body.post_message(Ask(wanted, record=False))


def next_twin(selection: Selection, shown: str) -> str:
    """The other model after `shown`; empty after the last."""
    names = selection.others_with_weights
    following = names[names.index(shown) + 1 :] if shown in names else names
    return following[0] if following else ""
