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
from explorer.tui.replay.current_step import NO_VIEW, CurrentStep
from explorer.tui.replay.foot import ReplayFoot
from explorer.tui.replay.player import Player
from explorer.tui.replay.reading import Reading
from explorer.tui.replay.seeker import Seeker
from explorer.tui.shell.commands import REPLAY_COMMANDS, Command
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.messages import Answered, Ask, NeighbourOpened, Selection, StepOpened, TokenSelected
from explorer.tui.shell.opening import hear_commands, open_after_paint, open_panes
from explorer.tui.shell.openings import OpenLive
from explorer.tui.shell.stage import Stage
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.model_bar import ModelBar
from explorer.tui.widgets.row_list import RowList


class ReplayApp(Stage):
    """A session file on the screen."""

    commands: ClassVar[tuple[Command, ...]] = REPLAY_COMMANDS
    is_replay: ClassVar[bool] = True
    """Panes and fields name no key that asks something (`is_replayed`)."""

    def __init__(self, session: SessionFile, settings: Settings, settings_path: Path | None = None) -> None:
        super().__init__(settings, settings_path)
        self.session = session
        self.selection = Selection(loading="opening the session …")
        self.reading = Reading(session)
        self.current = CurrentStep(self, self.reading)
        self.seeker = Seeker(self, self.reading, self.current)
        self.player = Player(self, self.reading, self.current, self.seeker)
        self.dispatcher.add((), replay_acts(self))
        for key, step in (("right", 1), ("left", -1)):
            self._bindings.bind(key, f"arrow({step})", show=False, priority=True)

    def compose_foot(self) -> Sequence[Widget]:
        return (ReplayFoot(id="foot"),)

    async def on_mount(self) -> None:
        self.ending.heed_signals()
        self.query_one(ModelBar).set_engine("none")
        open_after_paint(self, partial(_begin, self))

    def action_arrow(self, step: int) -> None:
        self.seeker.step_by(step)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The arrows step where nothing else wants them: not in dialogs, boxes and tables with columns."""
        if action == "arrow":
            return self.is_open and len(self.screen_stack) == 1 and _leaves_arrows(self.focused)
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
        commands = self.workspace.token_pane.commands
        if commands.has_rows:
            commands.jump_to(message.token_id)
        else:
            self.remark(NO_VIEW, problem=True)

    @on(Answered)
    def show_answered(self, message: Answered) -> None:
        self.workspace.show_step(message.step)

    @on(Ask)
    def refuse(self, message: Ask) -> None:
        """Nothing is asked in a replay."""
        self.remark("This is a replay: press c to continue with live models.")


def _leaves_arrows(focused: Widget | None) -> bool:
    """Whether the arrows do nothing else in the widget with the focus."""
    return focused is None or isinstance(focused, RowList) or type(focused) is LinesView


async def _begin(app: ReplayApp) -> None:
    """Open the panes and show the step that it opens at, then read the rest of the file."""
    await open_panes(app)
    await app.current.begin()
    app.current.show()
    hear_commands(app)
    if app.ending.then is not None:
        app.remark("q goes back to the explorer.")
    run_guarded(app, partial(_read_on, app), group="read")


async def _read_on(app: ReplayApp) -> None:
    """Read the file to its end, and list all of it."""
    await app.reading.read_on(app.current.show)
    app.current.list_steps()
    app.current.show()
    if app.session.warning:
        app.remark(f"{app.session.path.name}: {app.session.warning}", problem=True)


def replay_acts(app: ReplayApp) -> dict[str, Callable[[], Any]]:
    """What the commands of a replay do."""
    return {
        "step_forward": partial(app.seeker.step_by, 1),
        "step_back": partial(app.seeker.step_by, -1),
        "first_step": app.current.jump_to_first,
        "last_step": app.current.jump_to_last,
        "go_to_step": app.seeker.ask_step,
        "play": app.player.toggle,
        "faster": partial(app.player.change_speed, 1),
        "slower": partial(app.player.change_speed, -1),
        "search": app.seeker.ask_words,
        "search_next": partial(app.seeker.search, 1),
        "search_previous": partial(app.seeker.search, -1),
        "only_token": app.seeker.toggle_only_token,
        "only_model": app.seeker.toggle_only_model,
        "go_live": partial(go_live, app),
        "cancel": partial(leave, app),
    }


def leave(app: ReplayApp) -> None:
    """Stop playing; or else the keys go to the token table."""
    if app.current.playing:
        app.player.toggle()
    elif app.is_open:
        app.workspace.show_tab("tokens")


async def go_live(app: ReplayApp) -> None:
    """End the replay; the models that were loaded at this moment are loaded in a new session."""
    loaded = app.current.situation.loaded
    if not loaded:
        app.remark("No model was loaded at this moment: go to a later step.")
        return
    await app.ending.leave_for(OpenLive(app.session.path, tuple(each.request for each in loaded)))
