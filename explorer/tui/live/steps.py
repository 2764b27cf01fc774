"""The one road of every outcome: to the session file, to those who keep track, and to its panes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from textual.message import Message

from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.unions import AnyOutcome, AnyRequest, Step
from explorer.pipe.client import Answered as EngineAnswer
from explorer.pipe.frames import Hello
from explorer.sessions.file.store import SessionWriter, is_recorded
from explorer.settings import Settings
from explorer.specs.registry import spec_of
from explorer.tui.live.models import Models
from explorer.tui.live.recorder import SessionRecorder
from explorer.tui.live.runs import Runs
from explorer.tui.shell.messages import Answered, Ask
from explorer.tui.shell.workspace import Workspace


class Screen(Protocol):
    """What is needed of the App."""

    settings: Settings
    marks: defaultdict[str, set[int]]
    is_open: bool

    def select(self, **changes: object) -> None:
        """Change what is selected."""

    def post_message(self, message: Message) -> bool:
        """Have a message handled in its turn."""

    def remark(self, text: str, *, problem: bool = False) -> None:
        """One line for the user."""


class Steps:
    """Makes steps of what was asked and answered, and takes them in when they come as messages."""

    def __init__(
        self,
        session: SessionWriter,
        recorder: SessionRecorder,
        runs: Runs,
        models: Models,
        workspace: Workspace,
        screen: Screen,
    ) -> None:
        self._session = session
        self._recorder = recorder
        self._runs = runs
        self._models = models
        self._workspace = workspace
        self._screen = screen
        self._early: list[Answered] = []
        """What came before there were panes."""
        self.writing = 0
        """Steps that are shown and on their way to the disk."""
        self._trouble = ""
        """Why the session was not written when the user last heard of it; empty where it is."""

    # ── asking ──

    def ask(self, message: Ask) -> None:
        """Ask the engine for what a pane wants, or answer at once what needs none."""
        if isinstance(message.request, MarkToken | WriteNote):
            self._note(message.request)
            return
        request = spec_of(message.request).with_settings(message.request, self._screen.settings)
        if message.record:
            self._workspace.token_pane.views.record()
        self._runs.ask(request, record=message.record, latest="" if message.record else type(request).__name__)

    def _note(self, request: MarkToken | WriteNote) -> None:
        if isinstance(request, MarkToken):
            marks = self._screen.marks[request.model]
            (marks.add if request.marked else marks.discard)(request.token_id)
            self._screen.select(marked=frozenset(marks))
        # Nothing is waited for, so the table it was made at must be recorded now: a replay shows that one.
        if (view := self._workspace.token_pane.views.take()) is not None:
            self.record(*view)
        self.record(request, Noted())

    # ── making steps ──

    def greet(self, hello: Hello) -> None:
        """The engine is ready: its versions stand in the session."""
        self._session.use_versions(hello.versions)
        self._models.greet(hello.roster)

    def record(self, request: AnyRequest, outcome: AnyOutcome, seconds: float = 0.0) -> None:
        """Make a step of it, as if it had been answered."""
        self._screen.post_message(Answered(self._session.step(request, outcome, seconds)))

    def hear(self, request: AnyRequest, answered: EngineAnswer, record: bool) -> None:
        """The engine answered."""
        if record and is_recorded(request):
            self.record(request, answered.outcome, answered.seconds)
        else:
            passing = Step(number=0, at="", seconds=answered.seconds, request=request, outcome=answered.outcome)
            self._screen.post_message(Answered(passing, record=False))

    # ── taking them in ──

    def take(self, message: Answered) -> None:
        """Record and show a step; before there are panes, keep it for later."""
        if not self._screen.is_open:
            self._early.append(message)
            return
        step = message.step
        if message.record:
            self._recorder.record(step)
            self.writing += 1
            self._workspace.session_pane.set_writing(self.writing)
        self._models.note(step)
        self._runs.note(step)
        self._workspace.show_step(step)

    def take_early(self) -> None:
        """The panes are there: now for what came before."""
        for message in self._early:
            self._screen.post_message(message)
        self._early.clear()

    def list_written(self, steps: Sequence[Step], trouble: str) -> None:
        """List steps once they are on disk: what is listed is kept. Those that could not be written are listed too."""
        pane = self._workspace.session_pane
        self.writing -= len(steps)
        for step in steps:
            pane.add(step)
        pane.set_writing(self.writing)
        self.show_trouble(trouble)

    def show_trouble(self, trouble: str) -> None:
        """Say on whatever tab that the session is not written (once), and that it is again."""
        self._workspace.session_pane.set_trouble(trouble)
        if trouble and trouble != self._trouble:
            what_to_do = "The steps are kept and tried again with the next one; ctrl+s continues in another file."
            self._screen.remark(f"{trouble[0].upper()}{trouble[1:]}. {what_to_do}", problem=True)
        elif self._trouble and not trouble:
            self._screen.remark("The session is written again: no step is missing.")
        self._trouble = trouble
