"""The Logprobs pane: one prompt, several models, and what each would say next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self

from textual import on
from textual.app import ComposeResult
from textual.content import Content

from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.record import Failure
from explorer.base.records.tokens import TokenRef, TokenRow
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled, Step
from explorer.base.templates import TEMPLATES, Template
from explorer.base.text import visible
from explorer.settings import Settings
from explorer.tui.panes.asking import NONE_TICKED, failure_lines, key_lines
from explorer.tui.panes.base import Pane, Showing
from explorer.tui.panes.logprobs.copying import table_clips
from explorer.tui.panes.logprobs.form import LogprobForm, LogprobOptions
from explorer.tui.panes.logprobs.table_view import TableView
from explorer.tui.panes.logprobs.view import LogprobView
from explorer.tui.panes.takeaway import Takeaway, of_outcomes
from explorer.tui.shell.messages import Remark, Selection
from explorer.tui.shell.replayed import is_replayed, nothing_recorded
from explorer.tui.widgets.option_line import Submitted


@dataclass(frozen=True)
class Reading:
    """A request with what is known of its answer."""

    request: ReadLogprobs
    token: TokenRef | None = None
    """The token in the prompt's slot, where its bytes are known."""
    outcome: AnyOutcome | None = None
    """None while it runs."""

    @property
    def table(self) -> LogprobTable | None:
        """The table, whole or until it was stopped."""
        found = self.outcome.partial if isinstance(self.outcome, Cancelled) else self.outcome
        return found if isinstance(found, LogprobTable) else None

    @property
    def stopped(self) -> bool:
        """Whether the user stopped it: some models may be missing from the table."""
        return isinstance(self.outcome, Cancelled)

    def is_about(self, token_id: int | None, token_bytes: str) -> bool:
        """Whether this is for the token; a prompt without a slot is for every token."""
        if self.request.token_id is None:
            return True
        known = self.token is None or not token_bytes or self.token.token_bytes == token_bytes
        return self.request.token_id == token_id and known


