"""The Speakability pane: which tokens are speakable, with proof."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult

from explorer.base.records.record import Failure, Progress
from explorer.base.records.speakability import ProveSpeakability, SpeakabilityPart, SpeakabilityResult
from explorer.base.records.unions import AnyPart, AnyRequest, Cancelled, Step
from explorer.tui.panes.base import Pane, Showing, failure_text, run_paused, run_progress
from explorer.tui.panes.speakability.form import SpeakForm
from explorer.tui.panes.speakability.known import Place
from explorer.tui.panes.speakability.lines import Line, contents
from explorer.tui.panes.speakability.shown import HINT, NO_TOKEN_HERE, ShownProofs
from explorer.tui.panes.takeaway import Takeaway
from explorer.tui.shell.messages import ColumnsFound, NeighbourOpened, Remark, Selection
from explorer.tui.shell.replayed import hint_at
from explorer.tui.widgets.heading import Heading
from explorer.tui.widgets.option_line import FormError, Submitted
from explorer.tui.widgets.row_list import RowList
from explorer.tui.widgets.soon import Soon

_TOLD_SECONDS = 0.25


class SpeakabilityPane(Pane):
    """Shows `SpeakabilityResult` records; asks `ProveSpeakability`."""

    content: ClassVar[str] = "#speak-list"
    DEFAULT_CSS = """
    SpeakabilityPane {
        height: 1fr;
        layout: vertical;
        padding: 0 1;
        & Static { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.shown = ShownProofs()
        self.telling = Soon(self, _TOLD_SECONDS, self._tell)
        self._lines: list[Line] = []

    def compose(self) -> ComposeResult:
        yield SpeakForm(id="speak-form")
        yield Heading(id="speak-heading")
        yield RowList(id="speak-list", empty=hint_at(self, HINT))

    # ── asking ──

    def run_default(self) -> None:
        """Ask as the options stand; every mode is one question after the other."""
        try:
            requests = self.query_one(SpeakForm).requests(self.selection)
        except FormError as error:
            self._say(str(error), problem=True)
            return
        for request in requests:
            self.ask(request)

    @on(Submitted)
    def run_as_set(self, event: Submitted) -> None:
        """Enter in a text field asks."""
        event.stop()
        self.run_default()

    def takeaway(self) -> Takeaway | None:
        return self.shown.takeaway()

    def restore(self, showing: Showing) -> None:
        """Every mode that was asked at one press is chosen."""
        request = showing.steps[-1].request
        if isinstance(request, ProveSpeakability):
            press = [each for each in showing.press if isinstance(each, ProveSpeakability)]
            self.query_one(SpeakForm).set_form(request, press)

    # ── showing ──

    def show_asked(self, request: AnyRequest) -> None:
        if isinstance(request, ProveSpeakability):
            self.shown.problem = ""
            self._say("proving… esc cancels, p pauses")

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        if not isinstance(request, ProveSpeakability):
            return
        if isinstance(part, SpeakabilityPart) and request.token_ids is None:
            sizes = {info.name: info.vocab_size for info in self.selection.roster.models}
            if request.model in sizes:
                key = (part.mode, request.bias, request.folded)
                self.shown.known.take_part(request.model, key, part, sizes[request.model])
                self.telling.ask()
        elif isinstance(part, Progress):
            self._say(run_progress(part))

    def _tell(self) -> None:
        """Give the token table what the runs know by now."""
        for model, columns in self.shown.known.columns().items():
            self.post_message(ColumnsFound(model, columns))

    def show(self, step: Step) -> None:
        """What was proved, or in its place what went wrong; earlier answers stay."""
        match step.request, step.outcome:
            case ProveSpeakability() as request, SpeakabilityResult() as result:
                self._take(request, result)
            case ProveSpeakability() as request, Cancelled(partial=partial):
                if isinstance(partial, SpeakabilityResult):
                    self._take(request, partial)
                done = partial.tokens if isinstance(partial, SpeakabilityResult) else 0
                self._say(run_paused(done, "settled"))
            case ProveSpeakability(), Failure() as failure:
                self._say("")
                self.shown.problem = failure_text(failure)
                self._show_lines(cursor=0)

    def _take(self, request: ProveSpeakability, result: SpeakabilityResult) -> None:
        self.shown.take(request, result, self._selected)
        self._say("")
        self._show_lines()

    def forget_model(self, name: str) -> None:
        self.shown.forget(name)
        self._show_lines()

    def clear(self) -> None:
        self.shown.clear()
        self._say("")
        self._show_lines()

    @property
    def _selected(self) -> Place | None:
        model, token = self.selection.model, self.selection.token
        return None if model is None or token is None else (model.name, token.token_id)

    def watch_selection(self, old: Selection, new: Selection) -> None:
        """What is known of the token now selected is shown at once."""
        if self.is_mounted and new.loading != old.loading:
            self.query_one(RowList).show_empty(new.loading or hint_at(self, HINT))
        if self.is_mounted and (new.token != old.token or new.model != old.model):
            self.shown.look_at(self._selected)
            self._show_lines(cursor=0)

    def _show_lines(self, cursor: int | None = None) -> None:
        rows = self.query_one(RowList)
        self._lines = self.shown.lines(max(20, rows.size.width - 3))
        rows.show_rows(contents(self._lines), cursor=cursor)

    def _say(self, text: str, *, problem: bool = False) -> None:
        self.query_one(Heading).say(text, problem=problem)

    # ── acting ──

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._show_lines)

    @on(RowList.Chosen)
    def open_token(self, event: RowList.Chosen) -> None:
        """Take the token table to the token of the line."""
        event.stop()
        model, token_id = self.shown.model, self._lines[event.index].token_id
        self.post_message(NeighbourOpened(model, token_id) if model and token_id is not None else Remark(NO_TOKEN_HERE))
