"""The panes themselves: everything that needs NumPy or a large import, mounted after the first paint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Footer, Tab, Tabs

from explorer.base.templates import Template
from explorer.tui.panes.detail.pane import DetailPane
from explorer.tui.panes.logprobs.pane import LogprobsPane
from explorer.tui.panes.neighbours.pane import NeighboursPane
from explorer.tui.panes.repeat_back.pane import RepeatBackPane
from explorer.tui.panes.session.pane import SessionPane
from explorer.tui.panes.speakability.pane import SpeakingPane
from explorer.tui.panes.tokens.pane import TokenPane
from explorer.tui.panes.verdicts.pane import VerdictsPane

__all__ = ["Footer", "open_workspace", "tab_row"]


def tab_row(labels: Mapping[str, str]) -> Tabs:
    """A tab for each name, with its label."""
    return Tabs(*(Tab(label, id=name) for name, label in labels.items()), id="tabs")


async def open_workspace(body: Widget, templates: Sequence[Template]) -> None:
    """Mount the left column (table and details) and the right one (a pane for each tab) in `body`.

    One pane at a time: keys are heard between two of them, and styling them all at once takes 60 ms.
    """
    left, right = Vertical(id="left"), ContentSwitcher(id="right")
    await body.mount(left, right)
    await left.mount(TokenPane(id="tokens-pane"))
    await left.mount(DetailPane(id="detail-pane"))
    await right.add_content(RepeatBackPane(templates, id="repeat-pane"), set_current=True)
    await right.add_content(LogprobsPane(templates, id="logprobs-pane"))
    await right.add_content(NeighboursPane(id="neighbours-pane"))
    await right.add_content(SessionPane(id="session-pane"))
    await right.add_content(VerdictsPane(id="verdicts-pane"))
    await right.add_content(SpeakingPane(id="speaking-pane"))
