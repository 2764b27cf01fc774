"""Keys that come before the panes are there, and boxes that are open while they are mounted, end nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from explorer.engine.handlers import Engine
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.replay.app import ReplayApp
from explorer.tui.screens.help import HelpScreen
from explorer.tui.shell import stage
from explorer.tui.shell.stage import Stage
from tests.app_driver import on_screen, until
from tests.direct_client import DirectClient

SAMPLE = Path(__file__).resolve().parents[2] / "sample_sessions" / "first-look.jsonl"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Panes are opened once it is set."""
    door, usual = threading.Event(), stage.find_plugins

    def wait() -> tuple[str, ...]:
        assert door.wait(60), "the test never opened the gate"
        return usual()

    monkeypatch.setattr(stage, "find_plugins", wait)
    return door


def explorer(tmp_path: Path) -> Stage:
    settings = Settings(models=("zoo:mynah",))
    return ExplorerApp(DirectClient(Engine()), SessionWriter(tmp_path / "s.jsonl"), settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("which", ["explorer", "replay"])
async def test_no_command_before_the_panes_ends_the_program(which: str, gate: threading.Event, tmp_path: Path) -> None:
    app = explorer(tmp_path) if which == "explorer" else ReplayApp(SessionFile(SAMPLE), Settings())
    usual = {command.name: command.key.split(",")[0] for command in app.dispatcher.commands}
    async with on_screen(app, (120, 40)) as pilot:
        for name, key in usual.items():
            if name not in ("quit", "go_live"):
                await pilot.press(key)
                await pilot.press("escape")
        assert not app.is_open
        gate.set()
        await until(pilot, lambda: app.is_open)
        await pilot.press("escape")
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
