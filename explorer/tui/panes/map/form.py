"""What can be chosen in the Map pane, and the `ReadMap` that the choices make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Label, Select

from explorer.base.indicator_names import with_labels
from explorer.base.records.map_colours import CLASSINGS
from explorer.base.records.maps import COMPONENT_AXES, PAIR_AXES, PLANES, ReadMap, ViewMap
from explorer.base.records.neighbours import Space
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.messages import Selection
from explorer.tui.widgets.option_line import Choice, FormError

PROPOSED, TWO_AXES, NO_COLOUR, ALONE = "proposed", "two axes", "default", "this model"


class MapForm(Guarded, Horizontal):
    """Plane, or its two axes, the colour, and whose rows."""

    DEFAULT_CSS = """
    MapForm {
        height: 1;
        & > Label { color: $text-muted; margin: 0 1 0 0; }
        & #plane { width: 14; margin: 0 1 0 0; }
        & #x-axis, & #y-axis { width: 1fr; max-width: 26; margin: 0 1 0 0; display: none; }
        & #colour { width: 1fr; max-width: 30; margin: 0 1 0 0; }
        & #space { width: 10; }
        & #other { width: 1fr; max-width: 24; margin: 0 0 0 1; display: none; }
    }
    """

    def compose(self) -> ComposeResult:
        axes = list(COMPONENT_AXES)
        yield Label("plane")
        yield Choice((PROPOSED, *PLANES, TWO_AXES), value=PROPOSED, id="plane")
        yield Choice(axes, value=axes[0], label=with_labels, id="x-axis")
        yield Choice(axes, value=axes[1], label=with_labels, id="y-axis")
        yield Label("colour")
        yield Choice((NO_COLOUR,), value=NO_COLOUR, label=with_labels, id="colour")
        yield Choice(("input", "output"), value="input", id="space")
        yield Choice((ALONE,), value=ALONE, id="other")

    def offer(self, old: Selection, new: Selection) -> None:
        """Offer what the selection has now: other models, and the indicators of the shown one."""
        if (new.roster, new.model) != (old.roster, old.model):
            others = new.others_with_weights
            other = self.query_one("#other", Choice)
            other.set_names((ALONE, *others))
            other.display = bool(others)
        if new.columns is not None and new.columns is not old.columns:
            self._offer_axes(tuple(new.columns.indicators))

    def _offer_axes(self, indicators: Sequence[str]) -> None:
        axes = (*indicators, *COMPONENT_AXES)
        for name, names in (("#x-axis", axes), ("#y-axis", axes), ("#colour", (NO_COLOUR, *CLASSINGS, *axes))):
            self.query_one(name, Choice).set_names(names)

    def request(self, selection: Selection) -> ReadMap:
        """What the choices ask of the shown model; raises `FormError`."""
        if selection.model is None:
            raise FormError("No vocabulary is shown: press m to load a model.")
        plane = self.query_one("#plane", Choice).chosen
        axes = f"{self.query_one('#x-axis', Choice).chosen},{self.query_one('#y-axis', Choice).chosen}"
        colour = self.query_one("#colour", Choice).chosen
        default = selection.columns.default_indicator if selection.columns is not None else ""
        other = self.query_one("#other", Choice).chosen
        chosen = axes if plane == TWO_AXES else "" if plane == PROPOSED else plane
        if other != ALONE:
            chosen = self.query_one("#x-axis", Choice).chosen
        return ReadMap(
            model=selection.model.name,
            plane=chosen,
            other="" if other == ALONE else other,
            space=cast(Space, self.query_one("#space", Choice).chosen),
            token_id=selection.token.token_id if plane == "radial" and selection.token is not None else None,
            colour=default if colour == NO_COLOUR else colour,
            unused_ids=None,
        )

    def first_request(self, selection: Selection) -> ReadMap:
        """What to ask first: every token's neighbours take a while, and the landmarks from which they start are a
        picture before that."""
        asked = self.request(selection)
        return msgspec.structs.replace(asked, plane="landmarks") if asked.plane == "neighbours" else asked

    def next_request(self, selection: Selection, answered: ReadMap) -> ReadMap | None:
        """What to ask once that is answered; None: nothing, or another map is wanted by now."""
        asked = self.request(selection)
        is_start = asked.plane == "neighbours" and answered == self.first_request(selection)
        return asked if is_start else None

    def turn_colour(self) -> None:
        """Choose the next of the default colour and the classes."""
        colour = self.query_one("#colour", Choice)
        turn = (NO_COLOUR, *CLASSINGS)
        colour.value = turn[(turn.index(colour.chosen) + 1) % len(turn)] if colour.chosen in turn else turn[1]

    def show_request(self, request: ViewMap) -> None:
        """Hold what `request` asked with."""
        plane, axes = self.query_one("#plane", Choice), request.plane.split(",")
        if len(axes) == 2:
            for name, axis in zip(("#x-axis", "#y-axis"), axes, strict=True):
                self._choose(name, axis)
        plane.choose(TWO_AXES if len(axes) == 2 else request.plane if request.plane in plane.names else PROPOSED)
        self.query_one("#space", Choice).choose(request.space)
        if request.colour:
            self._choose("#colour", request.colour)
        if request.other:
            self._choose("#other", request.other)
            self._choose("#x-axis", request.plane)
        self._show_axes()

    def _choose(self, selector: str, name: str) -> None:
        """Choose what may not be offered: another model may be gone."""
        choice = self.query_one(selector, Choice)
        choice.set_names(tuple(dict.fromkeys((*choice.names, name))))
        choice.choose(name)

    @on(Select.Changed, "#plane,#other")
    def _show_axes(self) -> None:
        against = self.query_one("#other", Choice).chosen != ALONE
        two = self.query_one("#plane", Choice).chosen == TWO_AXES
        across = self.query_one("#x-axis", Choice)
        across.set_names((*(name for name in across.names if name not in PAIR_AXES), *(PAIR_AXES if against else ())))
        self.query_one("#plane").display = not against
        self.query_one("#x-axis").display = two or against
        self.query_one("#y-axis").display = two and not against
