"""The Neighbours pane: the nearest tokens of the selected one, as a list and as a plot."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Select

from explorer.base.pace import count_words
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.record import Failure, Progress
from explorer.base.records.unions import AnyPart, AnyRequest, Cancelled, Step
from explorer.specs import neighbours
from explorer.tui.panes.base import Pane, Showing, failure_text
from explorer.tui.panes.neighbours import view
from explorer.tui.panes.neighbours.body import HINT, NeighbourBody
from explorer.tui.panes.neighbours.form import NeighbourForm
from explorer.tui.panes.neighbours.seen import SeenNeighbourhoods
from explorer.tui.panes.takeaway import Takeaway, of_outcomes
from explorer.tui.shell.messages import Selection, ViewSettled
from explorer.tui.shell.replayed import hint_at
from explorer.tui.widgets.heading import Heading
from explorer.tui.widgets.option_line import FormError, Submitted

SETTLE_PAUSE = 0.6
"""Seconds that a colour must stand before it is recorded."""


class NeighboursPane(Pane):
    """Shows `Neighbourhood` records; asks `FindNeighbours` of the selected token."""

    content: ClassVar[str] = "#neighbour-list"
    DEFAULT_CSS = """
    NeighboursPane {
        height: 1fr;
        layout: vertical;
        padding: 0 1;
        & #neighbour-heading { height: auto; min-height: 1; max-height: 3; text-overflow: ellipsis; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._record: Neighbourhood | None = None
        self._request: FindNeighbours | None = None
        """How `_record` was asked for, with the colour that the session knows of."""
        self._seen = SeenNeighbourhoods()
        self._settling: Timer | None = None
        self._form = NeighbourForm(id="neighbour-options")
        self._heading = Heading(id="neighbour-heading")
        self._body = NeighbourBody(id="neighbour-body")

    def compose(self) -> ComposeResult:
        yield self._form
        yield self._heading
        yield self._body

    # ── asking ──

    def run_default(self) -> None:
        """Ask for the neighbours of the selected token, with the options as they stand."""
        try:
            request = self._form.request(self.selection)
        except FormError as error:
            self._heading.say(str(error), problem=True)
        else:
            self.ask(request)

    @on(Submitted)
    def run_as_set(self, event: Submitted) -> None:
        """Enter in a text field asks."""
        event.stop()
        self.run_default()

    # ── showing ──

    def show_asked(self, request: AnyRequest) -> None:
        if isinstance(request, FindNeighbours):
            self._heading.say(f"asking for {request.k} neighbours of token {request.token_id}… esc cancels")

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        if isinstance(part, Progress):
            self._heading.say(f"{count_words(part)}; esc cancels")

    def show(self, step: Step) -> None:
        """The neighbourhood, or in its place what went wrong (an earlier one stays below)."""
        request, outcome = step.request, step.outcome
        if isinstance(outcome, Neighbourhood) and isinstance(request, FindNeighbours):
            if outcome is self._record and request == self._request:  # the session has the new colour of what is shown
                return
            if self._request is not None:
                self._seen.leave((self._request.model, self._request.token_id), self._body.cursor)
            place = request.model, request.token_id
            self._record, self._request = outcome, request
            self._seen.keep(step, place)
            self._form.offer_colours(neighbours.colours(outcome))
            self._form.choose_colour(neighbours.colour_of(request, outcome))
            self._show_record(cursor=self._seen.row_of(place))
        elif isinstance(outcome, Failure):
            self._heading.say(failure_text(outcome), problem=True)
        elif isinstance(outcome, Cancelled):
            self._heading.say("cancelled; n asks again")

    def forget_model(self, name: str) -> None:
        self._seen.forget_model(name)

    def clear(self) -> None:
        self._seen.clear()
        self._record = self._request = None
        self._heading.say("")
        self._body.clear()

    def takeaway(self) -> Takeaway | None:
        if self._record is None or self._request is None:
            return None
        found = [(self._request, self._record)]
        return of_outcomes("the neighbours of a token", found, is_list=True, plot=self._body.plot)

    def restore(self, showing: Showing) -> None:
        request = showing.steps[-1].request
        if isinstance(request, FindNeighbours):
            self._form.show_request(request)

    def watch_selection(self, old: Selection, new: Selection) -> None:
        """Show again what is known of the token; before anything is shown, offer the indicators that it has."""
        if new.token is not None and new.model is not None and (new.model, new.token) != (old.model, old.token):
            known = self._seen.step_of((new.model.name, new.token.token_id))
            if known is not None and known.outcome is not self._record:
                self.show(known)
        if self.is_mounted and new.loading != old.loading:
            self._body.say_when_empty(new.loading or hint_at(self, HINT))
        if self.is_mounted:
            self._form.offer(old, new, is_empty=self._record is None)

    def _show_record(self, cursor: int | None = None) -> None:
        if self._record is not None and self._request is not None:
            self._heading.update(view.heading(self._record))
            self._body.show(self._request, self._record, self._form.colour, cursor=cursor)

    # ── acting ──

    @on(Select.Changed, "#colour")
    def recolour(self, event: Select.Changed) -> None:
        """Another indicator colours list and plot; nothing is asked, and the session has the colour that stays."""
        self._show_record()
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE_PAUSE, self._settle_colour)

    def _settle_colour(self) -> None:
        if self._record is None or self._request is None:
            return
        if self._form.colour != (neighbours.colour_of(self._request, self._record) or "none"):
            self._request = msgspec.structs.replace(self._request, colour=self._form.colour)
            self.post_message(ViewSettled(self._request, self._record))
