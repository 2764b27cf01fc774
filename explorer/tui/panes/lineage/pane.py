"""The Lineage pane: which loaded model the shown one comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from textual import on
from textual.app import ComposeResult

from explorer.base.pace import count_words
from explorer.base.records.lineage import FindLineage, Lineage, LineagePart
from explorer.base.records.record import Failure, Progress
from explorer.base.records.unions import AnyPart, AnyRequest, Cancelled, Step
from explorer.base.templates import TEMPLATES, Template
from explorer.settings import Settings
from explorer.specs.lineage import HINT
from explorer.specs.registry import describe, spec_of
from explorer.tui.panes.base import Pane, Showing, failure_text
from explorer.tui.panes.lineage.body import LineageBody
from explorer.tui.panes.lineage.form import LineageForm
from explorer.tui.panes.takeaway import Takeaway, of_outcomes
from explorer.tui.shell.messages import Remark, Selection
from explorer.tui.widgets.option_line import FormError, Submitted


class LineagePane(Pane):
    """Asks of the children what each of the bases would say; each child is shown as soon as it is done."""

    content: ClassVar[str] = "#verdicts"
    DEFAULT_CSS = """
    LineagePane { height: 1fr; layout: vertical; padding: 0 1; }
    """

    def __init__(self, templates: Sequence[Template] = TEMPLATES, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._form = LineageForm(templates)
        self._body = LineageBody(HINT)
        self._found: tuple[FindLineage, Lineage] | None = None

    @classmethod
    def made_for(cls, settings: Settings, *, id: str) -> Self:
        """With the user's own templates before the shipped ones."""
        return cls((*settings.templates, *TEMPLATES), id=id)

    def compose(self) -> ComposeResult:
        yield self._form
        yield self._body

    def on_mount(self) -> None:
        self.watch_selection(Selection(), self.selection)

    def watch_selection(self, old: Selection, new: Selection) -> None:
        if self._form.is_mounted:
            self._form.offer(new)

    def run_default(self) -> None:
        """Ask as the form stands."""
        try:
            self.ask(self._form.request(self.selection.marked))
        except FormError as error:
            self._form.say(f"✗ {error}", problem=True)
            self.post_message(Remark(str(error), problem=True))

    @on(Submitted)
    def _run(self, event: Submitted) -> None:
        event.stop()
        self.run_default()

    def show_asked(self, request: AnyRequest) -> None:
        self._form.say(f"{describe(request)} … esc cancels")

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        if isinstance(part, Progress):
            self._form.say(f"{count_words(part) or describe(request)}; esc cancels")
        elif isinstance(part, LineagePart) and isinstance(request, FindLineage):
            before = self._found[1] if self._found is not None and self._found[0] is request else None
            pairs, favourites = (before.pairs, before.favourites) if before is not None else ((), ())
            self._take(request, Lineage(pairs=pairs + part.pairs, favourites=favourites + part.favourites))

    def show(self, step: Step) -> None:
        """The outcome, or what went wrong and what was found until then."""
        request, outcome = step.request, step.outcome
        found = outcome.partial if isinstance(outcome, Cancelled) else outcome
        if isinstance(request, FindLineage) and isinstance(found, Lineage):
            self._take(request, found)
        if isinstance(outcome, Failure):
            self._form.say(failure_text(outcome), problem=True)
        elif isinstance(outcome, Cancelled):
            self._form.say("cancelled; B goes on where it was")
        elif isinstance(found, Lineage):
            self._form.say(spec_of(request).summarise(found))

    def restore(self, showing: Showing) -> None:
        request = showing.steps[-1].request
        if isinstance(request, FindLineage):
            self._form.show_request(request)

    def takeaway(self) -> Takeaway | None:
        return of_outcomes("the verdicts and tests", [self._found] if self._found is not None else [])

    def clear(self) -> None:
        self._found = None
        self._body.clear()
        self._form.check()

    def _take(self, request: FindLineage, outcome: Lineage) -> None:
        self._found = request, outcome
        self._body.show(request, outcome)
