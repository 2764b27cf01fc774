"""Keys that open a box, pressed too early: the box takes what follows, or a remark says why there is none, and letters
that follow at once are never commands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from explorer.base.records.record import Failure
from explorer.engine.handlers import Engine
from explorer.pipe.client import Answered
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.shell.stage import Stage
from tests.app_driver import on_screen, settled, until
from tests.direct_client import DirectClient, SlowClient
from tests.replay_driver import replaying
from tests.tui.snapshot_samples import write_tour

LETTERS = "qua"
"""As commands: quit, reference tokens, prove."""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def explorer(client: DirectClient, folder: Path, *models: str) -> ExplorerApp:
    return ExplorerApp(client, SessionWriter(folder / "s.jsonl"), Settings(models=models))  # type: ignore[arg-type]


@asynccontextmanager
async def with_nothing(folder: Path) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    app = explorer(DirectClient(), folder)
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.is_open)
        yield app, pilot


@asynccontextmanager
async def loading(folder: Path) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    client = SlowClient()
    app = explorer(client, folder, "zoo:mynah")
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.is_open and len(client.loads) == 1)
        yield app, pilot


@asynccontextmanager
async def failed(folder: Path) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    async with loading(folder) as (app, pilot):
        assert isinstance(app, ExplorerApp)
        assert isinstance(app.client, SlowClient)
        app.client.loads[0].answer.set_result(Answered(Failure(message="no such folder"), 0.1))
        await until(pilot, lambda: bool(app.models.failures))
        yield app, pilot


def replayed(folder: Path) -> AbstractAsyncContextManager[tuple[Stage, Pilot[None]]]:
    return replaying(write_tour(folder / "tour.jsonl"))


def box_keys(app: Stage) -> dict[str, str]:
    """By command, the key that opens a box for text; and the palette's."""
    keys = {each.name: each.key for each in app.dispatcher.commands if each.opens == "box"}
    return keys | {"palette": app.COMMAND_PALETTE_BINDING}


async def type_ahead(app: Stage, pilot: Pilot[None], key: str) -> str:
    """Press `key` and at once the letters; what stands in the box then, or the remark where no box came."""
    app.clear_notifications()
    for each in (key, *LETTERS):
        app.simulate_key(each)
    await until(pilot, lambda: not app.dispatcher.waits)
    await settled(pilot)
    assert app.is_running
    assert not app._exit
    if isinstance(app.focused, Input):
        return app.focused.value
    assert len(app.screen_stack) == 1
    return " ".join(note.message for note in app._notifications)


@pytest.mark.parametrize("state", [with_nothing, loading, failed, replayed])
async def test_letters_after_the_key_of_a_box_go_into_the_box_or_nowhere(
    tmp_path: Path, state: Callable[[Path], AbstractAsyncContextManager[tuple[Stage, Pilot[None]]]]
) -> None:
    async with state(tmp_path) as (app, pilot):
        tabs, refused = app.workspace.focus.right, {}
        for name, key in box_keys(app).items():
            told = await type_ahead(app, pilot, key)
            if not isinstance(app.focused, Input):
                assert told, f"{name} opened nothing and said nothing"
                refused[name] = told
            elif name != "go_to_step":  # which takes digits
                assert told.endswith(LETTERS), name
            while isinstance(app.focused, Input):
                await pilot.press("escape")
                await pilot.pause()
            assert len(app.screen_stack) == 1
            assert app.workspace.focus.right == tabs, "no letter was a command"
        assert set(refused) <= {"export", "export_marked", "reference"}


async def test_what_is_typed_before_there_is_a_table_is_applied_when_it_comes(engine: Engine, tmp_path: Path) -> None:
    client = SlowClient(engine)
    app = explorer(client, tmp_path, "zoo:mynah")
    async with on_screen(app, (120, 40)) as pilot:
        for key in ("slash", *"id:40-49"):
            app.simulate_key(key)
        assert not app.is_open, "the panes are not there yet"
        await until(pilot, lambda: app.is_open and not app.dispatcher.waits and len(client.loads) == 1)
        box = app.focused
        assert isinstance(box, Input)
        assert box.value == "id:40-49"
        await pilot.press("enter", "g", "4", "2", "enter")
        await settled(pilot)
        told = " ".join(note.message for note in app._notifications)
        assert "No vocabulary is read yet: loading mynah" in told
        jump = app.focused
        assert isinstance(jump, Input), "it waits, with what was typed"
        assert jump.value == "42"
        await client.load()
        table = app.workspace.token_pane.table
        await until(pilot, lambda: table.token_id == 42)
        assert table.has_focus
        view = app.workspace.token_pane.views.view
        assert view is not None
        assert view.request.filter == "id:40-49"
        assert len(view.rows) == 10
