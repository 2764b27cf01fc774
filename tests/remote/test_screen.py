"""The explorer with nothing but a model behind a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.models import LoadModel
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.servers import ServerEntry
from explorer.engine.handlers import Engine
from explorer.engine.models.local import LocalModel
from explorer.engine.models.remote import waiting
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.settings import Settings, read_settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.widgets.option_line import Field
from tests.app_driver import asked, on_screen, screen_text, settled, until
from tests.direct_client import DirectClient
from tests.remote.fake_vllm import FakeVllm


async def test_its_tokens_are_browsed_asked_and_what_it_cannot_do_is_said(vllm: FakeVllm, tmp_path: Path) -> None:
    vllm.max_logprobs = 20
    lab = ServerEntry(name="lab", url=vllm.url, kind="vllm", tokenizer="zoo:starling")
    settings = Settings(models=("server:lab",), servers=(lab,))
    app = ExplorerApp(DirectClient(Engine()), SessionWriter(tmp_path / "s.jsonl"), settings)  # type: ignore[arg-type]
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        await settled(pilot)
        for key in ("r", "l", "n"):
            await pilot.press(key)
            await until(pilot, lambda: not app.runs.running)
            await settled(pilot)
        assert "lab gives no embedding matrices, so it cannot answer" in screen_text(app)
        assert "weights:SOURCE, of the model that is served." in screen_text(app)
        assert "none: its row holds no numbers" in screen_text(app)
        (repeated,), (table,) = asked(app, RepeatBack), asked(app, ReadLogprobs)
        assert isinstance(repeated.outcome, RepeatBackResult)
        assert repeated.outcome.probe.replies[0].token_bound == "exact"
        assert isinstance(table.outcome, LogprobTable)
        assert table.outcome.columns[0].entropy is None
        (loaded,) = [step for step in read_session(tmp_path / "s.jsonl").steps if isinstance(step.request, LoadModel)]
        assert isinstance(loaded.request, LoadModel)
        assert (loaded.request.source, loaded.request.server) == (f"vllm:{vllm.url}", None)
        await pilot.press("m")
        await until(pilot, lambda: "names its 20 likeliest tokens and those asked for" in screen_text(app))
        await pilot.press("escape")


async def test_a_server_is_added_on_the_screen_kept_in_the_settings_and_loaded(vllm: FakeVllm, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("seed = 3  # lucky\n")
    settings = Settings(models=(), seed=3)
    session = SessionWriter(tmp_path / "s.jsonl")
    app = ExplorerApp(DirectClient(Engine()), session, settings, file)  # type: ignore[arg-type]
    async with on_screen(app, (80, 24)) as pilot:
        await until(pilot, lambda: app.is_open)
        await pilot.press("m")
        await settled(pilot)
        await pilot.press("a")
        await settled(pilot)
        assert "Add a server" in screen_text(app)
        for typed in ("lab", None, "vllm.example", None, None, "zoo:starling"):
            await pilot.press(*(typed or ()), "tab")
        await pilot.press("enter")
        await until(pilot, lambda: "a server's URL must be http://host:port" in screen_text(app))
        assert file.read_text() == "seed = 3  # lucky\n"
        field = app.screen.query_one("#server-url", Field)
        field.value = vllm.url
        field.focus()
        await pilot.press("enter")
        await until(pilot, lambda: any(info.name == "lab" for info in app.selection.roster.models))
        await until(pilot, lambda: not app.runs.running)
    assert file.read_text().startswith("seed = 3  # lucky\n")
    (server,) = read_settings(file, {}).servers
    assert (server.name, server.url, server.kind, server.tokenizer) == ("lab", vllm.url, "vllm", "zoo:starling")


async def test_two_entries_of_one_model_are_told_how_to_share_and_a_wait_is_shown(
    vllm: FakeVllm, starling: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = FakeVllm(starling)
    servers = tuple(
        ServerEntry(name=name, url=server.url, kind="vllm", tokenizer="zoo:starling")
        for name, server in (("lab", vllm), ("lab2", second))
    )
    settings = Settings(models=("server:lab", "server:lab2"), servers=servers)
    app = ExplorerApp(DirectClient(Engine()), SessionWriter(tmp_path / "s.jsonl"), settings)  # type: ignore[arg-type]
    async with on_screen(app, (120, 24)) as pilot:

        def told() -> int:
            return sum("same model as" in note.message for note in app._notifications)

        await until(pilot, lambda: told() == 1 and len(app.selection.roster.models) == 2 and not app.runs.running)
        await pilot.press("m")
        await until(pilot, lambda: "to share work, add its URL to" in screen_text(app))
        await pilot.press("escape")
        monkeypatch.setattr(waiting, "TELLS_FROM", 0.2)
        for server in (vllm, second):
            server.faults.extend(["hang"] * 9)
        await pilot.press("r")
        await until(pilot, lambda: "waiting 0 of 60 s for lab" in screen_text(app))
        assert "esc cancels" in screen_text(app).splitlines()[0]
        await pilot.press("escape")
        await until(pilot, lambda: not app.runs.running)
    second.close()
