"""An engine that hears no cancellation, as inside a call of a library: it is ended by a second esc."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from explorer.base.records.models import ModelLoaded
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.unions import Cancelled
from explorer.pipe.client import EngineClient
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.settings import Settings
from explorer.tui.live import runs
from explorer.tui.live.app import ExplorerApp
from explorer.tui.panes.repeat_back.form import RepeatForm
from explorer.tui.screens.help import HelpScreen
from explorer.tui.widgets.option_line import Field
from tests.app_driver import asked, on_screen, until


async def test_what_does_not_stop_is_forced_by_a_second_esc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PATIENCE", 0.2)
    remarks: list[str] = []
    client = EngineClient()
    app = ExplorerApp(client, SessionWriter(tmp_path / "s.jsonl"), Settings(models=("zoo:mynah",)))
    monkeypatch.setattr(app, "notify", lambda message, **_: remarks.append(str(message)))
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        assert client.hello is not None
        before = client.hello.pid
        os.kill(before, signal.SIGSTOP)
        await pilot.press("r")
        await until(pilot, lambda: bool(app.runs.running))
        await pilot.press("escape")
        await until(pilot, lambda: any("does not stop" in said for said in remarks))
        assert app.runs.running
        await pilot.press("escape")
        await until(pilot, lambda: client.state == "ready" and client.hello is not None and client.hello.pid != before)
        await until(pilot, lambda: [type(step.outcome) for step in asked(app, RepeatBack)] == [Cancelled])
        await until(pilot, lambda: bool(app.selection.roster.models) and not app.runs.running)
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 2 and not app.runs.running)
        assert not isinstance(asked(app, RepeatBack)[1].outcome, Cancelled)
        await app.recorder.finish(60)
    loads = [step for step in read_session(tmp_path / "s.jsonl").steps if isinstance(step.outcome, ModelLoaded)]
    assert len(loads) == 2


async def test_esc_leads_out_of_a_text_field_though_what_runs_has_not_stopped(tmp_path: Path) -> None:
    client = EngineClient()
    app = ExplorerApp(client, SessionWriter(tmp_path / "s.jsonl"), Settings(models=("zoo:mynah",)))
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        assert client.hello is not None
        os.kill(client.hello.pid, signal.SIGSTOP)
        try:
            await pilot.press("r")
            await until(pilot, lambda: bool(app.runs.running))
            app.query_one(RepeatForm).query(Field).first().focus()
            await until(pilot, lambda: isinstance(app.focused, Field))
            await pilot.press("escape")
            assert isinstance(app.focused, Field), "the first one stops what runs"
            await pilot.press("escape", "question_mark")
            await until(pilot, lambda: isinstance(app.screen, HelpScreen))
            assert app.runs.running
        finally:
            os.kill(client.hello.pid, signal.SIGCONT)
        await until(pilot, lambda: not app.runs.running)
        assert [type(step.outcome) for step in asked(app, RepeatBack)] == [Cancelled]
