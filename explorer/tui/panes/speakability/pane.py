"""The Speakability pane: which tokens are speakable, with proof."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from explorer.base.records.record import Failure, Progress
from explorer.base.records.speakability import ProveSpeakability, SpeakabilityPart, SpeakabilityResult
from explorer.base.records.unions import AnyPart, AnyRequest, Cancelled, Step
from explorer.base.text import visible
from explorer.tui.panes.base import Pane, Showing, failure_text, run_progress
from explorer.tui.panes.speakability.form import SpeakForm
from explorer.tui.panes.speakability.known import Known, Place
from explorer.tui.panes.speakability.lines import Line, contents, prose, summary_lines
from explorer.tui.shell.messages import ColumnsFound, NeighbourOpened, Selection
from explorer.tui.widgets.option_line import FormError, Submitted
from explorer.tui.widgets.row_list import RowList

_TOLD_SECONDS = 0.25
_HINT = (
    "Can the selected token be the argmax of the logits? Press c to prove it either way, in every mode. "
    "'all tokens' proves the whole vocabulary and gives the token table columns."
)


class SpeakabilityPane(Pane):
    """Shows `SpeakabilityResult` records; asks `ProveSpeakability`."""

    pane_title: ClassVar[str] = "Speaking"
    content: ClassVar[str] = "#speak-list"
    DEFAULT_CSS = """
    SpeakabilityPane {
        height: 1fr;
        layout: vertical;
        & Static { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._known = Known()
        self._summary: SpeakabilityResult | None = None
        self._token: Place | None = None
        """Whose answers are on display; None: the summary of a run."""
        self._lines: list[Line] = []
        self._is_due = False
        self._problem = ""
        """The last error, above the answers."""

    def compose(self) -> ComposeResult:
        yield SpeakForm(id="speak-form")
        yield Static(Content(""), id="speak-heading")
        yield RowList(id="speak-list", empty=_HINT)

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
        """Enter in an option asks."""
        event.stop()
        self.run_default()

    def restore(self, showing: Showing) -> None:
        """Every mode that was asked at one press is chosen."""
        request = showing.steps[-1].request
        if isinstance(request, ProveSpeakability):
            press = [each for each in showing.press if isinstance(each, ProveSpeakability)]
            self.query_one(SpeakForm).set_form(request, press)

    # ── showing ──

    def show_asked(self, request: AnyRequest) -> None:
        if isinstance(request, ProveSpeakability):
            self._problem = ""
            self._say("proving… esc cancels, p pauses")

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        if not isinstance(request, ProveSpeakability):
            return
        if isinstance(part, SpeakabilityPart) and request.token_ids is None:
            sizes = {info.name: info.vocab_size for info in self.selection.roster.models}
            if request.model in sizes:
                key = (part.mode, request.bias, request.folded)
                self._known.take_part(request.model, key, part, sizes[request.model])
                self._tell_soon()
        elif isinstance(part, Progress):
            self._say(run_progress(part))

    def _tell_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self.set_timer(_TOLD_SECONDS, self._tell)

    def _tell(self) -> None:
        """Give the token table what the runs know by now."""
        self._is_due = False
        for model, columns in self._known.columns().items():
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
                self._say(f"paused with {done:,} tokens settled. Press p to resume.")
            case ProveSpeakability(), Failure() as failure:
                self._say("")
                self._problem = failure_text(failure)
                self._show_lines(cursor=0)

    def _take(self, request: ProveSpeakability, result: SpeakabilityResult) -> None:
        if request.token_ids is None:
            self._summary, self._token = result, None
        else:
            self._known.take(result)
            if result.rows:
                chosen = self._selected if self._selected in self._known else None
                named = (result.model, result.rows[0].token.token_id)
                self._token = chosen if chosen is not None and chosen[1] in request.token_ids else named
        self._say("")
        self._show_lines()

    def forget_model(self, name: str) -> None:
        self._known.forget(name)
        if self._summary is not None and self._summary.model == name:
            self._summary = None
        self._show_lines()

    def clear(self) -> None:
        self._known.clear()
        self._summary = self._token = None
        self._problem = ""
        self._say("")
        self._show_lines()

    @property
    def _selected(self) -> Place | None:
        model, token = self.selection.model, self.selection.token
        return None if model is None or token is None else (model.name, token.token_id)

    def watch_selection(self, old: Selection, new: Selection) -> None:
        """What is known of the token now selected is shown at once."""
        if self.is_mounted and (new.token != old.token or new.model != old.model):
            self._token = self._selected if self._summary is None or self._selected in self._known else None
            self._show_lines(cursor=0)

    def _show_lines(self, cursor: int | None = None) -> None:
        rows = self.query_one(RowList)
        width = max(20, rows.size.width - 3)
        problem = prose(self._problem, width, 0, "$error")
        self._lines = [*problem, *self._lines_of(width)]
        rows.show_rows(contents(self._lines), cursor=cursor)

    def _lines_of(self, width: int) -> list[Line]:
        if self._token is None:
            return summary_lines(self._summary, width) if self._summary is not None else prose(_HINT, width, 0)
        lines = self._known.lines(self._token, width)
        if not lines:
            return prose(_HINT, width, 0)
        return lines if self._token in self._known else [*lines, *prose("Press c for the proof.", width, 0)]

    def _say(self, text: str, *, problem: bool = False) -> None:
        content = Content.styled(visible(text, spaces=False), "$error" if problem else "$foreground-muted")
        self.query_one("#speak-heading", Static).update(content)

    # ── acting ──

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._show_lines)

    @on(RowList.Chosen)
    def open_token(self, event: RowList.Chosen) -> None:
        """Take the token table to the token of the line."""
        event.stop()
        token_id = self._lines[event.index].token_id
        place = self._token
        model = place[0] if place is not None else self._summary.model if self._summary is not None else ""
        if token_id is not None and model:
            self.post_message(NeighbourOpened(model, token_id))
