"""Shows which pane has the keys: by the titles of the panes, and in the row of tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual.app import App
from textual.screen import Screen
from textual.widget import Widget

from explorer.tui.panes.base import Pane
from explorer.tui.shell.room import Part, Room

if TYPE_CHECKING:
    from textual.widgets import Tabs

TITLES: dict[Part, str] = {"tokens": "#tokens-pane > .title", "detail": "#detail-title", "right": "#right-title"}
"""Selectors of the titles of the parts."""


class FocusShown:
    """Follows the focus on the screen with the panes."""

    def __init__(self, app: App[Any], room: Room) -> None:
        self._app = app
        self._room = room
        self.right = ""
        """The tab whose pane the right column shows."""

    def begin(self) -> None:
        """Follow the focus from now on: the panes are there."""
        self._tabs.can_focus = False  # a digit chooses a tab, the Tab key goes from pane to pane
        self._app.watch(self._screen, "focused", self._follow)

    @property
    def _screen(self) -> Widget:
        return self._app.default_screen

    @property
    def _tabs(self) -> Tabs:
        return cast("Tabs", self._screen.query_one("#tabs"))

    @property
    def pane(self) -> Pane:
        """The pane with the keys; where nothing has them, the one that had them last."""
        screen = cast("Screen[object]", self._screen)
        name = self.right if self._room.part == "right" else self._room.part
        return _pane_of(screen.focused) or screen.query_one(f"#{name}-pane", Pane)

    def _follow(self, focused: Widget | None) -> None:
        pane = _pane_of(focused)
        if pane is not None:
            self._room.part = part_of(pane)
            self.mark_tabs()
        for part, selector in TITLES.items():
            self._screen.query_one(selector).set_class(pane is not None and part == self._room.part, "-keys")

    def mark_tabs(self) -> None:
        """Show in the row of tabs where the keys go, and which pane stands beside the token table."""
        tabs = self._tabs
        active = self.right if self._room.part == "right" else "tokens"
        if tabs.active != active:
            with tabs.prevent(type(tabs).TabActivated):
                tabs.active = active
        for tab in tabs.query("Tab"):
            tab.set_class(tab.id == self.right, "-shown")


def _pane_of(focused: Widget | None) -> Pane | None:
    above = () if focused is None else focused.ancestors_with_self
    return next((each for each in above if isinstance(each, Pane)), None)


def part_of(pane: Pane) -> Part:
    """The part of the window that a pane stands in."""
    return {"tokens-pane": "tokens", "detail-pane": "detail"}.get(pane.id or "", "right")  # type: ignore[return-value]
