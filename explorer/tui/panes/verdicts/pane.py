"""The Verdicts pane: tokens by definitions of a glitch token, and how far those agree."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.widgets import ContentSwitcher, Select, Static

from explorer.base.records.record import Failure, Progress
from explorer.base.records.unions import AnyPart, AnyRequest, Cancelled, Step
from explorer.base.records.verification import (
    ReadEvidence,
    ReadVerdicts,
    VerdictColumns,
    VerdictEvidence,
    VerdictPart,
    VerificationResult,
    Verify,
)
from explorer.base.records.vocabulary import VocabularyColumns
from explorer.base.text import visible
from explorer.tables.exports import write_export
from explorer.tables.verdicts import Agreement, VerdictMatrix, matrix_of_tokens
from explorer.tui.panes.base import Pane, Showing, failure_text, run_progress
from explorer.tui.panes.verdicts import view
from explorer.tui.panes.verdicts.columns import KnownVerdicts
from explorer.tui.panes.verdicts.curves import CurvesView
from explorer.tui.panes.verdicts.form import VerdictForm
from explorer.tui.panes.verdicts.matrix import MatrixList
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.messages import ColumnsFound, NeighbourOpened
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.option_line import Choice, FormError, Submitted
from explorer.tui.widgets.row_list import RowList

_REDRAW_SECONDS = 0.25
_APART = 0.1
"""Seconds between drawing the matrix and the token table's columns: both at once would hold up a key."""
_HINT = "Press v: the most suspicious tokens are tested by every definition of a glitch token, side by side."


