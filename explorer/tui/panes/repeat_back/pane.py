"""The Repeat-back pane: what models say when they are asked to say the selected token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Self

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Select

from explorer.base.records.repeat_back import RepeatBack, ReplyPart
from explorer.base.records.tokens import TokenRow
from explorer.base.records.unions import AnyPart, AnyRequest, Step
from explorer.base.templates import TEMPLATES, Template
from explorer.settings import Settings
from explorer.tui.panes.asking import NONE_TICKED, key_lines
from explorer.tui.panes.base import Pane, Showing
from explorer.tui.panes.repeat_back.attempts import Attempt, Attempts
from explorer.tui.panes.repeat_back.copying import replies_text, reply_clips
from explorer.tui.panes.repeat_back.form import RepeatForm, RepeatOptions
from explorer.tui.panes.repeat_back.lines import attempt_lines
from explorer.tui.panes.takeaway import Takeaway, of_outcomes
from explorer.tui.shell.messages import Remark, Selection
from explorer.tui.shell.replayed import is_replayed, nothing_recorded
from explorer.tui.widgets.lines_view import LinesView, redraw_changed
from explorer.tui.widgets.option_line import Submitted, Ticks
from explorer.tui.widgets.prompt_lines import MUTED


class RepeatBackPane(Pane):
    """Asks every ticked model for the selected token and shows the replies as they are produced."""

    content: ClassVar[str] = "#replies"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "toggle_ids", "token ids", tooltip="Show the ids of the tokens of a reply"),
        Binding("w", "toggle_whole", "whole replies", tooltip="Show prompts and replies whole"),
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
        self._attempts = Attempts()
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
            why = "No vocabulary is read: m loads a model." if model is None else "Select a token first: press 1."
            self.post_message(Remark(why, problem=True))
        elif not self._form.models:
            self.post_message(Remark(NONE_TICKED, problem=True))
        elif self._form.check():
            template, options = self._form.read()
            for name in self._form.models:
                self.ask(_request(name, token, template, options))

    def show_asked(self, request: AnyRequest) -> None:
        if isinstance(request, RepeatBack):
            self._attempts.begin(request, self.selection.token)
            self._view.redraw()

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        if isinstance(request, RepeatBack) and isinstance(part, ReplyPart) and self._attempts.take_part(request, part):
            self._view.redraw_soon()

    def show(self, step: Step) -> None:
        """The outcome; one that nobody asked for here comes from a session file, and is brought to the front."""
        if isinstance(step.request, RepeatBack):
            self._attempts.finish(step.request, step, self.selection.token)
            self._view.redraw()

    def clear(self) -> None:
        self._attempts.clear()
        self._form.untick(())
        self._view.redraw()

    def takeaway(self) -> Takeaway | None:
        found = [(each.request, each.result) for each in self._shown() if each.result is not None]
        results = [result for _, result in found]
        clips = partial(reply_clips, results)
        return of_outcomes("the replies", found, text=partial(replies_text, results), clips=clips)

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
        self._form.set_models(names, others, loading=new.loading)
        if new.token is not None and new.token != old.token:
            self._attempts.look_at(new.token)
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
        redraw_changed(self._view, f"Token ids below replies: {_on(self._ids)}.")

    def action_toggle_whole(self) -> None:
        """Show prompts and replies whole, or one row each."""
        self._whole = not self._whole
        redraw_changed(self._view, f"Long prompts and replies whole: {_on(self._whole)}.")

    # ── drawing ───────────────────────────────────────────────────────────────────────────────────────────

    def _shown(self) -> list[Attempt]:
        models = [model.name for model in self.selection.roster.models]
        return self._attempts.shown(models, self._form.template_name)

    def _draw(self, width: int) -> Sequence[Content]:
        if attempts := self._shown():
            return attempt_lines(attempts, width, ids=self._ids, whole=self._whole)
        if is_replayed(self):
            return Content.styled(nothing_recorded(self.selection.token), MUTED).wrap(width)
        token, loading = self.selection.token, self.selection.loading
        if token is None:
            return Content.styled(loading or "Select a token in the table, then press r.", MUTED).wrap(width)
        return key_lines("r", self._form.models, width, what=" for ", token_bytes=token.token_bytes, loading=loading)


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"


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


def _askable(selection: Selection) -> tuple[list[str], list[str]]:
    """Models that the selected token's id means the same to, and those with another tokenizer."""
    shown = selection.model
    running = [model for model in selection.roster.models if model.can_run]
    same = [model.name for model in running if shown is not None and model.shares_ids(shown)]
    return same, [model.name for model in running if model.name not in same]
