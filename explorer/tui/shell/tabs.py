"""The tabs of the registry as the screen has them: their labels, and which of them shows a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.cells import cell_len

from explorer.base.records.record import Request
from explorer.specs.registry import spec_of
from explorer.specs.spec import Tab

_PADDING = 2
"""Cells round a label."""


def tab_name_of(request: Request) -> str:
    """The name of the tab that shows the outcomes of such requests; empty: none does."""
    tab = spec_of(request).tab
    return tab.name if tab is not None else ""


def in_row(tabs: Iterable[Tab]) -> Iterator[Tab]:
    """Those that stand in the row of tabs: a pane of the left column without a number does not."""
    return (tab for tab in tabs if tab.number or tab.side == "right")


def tab_labels(tabs: Iterable[Tab], width: int) -> Mapping[str, str]:
    """What stands in a row of `width` cells, by name: '1 Tokens'; short titles where the titles do not fit."""
    shown = tuple(in_row(tabs))
    labels = {tab.name: _numbered(tab, tab.title) for tab in shown}
    if sum(cell_len(label) + _PADDING for label in labels.values()) <= width:
        return labels
    return {tab.name: _numbered(tab, tab.short_title or tab.title) for tab in shown}


def _numbered(tab: Tab, title: str) -> str:
    return f"{tab.number} {title}" if tab.number else title
