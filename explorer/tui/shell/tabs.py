"""The tabs of the registry as the screen has them: their labels, and which of them shows a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.cells import cell_len

from explorer.base.records.record import Request
from explorer.base.text import visible
from explorer.specs.blocks import token_text
from explorer.specs.registry import REGISTRY, spec_of
from explorer.specs.spec import Tab, no_subject
from explorer.tui.shell.messages import Selection
from explorer.tui.shell.room import NARROW


def padding(width: int) -> int:
    """Cells between two labels in a row of `width` cells (`explorer.tcss` says the same)."""
    return 1 if width < NARROW else 2


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
    if sum(cell_len(label) + padding(width) for label in labels.values()) <= width:
        return labels
    return {tab.name: _numbered(tab, tab.short_title or tab.title) for tab in shown}


def pane_titles(tab: Tab, shown: Selection, selected: Selection) -> tuple[str, ...]:
    """The title of a pane, fullest first: its tab's, and where it speaks of another token than the selected one, which
    that is."""
    if not follows_token(tab) or shown.token is None or _subject(shown) == _subject(selected):
        return (tab.title,)
    token = f"{shown.token.token_id} {token_text(shown.token)}"
    model = visible(shown.model.name, spaces=False) if shown.model is not None else "?"
    long = f"{tab.title} of token {token} of {model}, not of the selected one"
    return long, f"{tab.title} of {token}, not selected"


def _subject(selection: Selection) -> tuple[str, int | None]:
    model = selection.model.name if selection.model is not None else ""
    return model, selection.token.token_id if selection.token is not None else None


def follows_token(tab: Tab) -> bool:
    """Whether what a tab shows is about one token."""
    return any(spec.tab == tab and spec.subject is not no_subject for spec in REGISTRY.specs)


def _numbered(tab: Tab, title: str) -> str:
    return f"{tab.number % 10} {title}" if tab.number else title
