"""The keys of panes and widgets, read off the bindings that their classes declare: what the help lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget

from explorer.specs.spec import Tab
from explorer.tui.panes.base import Pane
from explorer.tui.shell.commands import key_name

_WIDGETS = "explorer.tui.widgets."
KINDS = {
    "RowList": "In a list",
    "Choice": "On a choice",
    "Field": "In a field",
    "Ticks": "On ticks",
    "PromptArea": "In a prompt",
    "LineInput": "In the boxes above the table",
}
"""Widgets that several panes have, by their class's name."""

_FOCUS = {
    "app.focus_next": "Give the keys to the next field or pane, from left to right.",
    "app.focus_previous": "Give the keys to the field or pane before.",
}
"""What Textual's actions do, in our words."""


class PaneKey(NamedTuple):
    """A key, or keys with one effect, and what they do."""

    keys: str
    help: str


KeyGroup = tuple[str, tuple[PaneKey, ...]]
"""A heading and what stands below it."""


def pane_groups(panes: Iterable[Pane], tabs: Iterable[Tab]) -> list[KeyGroup]:
    """The keys of every pane, then those of widgets in several panes, then those of every pane."""
    titles = {f"{tab.name}-pane": tab.title for tab in tabs}
    own: dict[str, list[PaneKey]] = {}
    shared: dict[str, list[PaneKey]] = {}
    for pane in panes:
        for kind in _kinds_in(pane):
            is_shared = kind.__module__.startswith(_WIDGETS)
            place = KINDS.get(kind.__name__, kind.__name__)
            heading = place if is_shared else f"In {titles.get(pane.id or '', pane.id)}"
            group = (shared if is_shared else own).setdefault(heading, [])
            group += [key for key in declared_keys(kind) if key not in group]
    groups = [(heading, tuple(keys)) for heading, keys in (*own.items(), *shared.items())]
    return [*groups, ("In every pane", _moving())]


def _kinds_in(pane: Pane) -> Iterator[type[Widget]]:
    """The classes of ours, of a pane and of what is in it, that declare keys; each once."""
    seen: dict[type[Widget], None] = {}
    for widget in (pane, *pane.query(Widget)):
        for kind in type(widget).__mro__:
            if "BINDINGS" in vars(kind) and not kind.__module__.startswith("textual."):
                seen[kind] = None
    return iter(seen)


def declared_keys(kind: type[Widget]) -> list[PaneKey]:
    """The keys that a class itself declares; those of one description together."""
    found: dict[str, list[str]] = {}
    for each in vars(kind)["BINDINGS"]:
        binding = each if isinstance(each, Binding) else Binding(*each)
        said = binding.tooltip or binding.description
        found.setdefault(said, []).extend(key_name(key.strip()) for key in binding.key.split(","))
    return [PaneKey(" ".join(keys), f"{said[:1].upper()}{said[1:].rstrip('.')}.") for said, keys in found.items()]


def _moving() -> tuple[PaneKey, ...]:
    """The keys that go from one widget to the next, and the palette's."""
    declared = [each for each in Screen.BINDINGS if isinstance(each, Binding)]
    tabs = [PaneKey(key_name(each.key), _FOCUS[each.action]) for each in declared if each.action in _FOCUS]
    return (*tabs, PaneKey("ctrl+p", "Every command by name, and more: columns, models, themes, a screenshot."))
