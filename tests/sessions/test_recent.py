"""Lists of sessions, and endings by signal."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from explorer.base.errors import ExplorerError
from explorer.base.records.notes import Noted, WriteNote
from explorer.sessions.file import recent
from explorer.sessions.file.recent import find_session, sample_sessions, sessions_in
from explorer.tui.shell.signals import ENDINGS, end_on_signals
from tests.sessions.example_sessions import exchanges, write_session


def test_the_session_written_last_comes_first(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "older", "oldest")):
        path = write_session(tmp_path / f"{name}.jsonl", exchanges()[: age + 1], title=f"about {name}")
        os.utime(path, (1000 - age, 1000 - age))
    (tmp_path / "notes.txt").write_text("no session")
    listed = sessions_in(tmp_path)
    assert [(entry.path.stem, entry.title, entry.steps) for entry in listed] == [
        ("new", "about new", 1), ("older", "about older", 2), ("oldest", "about oldest", 3),
    ]  # fmt: skip
    assert sessions_in(tmp_path, 2) == listed[:2]


def test_what_cannot_be_opened_is_listed_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text("bad")
    (entry,) = sessions_in(tmp_path)
    assert "not a session file" in entry.problem
    assert entry.steps is None


def test_no_folder_holds_no_sessions(tmp_path: Path) -> None:
    assert sessions_in(tmp_path / "nowhere") == ()


def test_a_session_is_found_by_path_or_by_the_name_of_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "samples_folder", lambda: tmp_path)
    sample = write_session(tmp_path / "first.jsonl", [(WriteNote(text="x"), Noted())])
    assert find_session("first") == find_session("first.jsonl") == find_session(str(sample)) == sample
    with pytest.raises(ExplorerError, match="no session other") as caught:
        find_session("other")
    assert "first" in caught.value.hint
    with pytest.raises(ExplorerError):
        find_session("folder/first")


def test_every_sample_opens_and_has_a_title() -> None:
    for listed in sample_sessions():
        assert listed.problem == ""
        assert listed.title
        assert listed.steps


@pytest.mark.parametrize("number", ENDINGS)
async def test_a_signal_to_end_is_heard_once_and_no_longer_after_undoing(number: signal.Signals) -> None:
    heard: list[str] = []
    done = asyncio.Event()

    def end(name: str) -> None:
        heard.append(name)
        done.set()

    before = signal.getsignal(number)
    undo = end_on_signals(asyncio.get_running_loop(), end)
    os.kill(os.getpid(), number)
    await asyncio.wait_for(done.wait(), 5)
    os.kill(os.getpid(), number)
    await asyncio.sleep(0)
    undo()
    assert heard == [number.name]
    assert signal.getsignal(number) == before
