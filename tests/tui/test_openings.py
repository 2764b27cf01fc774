"""Keys that come before the panes are there, and boxes that are open while they are mounted, end nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest
from textual.command import CommandList
from textual.events import Key, Resize
from textual.geometry import Size

from explorer.engine.handlers import Engine
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live import runs
from explorer.tui.live.app import ExplorerApp
from explorer.tui.replay.app import ReplayApp
from explorer.tui.screens.help import HelpScreen
from explorer.tui.shell import opening
from explorer.tui.shell.commands import Command
from explorer.tui.shell.palette import Palette
from explorer.tui.shell.stage import Stage
from tests.app_driver import on_screen, running, until
from tests.direct_client import DirectClient

SAMPLE = Path(__file__).resolve().parents[2] / "sample_sessions" / "first-look.jsonl"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Panes are opened once it is set."""
    door, usual = threading.Event(), opening.find_plugins

    def wait() -> tuple[str, ...]:
        assert door.wait(60), "the test never opened the gate"
        return usual()

    monkeypatch.setattr(opening, "find_plugins", wait)
    return door


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a verification may take long to hear of its end; this engine cannot be killed."""
    monkeypatch.setattr(runs, "PATIENCE", 600.0)


def explorer(engine: Engine, folder: Path) -> ExplorerApp:
    settings = Settings(models=("zoo:mynah",), state_folder=str(folder))
    return ExplorerApp(DirectClient(engine), SessionWriter(folder / "s.jsonl"), settings)  # type: ignore[arg-type]


def resumed(engine: Engine, folder: Path) -> ExplorerApp:
    path = folder / "s.jsonl"
    path.write_bytes(SAMPLE.read_bytes())
    settings, before = Settings(models=(), state_folder=str(folder)), SessionFile(path)
    return ExplorerApp(DirectClient(engine), SessionWriter(path), settings, before=before)  # type: ignore[arg-type]


def replay(engine: Engine, folder: Path) -> ReplayApp:
    return ReplayApp(SessionFile(SAMPLE), Settings(state_folder=str(folder)))


def send_key(app: Stage, key: str) -> None:
    """Give the App a key as its driver does, without waiting for what comes of it."""
    app.post_message(Key(key, key if len(key) == 1 else None))


async def send_each(app: Stage, commands: Sequence[Command]) -> None:
    """The key of each command, and escape after it, so that the next one finds no box."""
    for command in commands:
        send_key(app, command.key.split(",")[0])
        await asyncio.sleep(0.005)
        send_key(app, "escape")
        await asyncio.sleep(0)


@pytest.mark.parametrize("make", [explorer, resumed, replay])
async def test_no_command_before_while_or_after_the_panes_are_opened_ends_the_program(
    make: Callable[[Engine, Path], Stage], engine: Engine, gate: threading.Event, tmp_path: Path
) -> None:
    app = make(engine, tmp_path)
    commands = [each for each in app.dispatcher.commands if each.name not in ("quit", "go_live")]
    async with on_screen(app, (120, 40)) as pilot:
        await send_each(app, commands)
        for command in commands:
            await app.run_action(f"app.command({command.name!r})")
        assert not app.is_open
        gate.set()
        while not app.is_open:
            await send_each(app, commands[:7])
        await send_each(app, commands)
        for _ in range(4):
            send_key(app, "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.is_running


async def test_q_ends_the_program_before_the_panes_are_there(
    engine: Engine, gate: threading.Event, tmp_path: Path
) -> None:
    app = explorer(engine, tmp_path)
    async with on_screen(app) as pilot:
        await pilot.pause()
        send_key(app, "q")
        async with asyncio.timeout(20):
            while app.is_running:
                await asyncio.sleep(0.01)
        assert app.return_code == 0
        gate.set()


async def test_a_screen_that_closes_takes_no_more_layout(engine: Engine, tmp_path: Path) -> None:
    chance = Random(12)
    async with running(engine, tmp_path, models=()) as (app, pilot):
        for key in ("question_mark", "m", "ctrl+o"):
            send_key(app, key)
            await until(pilot, lambda: len(app.screen_stack) == 2)
            screen = app.screen
            for moment in range(8):  # the last ones reach a screen whose widgets are gone
                size = Size(chance.randrange(60, 130), chance.randrange(20, 40))
                for each in (app, screen):
                    each.post_message(Resize(size, size))
                if moment == 3:
                    send_key(app, "escape")
                await asyncio.sleep(chance.choice((0, 0.01)))
            await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.is_running


async def test_the_palette_may_be_paged_before_its_list_has_room(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=()) as (app, pilot):
        await pilot.press("ctrl+p")
        await until(
            pilot, lambda: isinstance(app.screen, Palette) and app.screen.query_one(CommandList).option_count > 0
        )
        app.screen.query_one(CommandList).clear_options()
        app.screen.query_one(CommandList).styles.display = "none"
        await pilot.pause()
        app.screen.query_one(CommandList).add_options(["x", "y"])
        app.screen.query_one(CommandList).highlighted = 0
        for key in ("pageup", "pagedown", "home", "end", "escape"):
            await pilot.press(key)
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_the_palette_closes_itself_alone(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=()) as (app, pilot):
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, Palette))
        palette = app.screen
        palette.dismiss()
        palette.dismiss()
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert not app.notices.defects.found


async def test_a_box_may_be_closed_before_it_is_filled(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=()) as (app, pilot):
        for key in ("question_mark", "m", "ctrl+o", "ctrl+l", "ctrl+s", "N"):
            for looks in range(6):
                send_key(app, key)
                for _ in range(looks):
                    await asyncio.sleep(0)
                send_key(app, "escape")
                send_key(app, "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.is_running


async def test_the_help_may_be_open_while_the_panes_are_mounted(gate: threading.Event) -> None:
    app = ReplayApp(SessionFile(SAMPLE), Settings())
    async with on_screen(app, (120, 40)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        gate.set()
        await until(pilot, lambda: app.is_open)
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        await until(pilot, lambda: app.workspace.token_pane.table.has_focus)
