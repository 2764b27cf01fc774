"""Steps on their way to a disk that is full: said, tried once more at the end, and counted where they are lost."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from explorer.base.records.notes import Noted, WriteNote
from explorer.screens import Screens
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.settings import Settings
from explorer.tui.live.recorder import SessionRecorder
from explorer.tui.shell.openings import OpenNew


def full(descriptor: int, data: bytes) -> int:
    raise OSError(28, "No space left on device")


def raising(error: Exception) -> None:
    raise error


async def record(recorder: SessionRecorder, count: int) -> None:
    recorder.start()
    for number in range(count):
        recorder.record(recorder.session.step(WriteNote(text=f"note {number}"), Noted(), 0.0))
    await recorder._waiting.join()


def test_steps_that_wait_are_written_when_the_program_ends_and_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = SessionRecorder(SessionWriter(tmp_path / "s.jsonl"), lambda step, trouble: None, raising)

    async def work() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            await record(recorder, 3)
        assert recorder.loss() == "3 steps were not written to s.jsonl: No space left on device"
        await recorder.finish()

    asyncio.run(work())
    assert recorder.loss() == ""
    assert len(read_session(tmp_path / "s.jsonl").steps) == 3


def test_nothing_is_made_of_a_session_without_a_step(tmp_path: Path) -> None:
    recorder = SessionRecorder(SessionWriter(tmp_path / "s.jsonl", automatic=True), lambda step, trouble: None, raising)

    async def work() -> None:
        await record(recorder, 0)
        await recorder.finish()

    asyncio.run(work())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("lost", "code", "status"), [(0, 0, 0), (2, 0, 1), (2, 143, 143), (1, None, 1)])
def test_what_is_lost_is_said_on_stderr_and_by_the_status(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lost: int,
    code: int | None,
    status: int,
) -> None:
    recorder = SessionRecorder(SessionWriter(tmp_path / "s.jsonl"), lambda step, trouble: None, raising)

    async def work() -> None:
        monkeypatch.setattr(os, "write", full)
        await record(recorder, lost)
        await recorder.finish()
        monkeypatch.undo()

    app = SimpleNamespace(
        run=lambda loop: loop.run_until_complete(work()),
        recorder=recorder,
        session=recorder.session,
        ending=SimpleNamespace(then=None),
        return_code=code,
    )
    monkeypatch.setattr(Screens, "_explorer", lambda screens, opening: app)
    assert Screens(Settings(), None).show(OpenNew()) == status
    assert capsys.readouterr().err.count(f"{lost} step") == (1 if lost else 0)
    assert list(tmp_path.iterdir()) == []
