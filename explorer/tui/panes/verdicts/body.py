"""How the Verdicts pane draws a sweep: its matrix with evidence below, its definitions, or its curves."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widgets import ContentSwitcher

from explorer.base.records.verification import ReadEvidence, VerdictEvidence
from explorer.tables.verdicts import Agreement
from explorer.tui.panes.verdicts import view
from explorer.tui.panes.verdicts.curves import CurvesView
from explorer.tui.panes.verdicts.matrix import ListedMatrix, MatrixList
from explorer.tui.panes.verdicts.sweep import ShownSweep
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.messages import Ask, NeighbourOpened
from explorer.tui.shell.replayed import hint_at
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.row_list import RowList

HINT = "Press v: the most suspicious tokens are tested by every definition of a glitch token, side by side."


class SweepBody(Guarded, ContentSwitcher):
    """Draws `sweep`, which others change; one of three views is seen."""

    DEFAULT_CSS = """
    SweepBody {
        height: 1fr;
        & #matrix-view { height: 1fr; layout: vertical; }
        & #matrix { height: 3fr; }
        & #evidence { height: 2fr; border-top: solid $panel; display: none; }
        & #evidence.-open { display: block; }
    }
    """

    def __init__(self, sweep: ShownSweep, *, id: str | None = None) -> None:
        super().__init__(id=id, initial="matrix-view")
        self._sweep = sweep
        self._with_ids = False

    def compose(self) -> ComposeResult:
        with Container(id="matrix-view"):
            yield MatrixList(id="matrix", empty=hint_at(self, HINT))
            yield LinesView(self._evidence_lines, id="evidence")
        yield LinesView(self._definition_lines, id="definitions-view")
        yield CurvesView(id="curves-view")

    @property
    def matrix(self) -> MatrixList:
        """The matrix."""
        return self.query_one(MatrixList)

    @property
    def listed(self) -> ListedMatrix:
        """What of the matrix is listed, and the definition that is chosen."""
        return self.matrix.listed

    def show_all(self, shown: str, agreement: Agreement, indicator: str) -> None:
        """Draw the sweep as it is now: the view `shown`, the tokens that pass `agreement`, curves of `indicator`."""
        sweep = self._sweep
        self.current = f"{shown}-view"
        nothing = view.nothing_text(sweep.result, is_whole=sweep.is_whole)
        self.matrix.show_matrix(sweep.matrix, agreement, nothing)
        self.show_evidence()
        self.query_one("#definitions-view", LinesView).redraw()
        if shown == "curves":
            self.query_one(CurvesView).show_curves(sweep.result, sweep.whole, indicator, self.listed.definition)

    def take_evidence(self, request: ReadEvidence, evidence: VerdictEvidence) -> None:
        """Show what stands behind a cell."""
        if self._sweep.take_evidence(request, evidence):
            self.matrix.point_at(evidence.token.token_id, evidence.definition.name)
        self.show_evidence()

    @on(RowList.Chosen)
    def open_cell(self, event: RowList.Chosen) -> None:
        """Enter opens the evidence of the cell; on the cell whose evidence is open, it goes to the token."""
        event.stop()
        token_id, request = self.listed.token_at(event.index), self._sweep.request
        if token_id is None or request is None:
            return
        question = self._sweep.open_evidence(self.listed.definition, token_id)
        self.post_message(NeighbourOpened(request.model, token_id) if question is None else Ask(question))

    def show_evidence(self) -> None:
        """Open the evidence of a cell where there is any."""
        evidence = self.query_one("#evidence", LinesView)
        evidence.set_class(self._sweep.evidence is not None, "-open")
        evidence.redraw()
        self.refresh_bindings()

    @property
    def shows_evidence(self) -> bool:
        """Whether the evidence of a cell is in sight."""
        return self._sweep.evidence is not None and self.current == "matrix-view"

    def toggle_ids(self) -> None:
        """Show or hide the ids of the evidence."""
        self._with_ids = not self._with_ids
        self.show_evidence()

    def _evidence_lines(self, width: int) -> list[Content]:
        shown = self._sweep.evidence
        return view.evidence_lines(shown, width, with_ids=self._with_ids) if shown is not None else []

    def say_when_empty(self, text: str) -> None:
        """What stands in the matrix's place while nothing was tested."""
        if self._sweep.result is None:
            self.matrix.show_empty(text)

    def say_loading(self, before: str, now: str) -> None:
        """What stands there while models load, where that is another than before; then the key again."""
        if self.is_mounted and now != before:
            self.say_when_empty(now or hint_at(self, HINT))

    def _definition_lines(self, width: int) -> list[Content]:
        result = self._sweep.result
        return view.definition_lines(result, width) if result is not None else [Content(hint_at(self, HINT))]
