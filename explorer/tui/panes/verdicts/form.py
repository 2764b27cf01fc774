"""What can be chosen in the Verdicts pane, and the `Verify` that the choices make."""

from __future__ import annotations

from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Label, Select

from explorer.base.indicator_names import with_labels
from explorer.base.records.tokens import TokenRow
from explorer.base.records.verification import VerificationResult, Verify
from explorer.specs.verification import CONTROLS
from explorer.tables.filter_terms import FilterError
from explorer.tables.filters import parse_filter
from explorer.tables.verdicts import AGREEMENTS, Agreement
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.messages import Selection
from explorer.tui.widgets.option_line import Choice, Field, FormError

WHICH = ("suspicious %", "marked", "selected", "all tokens", "random")
SETS: dict[str, tuple[str, ...]] = {
    "usual ones": (),
    "quick ones": ("glitchminer", "substring", "geometric"),
    "geometric": ("geometric",),
    "magikarp": ("magikarp",),
    "sampled": ("sampled",),
    "plain": ("plain",),
    "speakability": ("speakability",),
    "all of them": ("all",),
}
"""Definitions that are asked, by the name of the choice."""
OTHER = "as asked"
"""The choice that stands for definitions that a headless run named."""
CHATS = ("chat template", "plain")
"""Whether prompts are put into the model's chat template, where it has one."""
VIEWS = ("matrix", "definitions", "curves")
NUMBERS = {"suspicious %": "2", "random": "300"}
"""The number that a choice needs, as it is offered first."""
ROWS = 200
"""Tokens that a recorded result lists."""


class VerdictForm(Guarded, Widget):
    """What is tested and by which definitions; and what of it is shown."""

    DEFAULT_CSS = """
    VerdictForm {
        height: 3;
        layout: vertical;
        & .options { height: 1; & > Label { color: $text-muted; margin: 0 1 0 0; } }
        & #which { width: 17; margin: 0 1 0 0; }
        & #percent { width: 5; margin: 0 1 0 0; }
        & #definitions { width: 17; }
        & #where { width: 1fr; margin: 0 1 0 0; }
        & #chat { width: 18; }
        & #view { width: 16; margin: 0 1 0 0; }
        & #agreement { width: 14; margin: 0 1 0 0; }
        & #indicator { width: 1fr; display: none; }
        &.-curves #indicator { display: block; }
        &.-curves #agreement { display: none; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._numbers, self._numbered = dict(NUMBERS), WHICH[0]

    def compose(self) -> ComposeResult:
        with Horizontal(classes="options"):
            yield Label("test")
            yield Choice(WHICH, value=WHICH[0], id="which")
            yield Field(NUMBERS[WHICH[0]], restrict=r"[0-9.]{0,5}", id="percent")
            yield Label("by")
            yield Choice((*SETS, OTHER), value="usual ones", id="definitions")
        with Horizontal(classes="options"):
            yield Label("where")
            yield Field(placeholder="every token; or len:>3 -cat:special …", id="where")
            yield Choice(CHATS, value=CHATS[0], id="chat")
        with Horizontal(classes="options"):
            yield Label("show")
            yield Choice(VIEWS, value="matrix", id="view")
            yield Choice(AGREEMENTS, value="called", id="agreement")
            yield Choice(("input_norm",), value="input_norm", label=with_labels, id="indicator")

    @property
    def shown(self) -> str:
        """Which of the views is chosen."""
        return self.query_one("#view", Choice).chosen

    @property
    def agreement(self) -> Agreement:
        """Which tokens the matrix lists."""
        return cast(Agreement, self.query_one("#agreement", Choice).chosen)

    @property
    def indicator(self) -> str:
        """What the curves are of."""
        return self.query_one("#indicator", Choice).chosen

    def offer_indicators(self, result: VerificationResult) -> None:
        """Offer curves of the indicators that a result has."""
        names = tuple(dict.fromkeys(score.indicator for score in result.indicators))
        self.query_one("#indicator", Choice).set_names(names or ("none",))

    @on(Select.Changed, "#which")
    def _offer_number(self) -> None:
        """A share is no number of tokens: each choice has its own."""
        which, field = self.query_one("#which", Choice).chosen, self.query_one("#percent", Field)
        if which in self._numbers and which != self._numbered:
            self._numbers[self._numbered] = field.value
            self._numbered, field.value = which, self._numbers[which]

    @on(Select.Changed, "#view")
    def _offer_what_serves(self) -> None:
        self.set_class(self.shown == "curves", "-curves")

    def request(self, selection: Selection, as_asked: tuple[str, ...]) -> Verify:
        """The sweep that the options describe; `as_asked`: definitions that a headless run named.

        Raises `FormError` where they describe none.
        """
        model, token = selection.model, selection.token
        which, percent = self.query_one("#which", Choice).chosen, self.query_one("#percent", Field).value
        if model is None or token is None:
            raise FormError("No token is selected: choose one in the token table.")
        if which == "marked" and not selection.marked:
            raise FormError("No token is marked: mark some with space.")
        if which == WHICH[0] and not _is_percent(percent):
            raise FormError("The share must be a number above 0 and at most 100.")
        if which == "random" and not (percent.isdecimal() and int(percent) > 0):
            raise FormError("How many tokens are drawn at random must be a whole number above 0.")
        named = {"selected": (token.token_id,), "marked": tuple(sorted(selection.marked))}.get(which)
        return Verify(
            model=model.name,
            token_ids=named,
            top_percent=float(percent) if which == WHICH[0] else None,
            where="" if named is not None else self._where(token),
            random=int(percent) if which == "random" else 0,
            definitions=SETS.get(self.query_one("#definitions", Choice).chosen, as_asked),
            chat="never" if self.query_one("#chat", Choice).chosen == "plain" else "auto",
            rows=ROWS,
            controls=CONTROLS,
            cascade=True,
        )

    def _where(self, token: TokenRow) -> str:
        """The filter, which the engine could read. Raises `FormError` where not."""
        where = self.query_one("#where", Field).value.strip()
        try:
            parse_filter(where, token.indicators)
        except FilterError as error:
            raise FormError(f"where: {error}") from error
        return where

    def set_form(self, request: Verify) -> None:
        """Show in the options how `request` was asked."""
        which = WHICH[0] if request.top_percent is not None else "random" if request.random else "all tokens"
        if request.token_ids is not None:
            which = "selected" if len(request.token_ids) == 1 else "marked"
        with self.prevent(Select.Changed):
            self.query_one("#which", Choice).choose(which)
        self._numbered = which if which in self._numbers else self._numbered
        if request.top_percent is not None:
            self.query_one("#percent", Field).value = f"{request.top_percent:g}"
        elif request.random:
            self.query_one("#percent", Field).value = str(request.random)
        if request.token_ids is None:
            self.query_one("#where", Field).value = request.where
        self.query_one("#chat", Choice).choose("plain" if request.chat == "never" else CHATS[0])
        named = next((name for name, names in SETS.items() if names == request.definitions), OTHER)
        self.query_one("#definitions", Choice).choose(named)


def _is_percent(text: str) -> bool:
    try:
        return 0 < float(text) <= 100
    except ValueError:
        return False
