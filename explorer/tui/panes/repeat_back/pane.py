"""The Repeat-back pane: what models say when they are asked to say the selected token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Select

from explorer.base.records.models import ModelInfo
from explorer.base.records.repeat_back import RepeatBack, ReplyPart
from explorer.base.records.tokens import TokenRow
from explorer.base.records.unions import AnyPart, AnyRequest, Step
from explorer.base.templates import TEMPLATES, Template
from explorer.base.text import visible
from explorer.settings import Settings
from explorer.tui.panes.base import Pane, Showing
from explorer.tui.panes.repeat_back.form import RepeatForm, RepeatOptions
from explorer.tui.panes.repeat_back.lines import Attempt, attempt_lines
from explorer.tui.shell.messages import Remark, Selection
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.option_line import Submitted, Ticks
from explorer.tui.widgets.prompt_lines import MUTED, TOKEN_STYLE, token_text

Key = tuple[str, int, str]
"""(model, token id, template name): the last attempt at each is kept."""
Subject = tuple[int, str]
"""(token id, token bytes): ids alone would confuse models with different tokenizers."""


class RepeatBackPane(Pane):
    """Asks every ticked model for the selected token and shows the replies as they are produced."""

    pane_title: ClassVar[str] = "Repeat-back"
    content: ClassVar[str] = "#replies"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "toggle_ids", "token ids", show=False),
        Binding("w", "toggle_whole", "whole replies", show=False),
    ]
    DEFAULT_CSS = """
    RepeatBackPane {
        height: 1fr;
        layout: vertical;
        padding: 0 1;
        & #replies { border-top: solid $panel; }
    }
    """

    def __init__(
        self, templates: Sequence[Template] = TEMPLATES, options: RepeatOptions | None = None, *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._form = RepeatForm(templates, options)
        self._view = LinesView(self._draw, id="replies")
        self._attempts: dict[Key, Attempt] = {}
        self._subject: Subject | None = None
        self._ids = False
        self._whole = False

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
        """Ask every ticked model about the selected token; one request a model."""
        token, model = self.selection.token, self.selection.model
        if token is None or model is None:
            self.post_message(Remark("Select a token in the table first.", problem=True))
        elif not self._form.models:
            self.post_message(Remark("No model that can run is ticked: load one with m, tick it with x.", problem=True))
        elif self._form.check():
            template, options = self._form.read()
            for name in self._form.models:
                self.ask(_request(name, token, template, options))

    def show_asked(self, request: AnyRequest) -> None:
        if isinstance(request, RepeatBack):
            self._attempts.pop(_key(request), None)  # so that the latest stands last
            self._attempts[_key(request)] = Attempt(request, self._bytes_of(request))
            self._view.redraw()

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        attempt = self._attempts.get(_key(request)) if isinstance(request, RepeatBack) else None
        if attempt is not None and attempt.request == request and isinstance(part, ReplyPart):
            attempt.add(part)
            self._view.redraw_soon()

    def show(self, step: Step) -> None:
        """The outcome; one that nobody asked for here comes from a session file, and is brought to the front."""
        request = step.request
        if not isinstance(request, RepeatBack):
            return
        running = self._attempts.get(_key(request))
        if running is not None and running.outcome is not None:
            running = None
        if running is not None and running.request != request:
            return  # asked again with other options meanwhile: those rows are in use
        attempt = running or Attempt(request, self._bytes_of(request))
        attempt.outcome, attempt.seconds = step.outcome, step.seconds
        if attempt.result is not None:
            attempt.token_bytes = attempt.result.probe.token.token_bytes
        self._attempts.pop(_key(request), None)  # so that the latest stands last
        self._attempts[_key(request)] = attempt
        if running is None:
            self._subject = (request.token_id, attempt.token_bytes)
        self._view.redraw()

    def clear(self) -> None:
        self._attempts.clear()
        self._subject = None
        self._form.untick(())
        self._view.redraw()

    def restore(self, showing: Showing) -> None:
        """Who was loaded and was not asked is not ticked."""
        request = showing.steps[-1].request
        if isinstance(request, RepeatBack):
            asked = {each.model for each in showing.press if isinstance(each, RepeatBack)}
            self._form.show_request(request)
            self._form.untick(set(showing.loaded) - asked)

    def watch_selection(self, old: Selection, new: Selection) -> None:
        if not self._form.is_mounted:
            return  # `on_mount` comes back to it
        names, others = _askable(new)
        self._form.set_models(names, others)
        if new.token is not None and new.token != old.token:
            self._subject = (new.token.token_id, new.token.token_bytes)
        self._view.redraw()
        if old.token != new.token:
            self._view.scroll_home(animate=False)

    # ── keys and fields ───────────────────────────────────────────────────────────────────────────────────

    @on(Submitted)
    def _run(self, event: Submitted) -> None:
        event.stop()
        self.run_default()

    @on(Select.Changed)
    @on(Ticks.Changed)
    def _show_choice(self) -> None:
        self._view.redraw()

    def action_toggle_ids(self) -> None:
        """Show or hide the token ids of the replies."""
        self._ids = not self._ids
        self._view.redraw()

    def action_toggle_whole(self) -> None:
        """Show prompts and replies whole, or one row each."""
        self._whole = not self._whole
        self._view.redraw()

    # ── drawing ───────────────────────────────────────────────────────────────────────────────────────────

    def _draw(self, width: int) -> list[Content]:
        attempts = self._shown()
        if attempts:
            return attempt_lines(attempts, width, ids=self._ids, whole=self._whole)
        return _empty(self.selection, self._form.models, width)

    def _shown(self) -> list[Attempt]:
        """One attempt a model at the token on display: the chosen template's, else the latest."""
        latest: dict[str, Attempt] = {}
        for attempt in self._attempts.values():
            before = latest.get(attempt.request.model)
            if _is_about(attempt, self._subject) and not (before and self._is_chosen(before)):
                latest[attempt.request.model] = attempt
        order = {model.name: place for place, model in enumerate(self.selection.roster.models)}
        return sorted(latest.values(), key=lambda attempt: order.get(attempt.request.model, len(order)))

    def _is_chosen(self, attempt: Attempt) -> bool:
        return attempt.request.template.name == self._form.template_name

    def _bytes_of(self, request: RepeatBack) -> str:
        token = self.selection.token
        return token.token_bytes if token is not None and token.token_id == request.token_id else ""