class LogprobsPane(Pane):
    """Asks every ticked model for its next-token distribution and lays the answers side by side."""

    content: ClassVar[str] = "#table"
    DEFAULT_CSS = """
    LogprobsPane {
        height: 1fr;
        layout: vertical;
        padding: 0 1;
        & #table { border-top: solid $panel; }
    }
    """

    def __init__(self, templates: Sequence[Template] = TEMPLATES, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._form = LogprobForm(templates)
        self._view = LogprobView(self._draw_rest, id="table")
        self._readings: dict[tuple[str, int | None], Reading] = {}
        """The last one for each (first model, token id), the latest last."""
        self._subject: tuple[int | None, str] = (None, "")
        """(token id, token bytes) of the token on display."""

    @classmethod
    def made_for(cls, settings: Settings, *, id: str) -> Self:
        """With the user's own templates before the shipped ones."""
        return cls((*settings.templates, *TEMPLATES), id=id)

    def compose(self) -> ComposeResult:
        yield self._form
        yield self._view

    def on_mount(self) -> None:
        self.watch_selection(Selection(), self.selection)

    # ── what the App calls ────────────────────────────────────────────────────────────────────────────────

    def run_default(self) -> None:
        """Ask every ticked model, with the selected token in the prompt's slot."""
        if not self._form.check():
            return
        request = _request(self.selection, self._form.models, self._form.read())
        if isinstance(request, str):
            self._form.say(f"✗ {request}", problem=True)
            self.post_message(Remark(request, problem=True))
        else:
            self.ask(request)

    def show_asked(self, request: AnyRequest) -> None:
        if isinstance(request, ReadLogprobs):
            self._keep(Reading(request, self._token_of(request)))
            self._update()

    def show(self, step: Step) -> None:
        """The outcome; one that nobody asked for here comes from a session file, and is brought to the front."""
        request = step.request
        if not isinstance(request, ReadLogprobs):
            return
        running = self._readings.get(_key(request))
        if running is not None and running.outcome is not None:
            running = None
        if running is not None and running.request != request:
            return  # asked again otherwise meanwhile
        token = self._token_of(request) if running is None else running.token
        self._keep(Reading(request, token, step.outcome))
        if running is None:
            self._subject = (request.token_id, token.token_bytes if token is not None else "")
        self._update()

    def clear(self) -> None:
        self._readings.clear()
        self._subject = (None, "")
        self._update()

    def takeaway(self) -> Takeaway | None:
        reading = self._current()
        if reading is None or reading.table is None:
            return None
        found, clips = [(reading.request, reading.table)], partial(table_clips, self._view.view)
        return of_outcomes("the table of log-probabilities", found, clips=clips)

    def restore(self, showing: Showing) -> None:
        request = showing.steps[-1].request
        if isinstance(request, ReadLogprobs):
            self._form.show_request(request)

    def watch_selection(self, old: Selection, new: Selection) -> None:
        if not self._form.is_mounted:
            return  # `on_mount` comes back to it
        self._form.set_models([model.name for model in new.roster.models if model.can_run], loading=new.loading)
        if new.token is not None and new.token != old.token:
            self._subject = (new.token.token_id, new.token.token_bytes)
        self._update()

    @on(Submitted)
    def _run(self, event: Submitted) -> None:
        event.stop()
        self.run_default()

    # ── drawing ───────────────────────────────────────────────────────────────────────────────────────────

    def _keep(self, reading: Reading) -> None:
        self._readings.pop(_key(reading.request), None)  # so that the latest stands last
        self._readings[_key(reading.request)] = reading

    def _current(self) -> Reading | None:
        """The latest reading about the token on display."""
        about = (reading for reading in reversed(self._readings.values()) if reading.is_about(*self._subject))
        return next(about, None)

    def _update(self) -> None:
        reading = self._current()
        if reading is None or reading.table is None:
            self._view.show_table(None)
        else:
            self._view.show_table(TableView(reading.request, reading.table, reading.token, stopped=reading.stopped))

    def _draw_rest(self, width: int) -> list[Content]:
        """What stands in the table's place: a failure, who is being asked, or the key to press."""
        reading = self._current()
        if reading is None and is_replayed(self):
            return Content.styled(nothing_recorded(self.selection.token), "$foreground-muted").wrap(width)
        if reading is None:
            token = self.selection.token
            what, named = (" what comes next, with ", token.token_bytes) if token is not None else ("", None)
            loading = self.selection.loading
            return key_lines("l", self._form.models, width, what=what, token_bytes=named, loading=loading)
        if isinstance(reading.outcome, Failure):
            return failure_lines(reading.outcome, width)
        names = ", ".join(visible(name, spaces=False) for name in reading.request.models)
        words = f"asking {names} …" if reading.outcome is None else "■ cancelled before a model answered"
        return Content.styled(words, "$accent" if reading.outcome is None else "$warning").wrap(width)

    def _token_of(self, request: ReadLogprobs) -> TokenRef | None:
        token = self.selection.token
        if token is None or token.token_id != request.token_id:
            return None
        return TokenRef(token_id=token.token_id, token_bytes=token.token_bytes, text=token.text)


def _key(request: ReadLogprobs) -> tuple[str, int | None]:
    return (request.models[0] if request.models else "", request.token_id)


def _request(selection: Selection, models: Sequence[str], options: LogprobOptions) -> ReadLogprobs | str:
    """The request, its first model one that knows the token by this id; or why nothing can be asked."""
    if not models:
        return NONE_TICKED
    order: tuple[str, ...] = tuple(models)
    token: TokenRow | None = selection.token if options.has_slot else None
    if options.has_slot:
        if token is None or selection.model is None:
            return "The prompt has a slot: select a token in the table first."
        shown = selection.model
        known = {model.name: model for model in selection.roster.models}
        own = [name for name in models if name in known and known[name].shares_ids(shown)]
        if not own:
            return f"The token is one of {shown.name}: tick {shown.name} or a model with the same tokenizer."
        first = shown.name if shown.name in own else own[0]
        order = (first, *(name for name in models if name != first))
    return ReadLogprobs(
        models=order,
        prompt=options.prompt,
        template=options.template,
        token_id=token.token_id if token is not None else None,
        token_is_target=token is not None,
        targets=options.targets,
        top_of=options.top_of if options.top_of in models else "",
        top_k=options.top_k,
    )
