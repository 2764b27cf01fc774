"""The explorer: an App that owns what is known of models, runs and the session, and routes messages to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on

from explorer.base.records.models import LoadModel
from explorer.pipe.client import EngineClient, Listeners
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings, state_folder
from explorer.tui.live.acts import acts_of
from explorer.tui.live.asking import Asking
from explorer.tui.live.dialogues import Dialogues
from explorer.tui.live.front import LiveFront, ears_of
from explorer.tui.live.jumps import Jumps, TableNews
from explorer.tui.live.models import Models, offer_models
from explorer.tui.live.recorder import SessionRecorder
from explorer.tui.live.runs import Runs
from explorer.tui.live.start import Start
from explorer.tui.live.steps import Steps
from explorer.tui.shell.guarded import guard_call
from explorer.tui.shell.messages import (
    Answered,
    Ask,
    FilterWanted,
    NeighbourOpened,
    StepOpened,
    TokenPointedAt,
    TokenSelected,
    ViewSettled,
    VocabularyOpened,
)
from explorer.tui.shell.opening import open_after_paint
from explorer.tui.shell.openings import OpenReplay
from explorer.tui.shell.stage import Stage

if TYPE_CHECKING:
    from explorer.sessions.file.reader import SessionFile


class ExplorerApp(Stage):
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
        """`before`: the steps that the session's file holds already, to continue. `again`: how the models of an
        earlier session were loaded, besides the settings' ones."""
        super().__init__(settings, settings_path)
        self.client = client
        self.session = session
        self.front = LiveFront(self)
        self.start = Start(self, before, again)
        self.recorder = SessionRecorder(session, self.front.show_written, self._handle_exception)
        self.runs = Runs(client, ears_of(self))
        self.models = Models(self.front, self.runs, client, settings)
        self.asking = Asking(self.front, self.workspace, self.runs, client)
        self.jumps = Jumps(self.front, self.workspace, self.models)
        self.dialogues = Dialogues(self)
        self.steps = Steps(session, self.recorder, self.runs, self.models, self.workspace, self)
        self.ask_of_token = self.asking.run_pane
        self.exports.ask = client.ask
        self.dispatcher.add((), acts_of(self))
        self.dispatcher.offers.append(lambda: offer_models(self.models, self.selection))
        heard = (self.steps.greet, self.models.use_roster, self.models.note_stop)
        client.listeners = Listeners(*(guard_call(self, each) for each in heard))

    async def on_mount(self) -> None:
        self.ending.heed_signals()
        self.recorder.start()
        open_after_paint(self, self.start.begin)

    async def finish(self) -> None:
        """Everything is on disk, the engine told; no model is waited for. During a replay it keeps its models."""
        await self.recorder.finish()
        self.workspace.room.keep(state_folder(self.settings))
        if isinstance(self.ending.then, OpenReplay):
            self.client.cancel_all()
        else:
            await self.client.stop()

    @on(Ask)
    def ask(self, message: Ask) -> None:
        self.steps.ask(message)

    @on(ViewSettled)
    def record_view(self, message: ViewSettled) -> None:
        self.steps.record(message.request, message.outcome)

    @on(Answered)
    def take_step(self, message: Answered) -> None:
        self.steps.take(message)

    @on(TokenSelected)
    @on(NeighbourOpened)
    @on(TokenPointedAt)
    @on(FilterWanted)
    @on(VocabularyOpened)
    def move_table(self, message: TableNews) -> None:
        self.jumps.obey(message)

    @on(StepOpened)
    def show_step_again(self, message: StepOpened) -> None:
        self.jumps.show_step(message.step)
