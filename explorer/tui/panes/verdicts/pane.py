"""The Verdicts pane: tokens by definitions of a glitch token, and how far those agree."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Select

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
from explorer.tui.panes.base import Pane, Showing, failure_text, run_paused, run_progress
from explorer.tui.panes.takeaway import Takeaway
from explorer.tui.panes.verdicts import view
from explorer.tui.panes.verdicts.body import SweepBody
from explorer.tui.panes.verdicts.exporting import takeaway_of
from explorer.tui.panes.verdicts.form import VerdictForm
from explorer.tui.panes.verdicts.sweep import ShownSweep
from explorer.tui.panes.verdicts.telling import ColumnTeller
from explorer.tui.shell.messages import Selection
from explorer.tui.widgets.heading import Heading
from explorer.tui.widgets.option_line import FormError, Submitted
from explorer.tui.widgets.soon import Soon

_REDRAW_SECONDS = 0.25


class VerdictsPane(Pane):
    """Shows `VerificationResult` and `VerdictEvidence` records; asks `Verify`."""

    content: ClassVar[str] = "#matrix"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("x", "ids", "token ids", tooltip="Show the token ids of evidence")]
    DEFAULT_CSS = """
    VerdictsPane {
        height: 1fr; layout: vertical; padding: 0 1;
        & #verdict-heading { height: auto; min-height: 1; max-height: 3; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sweep = ShownSweep()
        self.redraw = Soon(self, _REDRAW_SECONDS, self._redraw)
        self._columns = ColumnTeller(self)
        self._form = VerdictForm(id="verdict-form")
        self._heading = Heading(id="verdict-heading")
        self.body = SweepBody(self.sweep, id="verdict-body")

    def compose(self) -> ComposeResult:
        yield self._form
        yield self._heading
        yield self.body

    # ── asking ──

    def run_default(self) -> None:
        """Ask for a sweep as the options stand."""
        try:
            request = self._form.request(self.selection, self.sweep.definitions)
        except FormError as error:
            self._heading.say(str(error), problem=True)
        else:
            self.ask(request)

    @on(Submitted)
    def run_as_set(self, event: Submitted) -> None:
        """Enter in a text field asks."""
        event.stop()
        self.run_default()

    def takeaway(self) -> Takeaway | None:
        return takeaway_of(self.body.listed)

    def restore(self, showing: Showing) -> None:
        request = showing.steps[-1].request
        if isinstance(request, Verify):
            self._form.set_form(request)

    # ── showing ──

    def show_asked(self, request: AnyRequest) -> None:
        if isinstance(request, Verify):
            self._columns.tell(self.sweep.news)  # what came last of the sweep that leaves the screen
            self.sweep.begin(request)
            self._heading.say("verifying… esc cancels, p pauses")
            self.body.say_when_empty("")
            self._show_all()
            self.ask(ReadVerdicts(of=request), record=False)

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        if request != self.sweep.request:
            return
        if isinstance(part, VerdictPart) and self.sweep.take_part(part):
            self.redraw.ask()
        elif isinstance(part, Progress):
            self._heading.say(run_progress(part))

    def watch_selection(self, old: Selection, new: Selection) -> None:
        self.body.say_loading(old.loading, new.loading)

    def _redraw(self) -> None:
        self._show_all()
        self._columns.tell(self.sweep.news)

    def show(self, step: Step) -> None:
        """A result, the matrix behind it, evidence; or in their place what went wrong."""
        if isinstance(step.request, Verify) and step.request not in self.sweep.live:
            self.sweep.evidence = None  # that of an earlier sweep
        match step.request, step.outcome:
            case Verify() as request, VerificationResult() as result:
                self._take_result(request, result)
                self._heading.say(view.summary_text(result))
            case Verify() as request, Cancelled(partial=partial, why=why):
                done = partial.tokens if isinstance(partial, VerificationResult) else 0
                if isinstance(partial, VerificationResult):
                    self._take_result(request, partial)
                self._heading.say(run_paused(done, "tested", why))
            case ReadVerdicts(of=request), VerdictColumns() as columns if request == self.sweep.request:
                self.sweep.take_matrix(columns)
                self.redraw.ask()
            case ReadEvidence() as request, VerdictEvidence() as evidence:
                self.body.take_evidence(request, evidence)
            case Verify() | ReadEvidence(), Failure() as failure:
                self._heading.say(failure_text(failure), problem=True)

    def _take_result(self, request: Verify, result: VerificationResult) -> None:
        self.sweep.take_result(request, result)
        self._form.offer_indicators(result)
        self._show_all()
        if request in self.sweep.live:
            self.ask(ReadVerdicts(of=request), record=False)
        else:
            self._columns.tell(self.sweep.news)

    def forget_model(self, name: str) -> None:
        self._columns.forget(name)
        self.sweep.forget_model(name)

    def clear(self) -> None:
        self._columns.clear()
        self.sweep.clear()
        self.body.matrix.forget()
        self._heading.say("")
        self._show_all()

    def _show_all(self) -> None:
        form = self._form
        self.body.show_all(form.shown, form.agreement, form.indicator)

    # ── acting ──

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._show_all)

    @on(Select.Changed, "#view,#agreement,#indicator")
    def change_view(self, event: Select.Changed) -> None:
        """Another view, other rows, or another curve; nothing is asked."""
        self._show_all()

    def action_ids(self) -> None:
        """Show or hide the ids of the evidence."""
        self.body.toggle_ids()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.body.shows_evidence if action == "ids" else super().check_action(action, parameters)
