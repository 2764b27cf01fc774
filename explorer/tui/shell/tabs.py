"""The tabs of the screen, in one place: labels, keys, commands, help and README all come from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from explorer.specs.registry import REGISTRY
from explorer.specs.spec import Tab

_NOT_IN_THE_REGISTRY_YET = (
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


_TAB_OF = {
    **dict.fromkeys(("Verify", "ReadVerdicts", "ReadEvidence"), "verdicts"),
    **dict.fromkeys(("ProveSpeakability", "ReadCertificates", "CheckCertificates"), "speakability"),
}


def known_tabs() -> tuple[Tab, ...]:
    """Every tab, by number; those without a number behind."""
    tabs = {tab.name: tab for tab in (*_NOT_IN_THE_REGISTRY_YET, *REGISTRY.tabs())}
    return tuple(sorted(tabs.values(), key=lambda tab: tab.number or 1_000))


def tab_name_of(kind: str) -> str:
    """The name of the tab that shows requests of this class name; empty: none does."""
    spec = REGISTRY.of_kind(kind)
    if spec is None:
        return _TAB_OF.get(kind, "")
    return spec.tab.name if spec.tab is not None else ""


def tab_labels(tabs: Iterable[Tab]) -> Mapping[str, str]:
    """What stands in the row of tabs, by name: '1 Tokens'. A pane of the left column without a number has no tab."""
    return {
        tab.name: f"{tab.number} {tab.title}" if tab.number else tab.title
        for tab in tabs
        if tab.number or tab.side == "right"
    }