def _request(model: str, token: TokenRow, template: Template, options: RepeatOptions) -> RepeatBack:
    return RepeatBack(
        model=model,
        token_id=token.token_id,
        template=template,
        samples=options.samples,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
        max_new_tokens=options.max_new_tokens,
        controls=options.controls,
    )


def _key(request: RepeatBack) -> Key:
    return request.model, request.token_id, request.template.name


def _is_about(attempt: Attempt, subject: Subject | None) -> bool:
    """Whether `attempt` asked about `subject`; bytes unknown (a failure read from a file) match by id."""
    if subject is None or attempt.request.token_id != subject[0]:
        return False
    return attempt.token_bytes == subject[1] or not attempt.token_bytes or not subject[1]


def _askable(selection: Selection) -> tuple[list[str], list[str]]:
    """Models that the selected token's id means the same to, and those with another tokenizer."""
    shown = selection.model
    running = [model for model in selection.roster.models if model.can_run]
    same = [model.name for model in running if shown is not None and _same_tokenizer(model, shown)]
    return same, [model.name for model in running if model.name not in same]


def _same_tokenizer(model: ModelInfo, other: ModelInfo) -> bool:
    return model.name == other.name or (model.tokenizer_digest == other.tokenizer_digest != "")


def _empty(selection: Selection, models: Sequence[str], width: int) -> list[Content]:
    """What to do to see something here."""
    if selection.token is None:
        return Content.styled("Select a token in the table, then press r.", MUTED).wrap(width)
    if not models:
        return Content.styled("No model that can run is ticked: m loads one, x ticks it.", MUTED).wrap(width)
    asked = ", ".join(visible(name, spaces=False) for name in models)
    token = (token_text(selection.token.token_bytes), TOKEN_STYLE)
    line = Content.assemble(("press ", MUTED), ("r", "bold $accent"), (f" to ask {asked} for ", MUTED), token)
    return line.wrap(width)
