"""The panes themselves: everything that needs NumPy or a large import, mounted after the first paint."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from explorer.templates import Template
from explorer.tui.panes.detail import DetailPane
from explorer.tui.panes.logprobs import LogprobsPane
from explorer.tui.panes.neighbours import NeighboursPane
from explorer.tui.panes.repeat_back import RepeatBackPane
from explorer.tui.panes.session import SessionPane
from explorer.tui.panes.speaking import SpeakingPane
from explorer.tui.panes.tokens import TokenPane
from explorer.tui.panes.verdicts import VerdictsPane


def columns(templates: Sequence[Template]) -> tuple[Widget, Widget]:
    """The left column (table and details) and the right one (a pane for each tab)."""
    left = Vertical(TokenPane(id="tokens-pane"), DetailPane(id="detail-pane"), id="left")
    right = ContentSwitcher(
        RepeatBackPane(templates, id="repeat-pane"),
        LogprobsPane(templates, id="logprobs-pane"),
        NeighboursPane(id="neighbours-pane"),
        SessionPane(id="session-pane"),
        VerdictsPane(id="verdicts-pane"),
        SpeakingPane(id="speaking-pane"),
        id="right",
        initial="repeat-pane",
    )
    return left, right
