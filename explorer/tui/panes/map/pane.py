"""The Map pane: the whole vocabulary on a plane."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import Select

from explorer.base.pace import count_words
from explorer.base.records.maps import MapView, PlacePoints, ReadMap, ViewMap, VocabularyMap
from explorer.base.records.record import Failure, Progress
from explorer.base.records.unions import AnyPart, AnyRequest, Cancelled, Step
from explorer.tui.panes.base import Pane, Showing, failure_text
from explorer.tui.panes.map.acts import act_on
from explorer.tui.panes.map.body import MapBody
from explorer.tui.panes.map.canvas import ActWanted, CrossMoved
from explorer.tui.panes.map.exporting import takeaway_of
from explorer.tui.panes.map.form import MapForm
from explorer.tui.panes.map.keeper import MapKeeper
from explorer.tui.panes.map.plots import MapPlots
from explorer.tui.panes.map.plots_view import PlotsView
from explorer.tui.panes.takeaway import Takeaway
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.messages import Selection, TokenPointedAt, ViewSettled
from explorer.tui.widgets.option_line import FormError
from explorer.tui.widgets.soon import Rest

SETTLE_PAUSE = 1.5
"""Seconds that a window must stand before it is recorded."""
REST_PAUSE = 0.3
"""Seconds that the cross must rest before the token table follows."""


class MapPane(Pane):
    """Asks `ReadMap`, and records `ViewMap` steps of the windows that stand."""

    content: ClassVar[str] = "#map-canvas, #map-plots"
    DEFAULT_CSS = """
    MapPane { height: 1fr; layout: vertical; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._form = MapForm(id="map-form")
        self._body = MapBody(id="map-body")
        self.canvas = self._body.canvas
        self.canvas.when_drawn = self._tell
        self._keeper = MapKeeper(self._body)
        self._plots = MapPlots(self, self._body, self._keeper)
        self._settling = Rest(self, SETTLE_PAUSE, partial(run_guarded, self, self._settle))
        self._pointing = Rest(self, REST_PAUSE, self._point)

    def compose(self) -> ComposeResult:
        yield self._form
        yield self._body

    def on_mount(self) -> None:
        self.watch_selection(Selection(), self.selection)

    # ── asking ──

    def run_default(self) -> None:
        """Read the map as the form stands."""
        try:
            self.ask(self._form.first_request(self.selection), record=False)
        except FormError as error:
            self._body.say(str(error), problem=True)

    @on(Select.Changed)
    def read_again(self, event: Select.Changed) -> None:
        """Another plane or colour, once there is a map."""
        if self._keeper.made is not None:
            self.run_default()

    # ── showing ──

    def show_asked(self, request: AnyRequest) -> None:
        if isinstance(request, ReadMap):
            self._body.say(f"mapping {request.model}… esc cancels")

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        if isinstance(part, Progress):
            self._body.say(f"{count_words(part)}; esc cancels")

    def show(self, step: Step) -> None:
        """A whole map, or a recorded view; in their place what went wrong (an earlier map stays below)."""
        match step.request, step.outcome:
            case ReadMap() as request, VocabularyMap() as found:
                run_guarded(self, partial(self._keeper.take, request, found, self.selection))
                if (following := self._form.next_request(self.selection, request)) is not None:
                    self.ask(following, record=False)
            case PlacePoints() as request, outcome:
                self._keeper.take_points(request, outcome, self.selection)
            case ViewMap() as request, MapView() as found:
                self._keeper.show_recorded(request, found)
                self._plots.follow_replay()
            case _, Failure() as failure:
                self._body.say(failure_text(failure), problem=True)
            case _, Cancelled():
                self._body.say("cancelled; M asks again, and goes on with a layout where it stopped")

    def overhear(self, step: Step) -> None:
        self._plots.hear(step)

    def clear(self) -> None:
        self._keeper.clear()
        self._plots.clear()

    def forget_model(self, name: str) -> None:
        self._keeper.forget(name)
        self._plots.forget(name)

    def restore(self, showing: Showing) -> None:
        request = showing.steps[-1].request
        if isinstance(request, ViewMap):
            self._form.show_request(request)

    def watch_selection(self, old: Selection, new: Selection) -> None:
        if self.is_mounted:
            self._form.offer(old, new)
            self._keeper.follow(old, new)
            self._plots.name_anew()

    def takeaway(self) -> Takeaway | None:
        return self._plots.takeaway() or takeaway_of(self._keeper, self.selection)

    @on(CrossMoved)
    def follow_cross(self, event: CrossMoved) -> None:
        """Say what is at the cross; the token table follows once it rests, and the session once the window does."""
        event.stop()
        self._tell()
        if event.by_hand and self.canvas.aim.shape is None:
            self._pointing.ask()

    @on(ActWanted)
    def act(self, event: ActWanted) -> None:
        """Plot, go to a token, filter, or mark."""
        event.stop()
        made = self._keeper.made
        if event.what == "plots":
            self._plots.open()
        elif made is not None and event.what == "colour":
            self._form.turn_colour()
        elif made is not None:
            for message in act_on(event.what, made, self.canvas, self.selection, self._keeper.walked):
                self.post_message(message)

    @on(PlotsView.Wanted)
    def act_on_plots(self, event: PlotsView.Wanted) -> None:
        """Filter or mark by the line, or go back to the map."""
        event.stop()
        self._plots.act(event.what)

    def _tell(self) -> None:
        """Say what is at the cross, and see whether the window stands."""
        token = self.selection.token
        self._body.tell(self._keeper.made, token.token_id if token is not None else None)
        self._settling.ask()

    def _point(self) -> None:
        """Take the table's cursor to the token at the cross."""
        token_id = self.canvas.nearest()
        if self._keeper.made is not None and token_id is not None:
            self.post_message(TokenPointedAt(self._keeper.made.found.model, token_id))

    async def _settle(self) -> None:
        """The window has stood: it belongs in the session."""
        if (news := await self._keeper.news(self.selection)) is not None:
            self.post_message(ViewSettled(*news))
