"""The Neighbours pane: the nearest tokens of the selected one, as a list and as a plot."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Select, Static

from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.record import Failure
from explorer.base.records.tokens import INDICATORS
from explorer.base.records.unions import AnyRequest, Cancelled, Step
from explorer.base.text import visible
from explorer.specs import neighbours
from explorer.tui.panes.base import Pane, Showing, failure_text
from explorer.tui.panes.neighbours import view
from explorer.tui.panes.neighbours.form import NeighbourForm
from explorer.tui.shell.messages import NeighbourOpened, Selection, ViewSettled
from explorer.tui.widgets.option_line import FormError, Submitted
from explorer.tui.widgets.plot import PlotView
from explorer.tui.widgets.row_list import RowList

SETTLE_PAUSE = 0.6
"""Seconds that a colour must stand before it is recorded."""
_BESIDE_FROM = 96
"""Cells of width from which the list stands beside the plot."""
_HINT = "Select a token and press n: its nearest neighbours, listed and plotted."


class NeighboursPane(Pane):
    """Shows `Neighbourhood` records; asks `FindNeighbours` of the selected token."""

    pane_title: ClassVar[str] = "Neighbours"
    content: ClassVar[str] = "#neighbour-list"
    DEFAULT_CSS = """
    NeighboursPane {
        height: 1fr;
        layout: vertical;
        & Static { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & #neighbour-heading { height: auto; min-height: 1; max-height: 3; text-wrap: wrap; }
        & #neighbour-body { height: 1fr; layout: vertical; }
        & #neighbour-list { height: 2fr; width: 1fr; }
        & #neighbour-picture { height: 3fr; width: 1fr; }
        &.-beside #neighbour-body { layout: horizontal; }
        &.-beside #neighbour-list { height: 1fr; width: 52; margin: 0 1 0 0; }
        &.-beside #neighbour-picture { height: 1fr; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._record: Neighbourhood | None = None
        self._request: FindNeighbours | None = None
        """How `_record` was asked for, with the colour that the session knows of."""
        self._settling: Timer | None = None

    def compose(self) -> ComposeResult:
        yield NeighbourForm(id="neighbour-options")
        yield Static(Content(""), id="neighbour-heading")
        with Container(id="neighbour-body"):
            yield RowList(id="neighbour-list", empty=_HINT)
            with Vertical(id="neighbour-picture"):
                yield PlotView(id="neighbour-plot")
                yield Static(Content(""), id="neighbour-legend")

    # ── asking ──

    def run_default(self) -> None:
        """Ask for the neighbours of the selected token, with the options as they stand."""
        try:
            request = self._form.request(self.selection)
        except FormError as error:
            self._say(str(error), problem=True)
        else:
            self.ask(request)

    @on(Submitted)
    def run_as_set(self, event: Submitted) -> None:
        """Enter in an option asks."""
        event.stop()
        self.run_default()

    # ── showing ──

    def show_asked(self, request: AnyRequest) -> None:
        if isinstance(request, FindNeighbours):
            self._say(f"asking for {request.k} neighbours of token {request.token_id}… esc cancels")

    def show(self, step: Step) -> None:
        """The neighbourhood, or in its place what went wrong (an earlier one stays below)."""
        request, outcome = step.request, step.outcome
        if isinstance(outcome, Neighbourhood) and isinstance(request, FindNeighbours):
            if outcome is self._record and request == self._request:  # the session has the new colour of what is shown
                return
            self._record, self._request = outcome, request
            self._form.offer_colours(neighbours.colours(outcome))
            self._form.choose_colour(neighbours.colour_of(request, outcome))
            self.query_one(RowList).show_empty("The vocabulary holds no other token.")
            self._show_record(cursor=0)
        elif isinstance(outcome, Failure):
            self._say(failure_text(outcome), problem=True)
        elif isinstance(outcome, Cancelled):
            self._say("cancelled; n asks again")

    def clear(self) -> None:
        self._record = self._request = None
        self._say("")
        self.query_one(RowList).show_empty(_HINT)
        self.query_one(RowList).show_rows(())
        self.query_one(PlotView).show(None)
        self.query_one("#neighbour-legend", Static).update(Content(""))

    def restore(self, showing: Showing) -> None:
        request = showing.steps[-1].request
        if isinstance(request, FindNeighbours):
            self._form.show_request(request)

    def watch_selection(self, old: Selection, new: Selection) -> None:
        """Before anything is shown, offer the indicators that the selected token has."""
        if self._record is None and new.token is not None and self.is_mounted:
            self._form.offer_colours([name for name in INDICATORS if name in new.token.indicators])

    def _say(self, text: str, *, problem: bool = False) -> None:
        content = Content.styled(visible(text, spaces=False), "$error" if problem else "$foreground-muted")
        self.query_one("#neighbour-heading", Static).update(content)

    def _show_record(self, cursor: int | None = None) -> None:
        if self._record is None:
            return
        self.query_one("#neighbour-heading", Static).update(view.heading(self._record))
        self._show_list(cursor)
        self.query_one("#neighbour-legend", Static).update(view.legend(self._record, self._form.colour))
        self._show_plot()

    def _show_list(self, cursor: int | None = None) -> None:
        rows = self.query_one(RowList)
        if self._record is not None:
            # Two cells for the cursor's mark and one for the scrollbar.
            header, lines = view.list_rows(self._record, self._form.colour, rows.size.width - 3)
            rows.show_rows(lines, header=Content.assemble("  ", header), cursor=cursor)

    def _show_plot(self) -> None:
        if self._record is not None and self._request is not None:
            highlighted = self.query_one(RowList).cursor if self._record.neighbours else None
            self.query_one(PlotView).show(view.scatter(self._coloured(self._request), self._record, highlighted))

    @property
    def _form(self) -> NeighbourForm:
        return self.query_one(NeighbourForm)

    # ── acting ──

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= _BESIDE_FROM, "-beside")
        # The list has its own new width only after the class has been applied.
        self.call_after_refresh(self.call_after_refresh, self._show_list)

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
            self._request = self._coloured(self._request)
            self.post_message(ViewSettled(self._request, self._record))

    def _coloured(self, request: FindNeighbours) -> FindNeighbours:
        """`request` with the colour that is chosen."""
        return msgspec.structs.replace(request, colour=self._form.colour)

    @on(RowList.Highlighted)
    def highlight(self, event: RowList.Highlighted) -> None:
        """Show in the plot which point the cursor's row is."""
        event.stop()
        self._show_plot()

    @on(RowList.Chosen)
    def open_neighbour(self, event: RowList.Chosen) -> None:
        """Take the token table to the neighbour."""
        event.stop()
        if self._record is not None:
            neighbour = self._record.neighbours[event.index]
            self.post_message(NeighbourOpened(self._record.model, neighbour.token.token_id))
