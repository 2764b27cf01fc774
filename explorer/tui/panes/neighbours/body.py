"""How the Neighbours pane draws a neighbourhood: a list beside or above a plot, and a legend below that."""

from __future__ import annotations

import msgspec
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widgets import Static

from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.specs import neighbours
from explorer.specs.blocks import Plot
from explorer.tui.panes.neighbours import view
from explorer.tui.panes.neighbours.both import rows_of
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.messages import NeighbourOpened
from explorer.tui.shell.replayed import hint_at
from explorer.tui.widgets.plot import PlotView
from explorer.tui.widgets.row_list import RowList

HINT = "Select a token and press n: its nearest neighbours, listed and plotted."
_NONE = "The vocabulary holds no other token."
_BESIDE_FROM = 96
"""Cells of width from which the list stands beside the plot."""


class NeighbourBody(Guarded, Container):
    """List, plot and legend; the list's cursor marks a point of the plot, and Enter on a row goes to its token."""

    DEFAULT_CSS = """
    NeighbourBody {
        height: 1fr; layout: vertical;
        & Static { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & #neighbour-list { height: 2fr; width: 1fr; }
        & #neighbour-picture { height: 3fr; width: 1fr; }
        &.-beside { layout: horizontal; }
        &.-beside #neighbour-list { height: 1fr; width: 52; margin: 0 1 0 0; }
        &.-beside #neighbour-picture { height: 1fr; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._request: FindNeighbours | None = None
        """With the colour that is drawn."""
        self._record: Neighbourhood | None = None

    def compose(self) -> ComposeResult:
        yield RowList(id="neighbour-list", empty=hint_at(self, HINT))
        with Vertical(id="neighbour-picture"):
            yield PlotView(id="neighbour-plot")
            yield Static(Content(""), id="neighbour-legend")

    @property
    def cursor(self) -> int:
        """The row of the list under its cursor."""
        return self.query_one(RowList).cursor

    def show(self, request: FindNeighbours, record: Neighbourhood, colour: str, *, cursor: int | None = None) -> None:
        """Draw `record` in the colours of an indicator; the cursor stays on its row unless another is given."""
        self._request, self._record = msgspec.structs.replace(request, colour=colour), record
        self.query_one(RowList).show_empty(_NONE)
        self._show_list(cursor)
        self._show_legend()
        self._show_plot()

    def say_when_empty(self, text: str) -> None:
        """What stands in the list's place while there is no neighbourhood."""
        if self._record is None:
            self.query_one(RowList).show_empty(text)

    def clear(self) -> None:
        """Show nothing."""
        self._request = self._record = None
        self.query_one(RowList).show_empty(hint_at(self, HINT))
        self.query_one(RowList).show_rows(())
        self.query_one(PlotView).show(None)
        self.query_one("#neighbour-legend", Static).update(Content(""))

    def plot(self) -> Plot:
        """What is drawn, for a picture. There is a neighbourhood on display."""
        assert self._request is not None
        assert self._record is not None
        return neighbours.plot(self._request, self._record)

    def _show_list(self, cursor: int | None = None) -> None:
        rows = self.query_one(RowList)
        if self._record is not None and self._request is not None:
            # Two cells for the cursor's mark and one for the scrollbar.
            header, lines = rows_of(self._record, self._request.colour, rows.size.width - 3)
            rows.show_rows(lines, header=Content.assemble("  ", header), cursor=cursor)

    def _show_legend(self) -> None:
        line = self.query_one("#neighbour-legend", Static)
        if self._record is not None and self._request is not None:
            line.update(view.legend(self._record, self._request.colour, line.size.width))

    def _show_plot(self) -> None:
        if self._record is not None and self._request is not None:
            cursor = self.query_one(RowList).cursor
            highlighted = cursor if cursor < len(self._record.neighbours) else None
            self.query_one(PlotView).show(view.scatter(self.plot(), self._record, highlighted))

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= _BESIDE_FROM, "-beside")
        # The list has its own new width only after the class has been applied.
        self.call_after_refresh(self.call_after_refresh, self._show_to_size)

    def _show_to_size(self) -> None:
        self._show_list()
        self._show_legend()

    @on(RowList.Highlighted)
    def highlight(self, event: RowList.Highlighted) -> None:
        """Show in the plot which point the cursor's row is."""
        event.stop()
        self._show_plot()

    @on(RowList.Chosen)
    def open_neighbour(self, event: RowList.Chosen) -> None:
        """Take the token table to the neighbour."""
        event.stop()
        if self._record is not None and event.index < len(self._record.neighbours):
            neighbour = self._record.neighbours[event.index]
            self.post_message(NeighbourOpened(self._record.model, neighbour.token.token_id))
