"""What can be chosen in the Speakability pane, and the `ProveSpeakability` requests that the choices make."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Label

from explorer.base.records.speakability import ProveSpeakability, SpeakabilityMode
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.messages import Selection
from explorer.tui.widgets.option_line import Choice, FormError

WHICH = ("selected", "marked", "hard ones", "all tokens")
MODES: tuple[SpeakabilityMode, ...] = ("ball", "box", "cone", "own_direction")
EVERY = "every mode"
LISTED = 200
"""Tokens that the result of a run over many lists."""


class SpeakForm(Guarded, Widget):
    """Which tokens, in which modes, about which numbers."""

    DEFAULT_CSS = """
    SpeakForm {
        height: 2;
        layout: vertical;
        & .options { height: 1; & > Label { color: $text-muted; margin: 0 1 0 0; } }
        & #which { width: 15; margin: 0 1 0 0; }
        & #mode { width: 18; margin: 0 1 0 0; }
        & #bias { width: 14; margin: 0 1 0 0; }
        & #weights { width: 12; margin: 0 1 0 0; }
        & #angle { width: 18; }
    }
    """

    def compose(self) -> ComposeResult:
        with Horizontal(classes="options"):
            yield Label("prove")
            yield Choice(WHICH, value=WHICH[0], id="which")
            yield Label("in")
            yield Choice((EVERY, *MODES), value=EVERY, id="mode")
        with Horizontal(classes="options"):
            yield Choice(("with bias", "no bias"), value="with bias", id="bias")
            yield Choice(("folded", "raw"), value="folded", id="weights")
            yield Choice(("no solid angle", "solid angle"), value="no solid angle", id="angle")

    def choose_all(self) -> None:
        """All tokens, whatever was chosen."""
        self.query_one("#which", Choice).choose(WHICH[-1])

    def requests(self, selection: Selection) -> list[ProveSpeakability]:
        """One for each mode; 'every mode' of a whole vocabulary is the ball. Raises `FormError` where there is none."""
        model, token, which = selection.model, selection.token, self.query_one("#which", Choice).chosen
        if model is None or token is None:
            raise FormError("No token is selected: choose one in the token table.")
        if which == "marked" and not selection.marked:
            raise FormError("No token is marked: mark some with space.")
        named = {"selected": (token.token_id,), "marked": tuple(sorted(selection.marked))}.get(which)
        chosen = self.query_one("#mode", Choice).chosen
        modes = [mode for mode in MODES if chosen in (mode, EVERY)]
        if chosen == EVERY and named is None:
            modes = ["ball"]
        return [self._request(model.name, mode, named, hard=which == "hard ones") for mode in modes]

    def _request(
        self, model: str, mode: SpeakabilityMode, named: tuple[int, ...] | None, *, hard: bool
    ) -> ProveSpeakability:
        wants_angle = self.query_one("#angle", Choice).chosen == "solid angle"
        return ProveSpeakability(
            model=model,
            mode=mode,
            token_ids=named,
            hard=hard,
            bias=self.query_one("#bias", Choice).chosen == "with bias" and mode != "cone",
            folded=self.query_one("#weights", Choice).chosen == "folded",
            solid_angle=wants_angle and mode != "own_direction" and named is not None,
            rows=LISTED if named is None else len(named),
        )

    def set_form(self, request: ProveSpeakability, press: Sequence[ProveSpeakability]) -> None:
        """Show in the options how `request` was asked, one of those that a `press` of the key sent."""
        modes = {each.mode for each in press}
        # What one mode has none of, the others tell: the cone no bias, the own direction no solid angle.
        bias = any(each.bias for each in press)
        angle = any(each.solid_angle for each in press)
        named = "selected" if request.token_ids is not None and len(request.token_ids) == 1 else "marked"
        which = named if request.token_ids is not None else "hard ones" if request.hard else "all tokens"
        self.query_one("#which", Choice).choose(which)
        self.query_one("#mode", Choice).choose(EVERY if modes.issuperset(MODES) else request.mode)
        self.query_one("#bias", Choice).choose("with bias" if bias else "no bias")
        self.query_one("#weights", Choice).choose("folded" if request.folded else "raw")
        self.query_one("#angle", Choice).choose("solid angle" if angle else "no solid angle")
