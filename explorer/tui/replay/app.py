"""`glitch-explore replay FILE`: a session on the same panes, with no engine and no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.widget import Widget

from explorer.sessions.file.reader import SessionFile
from explorer.settings import Settings
from explorer.tui.replay.current_step import CurrentStep
from explorer.tui.replay.foot import ReplayFoot
from explorer.tui.replay.player import Player
from explorer.tui.replay.reading import Reading
from explorer.tui.replay.seeker import Seeker
from explorer.tui.shell.commands import REPLAY_COMMANDS, Command
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.messages import Answered, Ask, NeighbourOpened, StepOpened, TokenSelected, ViewSettled
from explorer.tui.shell.openings import Opening, OpenLive
from explorer.tui.shell.stage import Stage
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.model_bar import ModelBar
from explorer.tui.widgets.row_list import RowList


def open_replay(path: Path, settings: Settings, open_next: Callable[[Opening], int] | None = None) -> int:
    """Show the session at `path`; the exit status. `open_next` opens what the user asks to see next (live models).

    Raises `ExplorerError` where the file is not a session or was written by a newer version.
    """
    app = ReplayApp(SessionFile(path), settings)
    app.run()
    if app.ending.then is not None and open_next is not None:
        return open_next(app.ending.then)
    return app.return_code or 0


class ReplayApp(Stage):
    """A session file on the screen."""

    commands: ClassVar[tuple[Command, ...]] = REPLAY_COMMANDS

    def __init__(self, session: SessionFile, settings: Settings, settings_path: Path | None = None) -> None:
        super().__init__(settings, settings_path)
        self.session = session
        self.reading = Reading(session)
        self.current = CurrentStep(self, self.reading)
        self.seeker = Seeker(self, self.reading, self.current)
        self.player = Player(self, self.reading, self.current, self.seeker)
        self.dispatcher.add((), self._acts())
        for key, step in (("right", 1), ("left", -1)):
            self._bindings.bind(key, f"arrow({step})", show=False, priority=True)

    def _acts(self) -> dict[str, Callable[[], Any]]:
        """What the commands of a replay do."""
        return {
            "step_forward": partial(self.seeker.step_by, 1),
            "step_back": partial(self.seeker.step_by, -1),
            "first_step": self.current.jump_to_first,
            "last_step": self.current.jump_to_last,
            "go_to_step": self.seeker.ask_step,
            "play": self.player.toggle,
            "faster": partial(self.player.change_speed, 1),
            "slower": partial(self.player.change_speed, -1),
            "search": self.seeker.ask_words,
            "search_next": partial(self.seeker.search, 1),
            "search_previous": partial(self.seeker.search, -1),
            "only_token": self.seeker.toggle_only_token,
            "only_model": self.seeker.toggle_only_model,
            "go_live": self.go_live,
        }

    # ── opening ───────────────────────────────────────────────────────────────────────────────────────────

    def compose_foot(self) -> Sequence[Widget]:
        return (ReplayFoot(id="foot"),)

    async def on_mount(self) -> None:
        self.ending.heed_signals()
        self.query_one(ModelBar).set_engine("none")
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        await self.open_panes()
        self.workspace.token_pane.empty_hint = "Up to here the session holds no view of this model's token table."
        self.workspace.token_pane.clear()
        self.workspace.session_pane.set_file(self.session.path)
        self.current.list_steps()
        self.workspace.show_tab("tokens")
        self.reading.read_first()
        if len(self.session):
            self.current.go_to(0)
        self.current.show()
        run_guarded(self, self._read_on, group="read")

    async def _read_on(self) -> None:
        session = self.session
        await self.reading.read_on(self.current.show)
        self.current.list_steps()
        self.current.show()
        if session.warning:
            self.remark(f"{session.path.name}: {session.warning}", problem=True)

    # ── keys and messages ─────────────────────────────────────────────────────────────────────────────────

    def action_arrow(self, step: int) -> None:
        self.seeker.step_by(step)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The arrows step where nothing else wants them: not in dialogs, boxes and tables with columns."""
        if action == "arrow":
            focused = self.focused
            free = focused is None or isinstance(focused, RowList) or type(focused) is LinesView
            return self.is_open and len(self.screen_stack) == 1 and free
        return super().check_action(action, parameters)

    @on(StepOpened)
    def open_step(self, message: StepOpened) -> None:
        self.current.jump_to_listed(message.place)

    @on(TokenSelected)
    def follow_token(self, message: TokenSelected) -> None:
        """The user goes through the recorded rows; where the replay itself put the cursor nothing is new."""
        if message.row.token_id != self.current.shown_token or message.opened:
            self.current.shown_token = None
            self.select(token=message.row)

    @on(NeighbourOpened)
    def go_to_neighbour(self, message: NeighbourOpened) -> None:
        self.workspace.token_pane.jump_to(message.token_id)

    @on(Answered)
    def show_answered(self, message: Answered) -> None:
        self.workspace.show_step(message.step)

    @on(Ask)
    def refuse(self, message: Ask) -> None:
        """Nothing is asked in a replay."""
        self.remark("This is a replay: press c to continue with live models.")

    @on(ViewSettled)
    def drop_view(self, message: ViewSettled) -> None:
        """Nothing is recorded in a replay."""

    async def go_live(self) -> None:
        """End the replay; the models that were loaded at this moment are loaded in a new session."""
        loaded = self.current.situation.loaded
        if not loaded:
            self.remark("No model was loaded at this moment: go to a later step.")
            return
        await self.ending.leave_for(OpenLive(self.session.path, tuple(each.request for each in loaded)))
