"""What the owned objects may do to the screen: `Front` of `models` and of `asking`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from explorer.base.records.models import LoadModel
from explorer.base.records.unions import AnyRequest, Step
from explorer.base.text import visible
from explorer.tui.live.runs import Ears, Runs
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.messages import Answered, Selection
from explorer.tui.widgets.model_bar import ModelBar, short_name

if TYPE_CHECKING:
    from explorer.tui.live.app import ExplorerApp


class LiveFront:
    """The explorer's screen."""

    def __init__(self, app: ExplorerApp) -> None:
        self._app = app

    @property
    def selection(self) -> Selection:
        """What the user is looking at."""
        return self._app.selection

    @property
    def bar(self) -> ModelBar:
        """The line that shows models and engine, whatever dialogue stands before it."""
        return self._app.default_screen.query_one(ModelBar)

    def select(self, **changes: object) -> None:
        """Change what is selected."""
        self._app.select(**changes)

    def marks_of(self, model: str) -> frozenset[int]:
        """The ids of a model that the user marked."""
        return frozenset(self._app.marks[model])

    def show_again(self, step: Step) -> None:
        """Show a step in its panes without recording it."""
        self._app.post_message(Answered(step, record=False))

    def forget_model(self, name: str) -> None:
        """Nothing that panes worked out for all tokens of this model holds any longer."""
        for pane in self._app.workspace.panes:
            pane.forget_model(name)

    def inspect_selected(self, *, record: bool) -> None:
        """Ask for the details of the selected token."""
        self._app.asking.inspect_selected(record=record)

    def remark(self, text: str, *, problem: bool = False) -> None:
        """One line for the user."""
        self._app.remark(text, problem=problem)

    def show_written(self, steps: Sequence[Step], trouble: str) -> None:
        """Steps were written, or could not be."""
        self._app.steps.list_written(steps, trouble)

    def force(self) -> None:
        """End the engine and start it anew, with its models."""
        run_guarded(self._app, self._app.models.force_engine, group="force")

    def offer_force(self, request: AnyRequest) -> None:
        """A request goes on though it was asked to stop."""
        from explorer.specs.registry import describe  # not before the first paint

        said = f"{describe(request)} does not stop: the engine is inside a call that hears nothing."
        self.remark(f"{said} esc again ends the engine and starts it anew, with its models.", problem=True)

    def show_running(self, runs: Runs) -> None:
        """Show in the bar what the engine works on, and how many requests wait."""
        from explorer.specs.screen_words import describe_on_screen  # not before the first paint

        if (loading := describe_loading(runs)) != self.selection.loading:
            self.select(loading=loading)
        current = runs.current()
        if current is None:
            self.bar.clear_running()
            self.bar.set_waiting(0)
            return
        waits = current.progress.waits if current.progress is not None else ""
        text = f"{waits}; esc cancels" if waits else describe_on_screen(current.pending.request)
        self.bar.set_running(text, current.progress, current.clock.since)
        self.bar.set_waiting(len(runs.running) - 1)


def describe_loading(runs: Runs) -> str:
    """Which model the engine loads first, and how far it is; empty where none is on its way."""
    loads = (each for each in runs.running.values() if isinstance(each.pending.request, LoadModel))
    if (first := next(loads, None)) is None or not isinstance(first.pending.request, LoadModel):
        return ""
    words = say_loading([first.pending.request.source])
    progress = first.progress
    return f"{words} {min(1.0, progress.done / progress.total):.0%}" if progress and progress.total else words


def say_loading(sources: Sequence[str]) -> str:
    """'loading mynah, starling …'; safe to show."""
    return f"loading {', '.join(visible(short_name(source), spaces=False) for source in sources)} …" if sources else ""


def ears_of(app: ExplorerApp) -> Ears:
    """Who hears of requests in the explorer."""
    return Ears(
        shown=app.workspace,
        answered=lambda request, answered, record: app.steps.hear(request, answered, record),
        changed=lambda: app.front.show_running(app.runs),
        deaf=app.front.offer_force,
        failed=app._handle_exception,
    )
