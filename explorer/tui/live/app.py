"""The explorer: composes the panes, routes requests and outcomes, and keeps what is selected."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from textual import on
from textual.message import Message

from explorer.base.errors import ExplorerError
from explorer.base.records.models import LoadModel, ModelLoaded, ModelUnloaded, Roster
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.speakability import ProveSpeakability
from explorer.base.records.unions import AnyOutcome, AnyPart, AnyRequest, Cancelled, Step
from explorer.base.records.verification import Verify
from explorer.base.records.vocabulary import ReadVocabulary, VocabularyColumns
from explorer.pipe.client import RESTART, EngineClient, Listeners
from explorer.pipe.client import Answered as EngineAnswer
from explorer.pipe.frames import Hello
from explorer.sessions.file.store import SessionWriter, is_recorded
from explorer.settings import Settings
from explorer.tui.live.acts import Acts
from explorer.tui.live.desk import Desk, Ears, Recorder
from explorer.tui.shell.messages import (
    Answered,
    Ask,
    NeighbourOpened,
    StepOpened,
    TokenSelected,
    ViewSettled,
)
from explorer.tui.widgets.model_bar import ModelBar

if TYPE_CHECKING:
    from explorer.sessions.file.reader import SessionFile


class ExplorerApp(Acts):
    """The program on the screen. Everything it knows of models comes through `client`, or from a session file."""

    def __init__(
        self,
        client: EngineClient,
        session: SessionWriter,
        settings: Settings,
        settings_path: Path | None = None,
        before: SessionFile | None = None,
        again: Sequence[LoadModel] = (),
    ) -> None:
        """`before`: the steps that the session's file holds already, to go on from. `again`: how the models of an
        earlier session were loaded, besides the settings' ones."""
        super().__init__(settings, settings_path)
        self.before = before
        self.again = again
        self.awaited = ""
        """The model of a resumed session whose vocabulary is to be in the table."""
        self.client = client
        self.session = session
        self.vocabularies = {}
        self.reloads = {}
        self.digests = {}
        self.paused = {}
        self.trouble = ""
        self._early: list[Message] = []
        self.desk = Desk(client, Ears(self._show_asked, self._show_part, self._hear, self._show_running))
        self.recorder = Recorder(session, self._show_written)
        client.listeners = Listeners(
            hello=self._greet, roster=self._use_roster, stopped=self._engine_stopped, log=lambda line: None
        )

    # ── composition ───────────────────────────────────────────────────────────────────────────────────────

    async def on_mount(self) -> None:
        self.end_on_signals()
        self.recorder.start()
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        """After the first paint: start the engine, open the panes while it starts, and load the models."""
        known = [self.load_request(source) for source in self.settings.models] if self.before is None else []
        await self.start_engine(known)
        await self._open_panes()
        if self.again or self.before is not None:
            self.load_again(self.again)

    async def _open_panes(self) -> None:
        await self.open_panes()
        self.session_pane.set_file(self.session.path)
        if self.session.recovered:
            self.remark(f"{self.session.path.name}: {self.session.recovered}", problem=True)
        tab = "tokens"
        if self.before is not None:
            from explorer.tui.replay.restore import resume

            situation, tab = await resume(self, self.before)
            self.selection = replace(situation.selection, roster=self.selection.roster)
            self.awaited = self.selection.model.name if self.selection.model is not None else ""
            self.again = [loaded.request for loaded in situation.loaded]
        self.show_tab(tab)
        for message in self._early:
            self.post_message(message)
        self._early.clear()

    # ── what panes want ───────────────────────────────────────────────────────────────────────────────────

    @on(Ask)
    def answer(self, message: Ask) -> None:
        """Ask the engine, or answer at once what needs none."""
        match message.request:
            case MarkToken() | WriteNote() as request:
                self._note(request)
            case FindNeighbours(encoder="") as request if self.settings.encoder:
                self.desk.ask(msgspec.structs.replace(request, encoder=self.settings.encoder))
            case request:
                if message.record:
                    self.token_pane.record_view()
                self.desk.ask(request, record=message.record, latest="" if message.record else type(request).__name__)

    def _note(self, request: MarkToken | WriteNote) -> None:
        if isinstance(request, MarkToken):
            marks = self.marks[request.model]
            (marks.add if request.marked else marks.discard)(request.token_id)
            self.select(marked=frozenset(marks))
        # Nothing is waited for, so the table it was made at must be taken down now: a replay shows that one.
        if (view := self.token_pane.take_view()) is not None:
            self.take_down(*view)
        self.take_down(request, Noted())

    @on(ViewSettled)
    def record_view(self, message: ViewSettled) -> None:
        self.take_down(message.request, message.outcome)

    @on(TokenSelected)
    def follow_token(self, message: TokenSelected) -> None:
        """The cursor rests on a token: every pane learns of it, and its details are fetched."""
        self.select(token=message.row)
        self.inspect(message.row.token_id, record=message.opened)

    @on(NeighbourOpened)
    def go_to_neighbour(self, message: NeighbourOpened) -> None:
        if self.selection.model is not None and message.model == self.selection.model.name:
            self.token_pane.jump_to(message.token_id)
            self.show_tab("tokens")

    @on(StepOpened)
    def show_step_again(self, message: StepOpened) -> None:
        self.post_message(Answered(message.step, record=False))
        self.show_tab(self.tab_of(message.step.request))

    # ── what comes back ───────────────────────────────────────────────────────────────────────────────────

    def take_down(self, request: AnyRequest, outcome: AnyOutcome, seconds: float = 0.0) -> None:
        """Make a step of it, as if it had been answered."""
        self.post_message(Answered(self.session.step(request, outcome, seconds)))

    def _hear(self, request: AnyRequest, answered: EngineAnswer, record: bool) -> None:
        record = record and is_recorded(request)
        if record:
            self.take_down(request, answered.outcome, answered.seconds)
        else:
            passing = Step(number=0, at="", seconds=answered.seconds, request=request, outcome=answered.outcome)
            self.post_message(Answered(passing, record=False))

    @on(Answered)
    def record_and_show(self, message: Answered) -> None:
        """The one road of every outcome, live or replayed: to the session file and to its panes."""
        if not self.is_open:
            self._early.append(message)
            return
        step = message.step
        if message.record:
            self.recorder.record(step)
            self.session_pane.add(step)
        self._note_models(step)
        self._note_pause(step)
        self.show_in_panes(step)

    def _note_pause(self, step: Step) -> None:
        if isinstance(step.request, Verify | ProveSpeakability):
            self.paused.pop(step.request, None)
            if isinstance(step.outcome, Cancelled):
                self.paused[step.request] = None

    def _note_models(self, step: Step) -> None:
        match step.request, step.outcome:
            case LoadModel() as request, ModelLoaded(info=info):
                self.reloads[info.name] = request
                self.note_identity(info)
                if self.selection.model is None or self.awaited == info.name:
                    self.awaited = ""
                    self.choose_model(info)
            case LoadModel() as request, Failure() as failure:
                self.query_one(ModelBar).set_model_failed(request.source)
                said = ExplorerError(failure.message, failure.hint).line
                self.remark(said if request.source in said else f"{request.source}: {said}", problem=True)
            case LoadModel() as request, Cancelled():
                self.query_one(ModelBar).set_model_idle(request.source)
            case _, ModelUnloaded(model=name):
                self.forget_model(name)
            case ReadVocabulary() as request, VocabularyColumns():
                self.vocabularies[request.model] = step
                gc.freeze()
            case _:
                pass

    # ── the engine ────────────────────────────────────────────────────────────────────────────────────────

    def _greet(self, hello: Hello) -> None:
        self.session.use_versions(hello.versions)
        self.query_one(ModelBar).set_engine("ready", "")
        self._use_roster(hello.roster)

    def _use_roster(self, roster: Roster) -> None:
        self.query_one(ModelBar).set_roster(roster)
        self.select(roster=roster)

    def _engine_stopped(self, reason: str) -> None:
        self.query_one(ModelBar).set_engine("stopped", reason)
        self._use_roster(Roster(models=(), devices=()))
        self.remark(f"The engine stopped: {reason}. {RESTART}", problem=True)

    def _show_asked(self, request: AnyRequest) -> None:
        for pane in self.panes:
            if isinstance(request, pane.handles):
                pane.show_asked(request)

    def _show_part(self, request: AnyRequest, part: AnyPart) -> None:
        for pane in self.panes:
            if isinstance(request, pane.handles):
                pane.show_part(request, part)

    def _show_running(self) -> None:
        from explorer.specs.registry import describe  # not before the first paint

        bar = self.query_one(ModelBar)
        current = self.desk.current()
        if current is None:
            bar.clear_running()
            bar.set_waiting(0)
            return
        done, total = (current.progress.done, current.progress.total) if current.progress else (0, 0)
        bar.set_running(describe(current.pending.request), done, total, current.since)
        bar.set_waiting(len(self.desk.running) - 1)

    def _show_written(self, step: Step, trouble: str) -> None:
        self.show_trouble(trouble)
