"""What can be chosen in the Neighbours pane, and the `FindNeighbours` that the choices make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Label

from explorer.base.indicator_names import with_labels
from explorer.base.records.neighbours import FindNeighbours, Metric, Space
from explorer.base.records.tokens import INDICATORS
from explorer.specs import neighbours
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.messages import Selection
from explorer.tui.widgets.option_line import Choice, Field, FormError

MOST = 200
"""Neighbours asked for at most: more points than this are no longer a picture."""


ALONE = "no other model"


class NeighbourForm(Guarded, Vertical):
    """How near is measured, between which vectors, how many are asked for, and what colours them."""

    DEFAULT_CSS = """
    NeighbourForm {
        height: auto;
        & Horizontal { height: 1; }
        & Label { color: $text-muted; margin: 0 1 0 0; }
        & #metric { width: 13; margin: 0 1 0 0; }
        & #space { width: 10; margin: 0 1 0 0; }
        & #k { width: 4; margin: 0 1 0 0; }
        & #colour { width: 1fr; }
        & #in-both { display: none; }
        & #other { width: 1fr; max-width: 40; }
    }
    """

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label("metric")
            yield Choice(("cosine", "euclidean", "dot"), value="cosine", id="metric")
            yield Label("in")
            yield Choice(("input", "output"), value="input", id="space")
            yield Label("k")
            yield Field("20", restrict="[0-9]{0,3}", id="k")
            yield Label("colour")
            yield Choice(tuple(INDICATORS), value=neighbours.USUAL_COLOUR, label=with_labels, id="colour")
        with Horizontal(id="in-both"):
            yield Label("beside those in")
            yield Choice((ALONE,), value=ALONE, id="other")

    def offer(self, old: Selection, new: Selection, *, is_empty: bool) -> None:
        """Offer what the selection has: other models, and the token's indicators while nothing is shown."""
        if (new.roster, new.model) != (old.roster, old.model):
            self._offer_models(new)
        if is_empty and new.token is not None:
            self.offer_colours([name for name in INDICATORS if name in new.token.indicators])

    def _offer_models(self, selection: Selection) -> None:
        names = selection.others_with_weights
        other = self.query_one("#other", Choice)
        other.set_names((ALONE, *names))
        self.query_one("#in-both").display = bool(names)

    def request(self, selection: Selection) -> FindNeighbours:
        """The question that the options describe. Raises `FormError` where they describe none."""
        model, token = selection.model, selection.token
        k = self.query_one("#k", Field).value
        if model is None or token is None:
            raise FormError("No token is selected: choose one in the token table.")
        if not k or not 1 <= int(k) <= MOST:
            raise FormError(f"k must be a whole number from 1 to {MOST}.")
        return FindNeighbours(
            model=model.name,
            token_id=token.token_id,
            k=int(k),
            metric=cast(Metric, self.query_one("#metric", Choice).chosen),
            space=cast(Space, self.query_one("#space", Choice).chosen),
            colour=self.colour if self.colour in INDICATORS else "",
            other="" if (other := self.query_one("#other", Choice).chosen) == ALONE else other,
        )

    def show_request(self, request: FindNeighbours) -> None:
        """Show in the options how `request` was asked, but for the colour."""
        self.query_one("#metric", Choice).choose(request.metric)
        self.query_one("#space", Choice).choose(request.space)
        self.query_one("#k", Field).value = str(request.k)
        other = self.query_one("#other", Choice)
        if request.other:  # a model that may be gone
            other.set_names(tuple(dict.fromkeys((*other.names, request.other))))
            self.query_one("#in-both").display = True
        other.choose(request.other or ALONE)

    @property
    def colour(self) -> str:
        """The indicator chosen to colour by; `none` where there is none."""
        return self.query_one("#colour", Choice).chosen

    def offer_colours(self, names: Sequence[str]) -> None:
        """Offer these indicators."""
        self.query_one("#colour", Choice).set_names(tuple(names) or ("none",))

    def choose_colour(self, name: str) -> None:
        """Show an indicator as chosen; an empty name is none."""
        self.query_one("#colour", Choice).choose(name or "none")
