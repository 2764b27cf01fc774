"""What every pane is: a view of the outcomes of some kinds of request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from textual.reactive import reactive
from textual.widget import Widget

from explorer.base.errors import ExplorerError
from explorer.base.pace import count_words, describe_pace
from explorer.base.records.record import Failure, Progress
from explorer.base.records.unions import AnyPart, AnyRequest, Step
from explorer.settings import Settings
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.messages import Ask, Selection


@dataclass(frozen=True)
class Showing:
    """Steps of one kind that a pane showed, and what was selected when the last of them came."""

    steps: tuple[Step, ...]
    selection: Selection
    press: tuple[AnyRequest, ...] = ()
    """What one press of a key asked, the last step's request among it: several models, or several modes."""
    loaded: tuple[str, ...] = ()
    """Names of the models that were loaded then."""


class Pane(Guarded, Widget):
    """A view of one kind of outcome.

    A pane never computes and never reaches for the App: it is told the `selection`, posts `Ask`, and is
    called back with parts and steps. Replay calls the same `show` with steps from a file, with no
    `show_asked` and no parts before it, so `show` alone must be able to draw everything.
    """

    content: ClassVar[str] = ""
    """Selector of the widgets that show outcomes: the one in sight has the keys when the pane's tab is chosen."""

    selection: reactive[Selection] = reactive(Selection(), init=False, repaint=False)  # the ground has nothing to tell

    @classmethod
    def made_for(cls, settings: Settings, *, id: str) -> Self:
        """The pane as `settings` want it."""
        return cls(id=id)

    def ask(self, request: AnyRequest, *, record: bool = True) -> None:
        """Have `request` answered; `show` is called with the step."""
        self.post_message(Ask(request, record=record))

    def focus_content(self) -> None:
        """Arrow keys scroll what is shown, and no letter lands in a form."""
        if self.content:
            self.screen.set_focus(max(self.query(self.content), key=lambda each: each.display))

    def run_default(self) -> None:
        """Ask what this pane asks of the selected token (its command's key was pressed)."""

    def show_asked(self, request: AnyRequest) -> None:
        """`request` was sent to the engine; show that something is under way."""

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        """A part of the answer to `request` arrived."""

    def show(self, step: Step) -> None:
        """The outcome of a request arrived, live or replayed: `Failure` and `Cancelled` among them."""

    def overhear(self, step: Step) -> None:
        """A step came that another pane shows."""

    def restore(self, showing: Showing) -> None:
        """Show in the options how the steps of `showing` were asked, before `show` is called with them (a session is
        replayed or resumed)."""

    def clear(self) -> None:
        """Forget every outcome: another moment of a session is about to be shown."""

    def forget_model(self, name: str) -> None:
        """Another model has taken the name: what was worked out for all tokens of the one before is not its own."""

    def watch_selection(self, old: Selection, new: Selection) -> None:
        """The user looks at something else."""


def failure_text(failure: Failure) -> str:
    """What went wrong, and what to do, on one line."""
    return f"✗ {ExplorerError(failure.message, failure.hint).line}"


def run_progress(part: Progress) -> str:
    """How far a run over many tokens is, in words."""
    facts = [count_words(part), describe_pace(part), part.note]
    return ", ".join(fact for fact in facts if fact) + "; p pauses"


def run_paused(done: int, what: str, why: str = "") -> str:
    """How far a run came that was stopped, in words: `done` tokens are `what`; `why`: by what, if not by the user."""
    return f"{why or 'paused'} with {done:,} tokens {what}. Press p to resume."
