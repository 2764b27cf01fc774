"""The tabs of the registry as the screen has them: their labels, and which of them shows a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from explorer.base.records.record import Request
from explorer.specs.registry import spec_of
from explorer.specs.spec import Tab


def tab_name_of(request: Request) -> str:
    """The name of the tab that shows the outcomes of such requests; empty: none does."""
    tab = spec_of(request).tab
    return tab.name if tab is not None else ""


def tab_labels(tabs: Iterable[Tab]) -> Mapping[str, str]:
    """What stands in the row of tabs, by name: '1 Tokens'. A pane of the left column without a number has no tab."""
    return {
        tab.name: f"{tab.number} {tab.title}" if tab.number else tab.title
        for tab in tabs
        if tab.number or tab.side == "right"
    }
