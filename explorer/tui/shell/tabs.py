"""The tabs of the screen, in one place: labels, keys, commands, help and README all come from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from explorer.specs.registry import REGISTRY
from explorer.specs.spec import Tab

SESSION = Tab(
    name="session",
    title="Session",
    pane="explorer.tui.panes.session.pane:SessionPane",
    help="Every step of the session so far.",
    number=5,
)
"""The one tab that belongs to no verb."""

_NOT_IN_THE_REGISTRY_YET = (
    Tab(
        name="tokens",
        title="Tokens",
        pane="explorer.tui.panes.tokens.pane:TokenPane",
        help="The vocabulary of a model, sorted and filtered.",
        side="left",
        number=1,
    ),
    Tab(
        name="detail",
        title="Token",
        pane="explorer.tui.panes.detail.pane:DetailPane",
        help="Everything known of the selected token.",
        side="left",
    ),
    Tab(
        name="repeat",
        title="Repeat",
        pane="explorer.tui.panes.repeat_back.pane:RepeatBackPane",
        help="What models say when they are asked to repeat the token.",
        number=2,
        key="r",
        command="repeat",
        command_title="repeat",
        command_help="Ask the loaded models to repeat the token back.",
    ),
    Tab(
        name="logprobs",
        title="Logprobs",
        pane="explorer.tui.panes.logprobs.pane:LogprobsPane",
        help="Next-token log-probabilities across the loaded models.",
        number=3,
        key="l",
        command="logprobs",
        command_title="logprobs",
        command_help="Next-token log-probabilities across the loaded models.",
    ),
    Tab(
        name="verdicts",
        title="Verdicts",
        pane="explorer.tui.panes.verdicts.pane:VerdictsPane",
        help="Which tokens are glitch tokens, by every definition.",
        number=6,
        key="v",
        command="verify",
        command_title="verify",
        command_help="Test tokens by every definition of a glitch token.",
    ),
    Tab(
        name="speakability",
        title="Speakability",
        pane="explorer.tui.panes.speakability.pane:SpeakingPane",
        help="Which tokens can be the argmax of the logits, with proof.",
        number=7,
        key="c",
        command="prove",
        command_title="prove",
        command_help="Prove whether tokens are speakable or unspeakable.",
    ),
)


def known_tabs() -> tuple[Tab, ...]:
    """Every tab, by number; those without a number behind."""
    tabs = {tab.name: tab for tab in (*_NOT_IN_THE_REGISTRY_YET, SESSION, *REGISTRY.tabs())}
    return in_order(tabs.values())


def in_order(tabs: Iterable[Tab]) -> tuple[Tab, ...]:
    """The tabs by number, those without a number behind."""
    return tuple(sorted(tabs, key=lambda tab: tab.number or 1_000))


def tab_labels(tabs: Iterable[Tab]) -> Mapping[str, str]:
    """What stands in the row of tabs, by name: '1 Tokens'. A pane of the left column without a number has no tab."""
    return {
        tab.name: f"{tab.number} {tab.title}" if tab.number else tab.title
        for tab in tabs
        if tab.number or tab.side == "right"
    }
