"""What the screen says while models are on their way: that, and not that a key should be pressed."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.base.records.record import Failure, Progress
from explorer.base.records.tokens import TokenRow
from explorer.engine.handlers import Engine
from explorer.pipe.client import Answered
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.live.front import say_loading
from explorer.tui.panes.tokens.pane import TokenPane
from tests.app_driver import on_screen, screen_text, settled, until
from tests.direct_client import DirectClient, Gate, SlowClient


async def test_empty_panes_say_what_is_loaded_and_how_far_it_is(tmp_path: Path) -> None:
    client = SlowClient()
    settings = Settings(models=("zoo:my\x1bnah", "zoo:starling"))
    app = ExplorerApp(client, SessionWriter(tmp_path / "s.jsonl"), settings)  # type: ignore[arg-type]
    assert say_loading(settings.models) == "loading my\\u{1b}nah, starling …"
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.is_open and len(client.loads) == 2)
        await settled(pilot)
        said = screen_text(app)
        assert said.count("loading my\\u{1b}nah …") == 3, "the table, the replies, and the models to tick"
        assert "ress m" not in said
        on_part = client.loads[0].on_part
        assert on_part is not None
        on_part(Progress(done=32, total=100, what="weights"))
        await pilot.press("3")
        await settled(pilot)
        assert screen_text(app).count("loading my\\u{1b}nah … 32%") == 3
        for key in ("4", "6", "7"):  # these panes hint at their keys, which do nothing before there is a model
            await pilot.press(key)
            await settled(pilot)
            assert screen_text(app).count("loading my\\u{1b}nah … 32%") == 2, "the table, and the pane"
        client.loads[0].answer.set_result(Answered(Failure(message="no"), 0.1))
        await settled(pilot)
        assert "loading starling …" in screen_text(app)
        client.loads[1].answer.set_result(Answered(Failure(message="no"), 0.1))
        await until(pilot, lambda: "Press m to load a model" in screen_text(app))
        assert "loading" not in screen_text(app)


async def test_a_token_s_key_pressed_before_the_table_is_filled_says_what_is_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, real = Gate(), TokenPane.row_under_cursor

    def row_under_cursor(pane: TokenPane) -> TokenRow | None:
        found = real(pane)
        gate.wait()
        return found

    client = SlowClient(Engine())
    app = ExplorerApp(client, SessionWriter(tmp_path / "s.jsonl"), Settings(models=("zoo:mynah",)))  # type: ignore[arg-type]
    async with on_screen(app, (80, 24)) as pilot:
        await until(pilot, lambda: app.is_open and len(client.loads) == 1)
        monkeypatch.setattr(TokenPane, "row_under_cursor", row_under_cursor)
        app.asking.run_pane("logprobs")
        await settled(pilot)
        await client.load()
        await until(pilot, lambda: app.workspace.token_pane.table.token_id is not None)
        gate.opened.set()
        await settled(pilot)
        said = " ".join(note.message for note in app._notifications)
        assert "No vocabulary is read yet: loading mynah" in said
        assert "Select a token first" not in said


async def test_with_nothing_to_load_the_key_is_named(tmp_path: Path) -> None:
    app = ExplorerApp(DirectClient(), SessionWriter(tmp_path / "s.jsonl"), Settings(models=()))  # type: ignore[arg-type]
    assert say_loading(()) == ""
    async with on_screen(app) as pilot:
        await until(pilot, lambda: app.is_open and "Press m to load a model" in screen_text(app))
        assert not app.selection.loading