class VerdictsPane(Pane):
    """Shows `VerificationResult` and `VerdictEvidence` records; asks `Verify`."""

    pane_title: ClassVar[str] = "Verdicts"
    content: ClassVar[str] = "#matrix"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "ids", "ids of the evidence", show=False)]
    DEFAULT_CSS = """
    VerdictsPane {
        height: 1fr;
        layout: vertical;
        &.-curves #indicator { display: block; }
        &.-curves #agreement { display: none; }
        & #verdict-heading { height: auto; min-height: 1; max-height: 3; }
        & #verdict-body { height: 1fr; }
        & #matrix-view { height: 1fr; layout: vertical; }
        & #matrix { height: 3fr; }
        & #evidence { height: 2fr; border-top: solid $panel; display: none; }
        & #evidence.-open { display: block; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._result: VerificationResult | None = None
        self._matrix: VerdictMatrix | None = None
        self._is_whole = False
        """Whether the matrix has every token tested, not only those that a result lists."""
        self._request: Verify | None = None
        """What the matrix is about."""
        self._live: set[Verify] = set()
        """Asked in this run of the program, so that the engine can be asked for more."""
        self._known = KnownVerdicts()
        self._evidence: VerdictEvidence | None = None
        self._opened: ReadEvidence | None = None
        """The evidence that was asked for last."""
        self._with_ids = False
        self._is_due = False

    def compose(self) -> ComposeResult:
        yield VerdictForm(id="verdict-form")
        yield Static(Content(""), id="verdict-heading")
        with ContentSwitcher(id="verdict-body", initial="matrix-view"):
            with Container(id="matrix-view"):
                yield MatrixList(id="matrix", empty=_HINT)
                yield LinesView(self._evidence_lines, id="evidence")
            yield LinesView(self._definition_lines, id="definitions-view")
            yield CurvesView(id="curves-view")

    # ── asking ──

    def run_default(self) -> None:
        """Ask for a sweep as the options stand."""
        kept = self._request.definitions if self._request is not None else ()
        try:
            request = self.query_one(VerdictForm).request(self.selection, kept)
        except FormError as error:
            self._say(str(error), problem=True)
        else:
            self.ask(request)

    @on(Submitted)
    def run_as_set(self, event: Submitted) -> None:
        """Enter in an option asks."""
        event.stop()
        self.run_default()

    def restore(self, showing: Showing) -> None:
        request = showing.steps[-1].request
        if isinstance(request, Verify):
            self.query_one(VerdictForm).set_form(request)

    # ── showing ──

    def show_asked(self, request: AnyRequest) -> None:
        if isinstance(request, Verify):
            self._tell_columns()  # what came last of the sweep that leaves the screen
            self._live.add(request)
            self._request, self._result, self._matrix, self._evidence = request, None, None, None
            self._say("verifying… esc cancels, p pauses")
            self._show_all()
            self.ask(ReadVerdicts(of=request), record=False)

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        if request != self._request:
            return
        if isinstance(part, VerdictPart) and self._matrix is not None and self._is_whole:
            self._matrix.take(part)
            self._redraw_soon()
        elif isinstance(part, Progress):
            self._say(run_progress(part))

    def _redraw_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self.set_timer(_REDRAW_SECONDS, self._redraw)

    def _redraw(self) -> None:
        self._is_due = False
        self._show_all()
        self._tell_columns()

    def show(self, step: Step) -> None:
        """A result, the matrix behind it, evidence; or in their place what went wrong."""
        if isinstance(step.request, Verify) and step.request not in self._live:
            self._evidence = None  # that of an earlier sweep
        match step.request, step.outcome:
            case Verify() as request, VerificationResult() as result:
                self._take_result(request, result)
                self._say(view.summary_text(result))
            case Verify() as request, Cancelled(partial=partial):
                done = partial.tokens if isinstance(partial, VerificationResult) else 0
                if isinstance(partial, VerificationResult):
                    self._take_result(request, partial)
                self._say(f"paused with {done:,} tokens tested. Press p to resume.")
            case ReadVerdicts(of=request), VerdictColumns() as columns if request == self._request:
                self._matrix, self._is_whole = VerdictMatrix(columns), True
                self._redraw_soon()
            case ReadEvidence() as request, VerdictEvidence() as evidence:
                self._evidence = evidence
                if request != self._opened:  # else it was opened here, and the user may have moved on meanwhile
                    self.query_one(MatrixList).point_at(evidence.token.token_id, evidence.definition.name)
                self._show_evidence()
            case Verify() | ReadEvidence(), Failure() as failure:
                self._say(failure_text(failure), problem=True)

    def _take_result(self, request: Verify, result: VerificationResult) -> None:
        """The matrix that was read stays until it is read again: it has more than the result lists."""
        if request != self._request or self._matrix is None or not self._is_whole:
            self._matrix, self._is_whole = view.recorded_matrix(result), False
        self._request, self._result = request, result
        indicators = tuple(dict.fromkeys(score.indicator for score in result.indicators))
        self.query_one("#indicator", Choice).set_names(indicators or ("none",))
        self._show_all()
        if request in self._live:
            self.ask(ReadVerdicts(of=request), record=False)
        else:
            self._tell_columns()

    def forget_model(self, name: str) -> None:
        self.workers.cancel_group(self, "columns")
        self._known.forget(name)
        self._live = {request for request in self._live if request.model != name}

    def clear(self) -> None:
        self.workers.cancel_group(self, "columns")
        self._known = KnownVerdicts()
        self._result = self._matrix = self._request = self._evidence = None
        self.query_one(MatrixList).forget()
        self._say("")
        self._show_all()

    def _show_all(self) -> None:
        self._show_matrix()
        self._show_evidence()
        self.query_one("#definitions-view", LinesView).redraw()
        if self.query_one("#view", Choice).chosen == "curves":
            self._show_curves()

    def _show_matrix(self) -> None:
        kind = cast(Agreement, self.query_one("#agreement", Choice).chosen)
        nothing = view.nothing_text(self._result, is_whole=self._is_whole)
        self.query_one(MatrixList).show_matrix(self._matrix, kind, nothing)

    def _show_evidence(self) -> None:
        evidence = self.query_one("#evidence", LinesView)
        evidence.set_class(self._evidence is not None, "-open")
        evidence.redraw()

    def _evidence_lines(self, width: int) -> list[Content]:
        shown = self._evidence
        return view.evidence_lines(shown, width, with_ids=self._with_ids) if shown is not None else []

    def _definition_lines(self, width: int) -> list[Content]:
        return view.definition_lines(self._result, width) if self._result is not None else [Content(_HINT)]

    def _show_curves(self) -> None:
        whole = self._matrix if self._is_whole else None
        indicator = self.query_one("#indicator", Choice).chosen
        self.query_one(CurvesView).show_curves(
            self._result, whole, indicator, self.query_one(MatrixList).listed.definition
        )

    def _say(self, text: str, *, problem: bool = False) -> None:
        content = Content.styled(visible(text, spaces=False), "$error" if problem else "$foreground-muted")
        self.query_one("#verdict-heading", Static).update(content)

    # ── the token table's columns, and files ──

    def _tell_columns(self) -> None:
        matrix = self._matrix
        # What a session lists is told only where no sweep of this run of the program told more.
        if matrix is not None and (self._is_whole or all(request.model != matrix.model for request in self._live)):
            self._known.add(matrix)
        if self._known.has_news:
            run_guarded(self, self._find_columns, group="columns", exclusive=True)

    async def _find_columns(self) -> None:
        await asyncio.sleep(_APART)
        sizes = {info.name: info.vocab_size for info in self.selection.roster.models}
        for model, columns in (await self._known.columns(sizes)).items():
            self.post_message(ColumnsFound(model, columns))

    @property
    def has_matrix(self) -> bool:
        """Whether there is anything to export."""
        return self._matrix is not None

    async def export(self, path: Path, vocabulary: Step | None) -> str:
        """Write the marked tokens of the `vocabulary`, tested or not, or those on display where that is None, to `path`
        in the form that its ending says; what was done, in words. Raises `ExplorerError` where that fails."""
        matrix, places = self._matrix, self.query_one(MatrixList).listed.places
        if vocabulary is not None and isinstance(columns := vocabulary.outcome, VocabularyColumns):
            tested = matrix if matrix is not None and matrix.model == columns.model else None
            source = self.selection.model.source if self.selection.model is not None else ""
            matrix = matrix_of_tokens(columns, source, sorted(self.selection.marked), tested)
            places = np.arange(len(matrix))
        assert matrix is not None, "nothing was tested"
        form = await asyncio.to_thread(partial(write_export, matrix, places.tolist(), path))
        kind = "marked" if vocabulary is not None else "shown"
        return f"{len(places):,} {kind} tokens written to {path.name} ({form})."

    # ── acting ──

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._show_all)

    @on(Select.Changed, "#view")
    def change_view(self, event: Select.Changed) -> None:
        """Matrix, definitions or curves."""
        chosen = self.query_one("#view", Choice).chosen
        self.query_one("#verdict-body", ContentSwitcher).current = f"{chosen}-view"
        self.set_class(chosen == "curves", "-curves")
        self._show_all()

    @on(Select.Changed, "#agreement,#indicator")
    def change_choice(self, event: Select.Changed) -> None:
        """Other rows, or another curve; nothing is asked."""
        self._show_all()

    @on(RowList.Chosen)
    def open_cell(self, event: RowList.Chosen) -> None:
        """Enter opens the evidence of the cell; on the cell whose evidence is open, it goes to the token."""
        event.stop()
        rows = self.query_one(MatrixList)
        token_id = rows.listed.token_at(event.index)
        if token_id is None or self._request is None:
            return
        shown = self._evidence
        is_open = shown is not None and (shown.token.token_id, shown.definition.name) == (
            token_id,
            rows.listed.definition,
        )
        if is_open or self._request not in self._live:
            self.post_message(NeighbourOpened(self._request.model, token_id))
        else:
            self._opened = ReadEvidence(of=self._request, definition=rows.listed.definition, token_id=token_id)
            self.ask(self._opened)

    def action_ids(self) -> None:
        """Show or hide the ids of the evidence."""
        self._with_ids = not self._with_ids
        self._show_evidence()
