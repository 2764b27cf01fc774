"""Laws of going on with a session: resumed, continued from a replay, saved elsewhere, ended by a signal."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from explorer import cli
from explorer.base.records.compare import CompareTokens
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.tokens import LABELS
from explorer.base.records.vocabulary import RankTokens
from explorer.engine.handlers import Engine
from explorer.pipe.client import EngineClient, Listeners
from explorer.pipe.frames import Hello
from explorer.screens import Screens
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.live.dialogues import split_tags
from explorer.tui.replay.app import ReplayApp
from explorer.tui.replay.restore import loads_again
from explorer.tui.shell.openings import Opening, OpenLive, OpenNew, OpenReplay, OpenResumed
from tests.app_driver import asked, on_screen, resuming, running, screen_text, steps, until
from tests.direct_client import DirectClient


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def recorded(engine: Engine, tmp_path: Path) -> Path:
    """A session with a view, a mark, an answer and a note."""
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: len(asked(app, RankTokens)) == 1)
        await pilot.press("space", "r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 2 and len(asked(app, MarkToken)) == 1)
        await pilot.press("N")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"odd", "space", "number_sign", *"tour", "enter")
        await until(pilot, lambda: len(asked(app, WriteNote)) == 1)
        await app.recorder.finish(60)
        await app.action_quit()
        await pilot.pause()
        app.session.close()
    return tmp_path / "session.jsonl"


async def test_a_resumed_session_has_its_screen_its_models_and_its_file(engine: Engine, recorded: Path) -> None:
    before = read_session(recorded)
    async with resuming(engine, recorded) as (app, pilot):
        await until(pilot, lambda: app.selection.token is not None)
        screen = screen_text(app)
        assert "repeat-1" in screen
        assert "exact" in screen
        assert app.selection.model is not None
        assert app.selection.model.name == "mynah"
        view = [step.request for step in before.steps if isinstance(step.request, RankTokens)][-1]
        assert isinstance(view, RankTokens)
        assert f"sorted by {LABELS[view.sort]}" in screen
        marked = [step.request for step in before.steps if isinstance(step.request, MarkToken)]
        assert app.marks["mynah"] == {marked[0].token_id}
        assert app.selection.marked == {marked[0].token_id}
        assert [info.name for info in app.selection.roster.models] == ["mynah", "mynah-instruct"]
        assert steps(app)[: len(before.steps)] == before.steps
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 4)
        await app.recorder.finish(60)
    after = read_session(recorded)
    assert after.header == before.header
    assert after.steps[: len(before.steps)] == before.steps
    assert [step.number for step in after.steps] == list(range(1, len(after.steps) + 1))
    assert [type(step.request) for step in after.steps[len(before.steps) :]].count(LoadModel) == 2


async def test_a_resumed_session_knows_what_models_said_of_tokens_that_are_compared(
    engine: Engine, recorded: Path
) -> None:
    async with resuming(engine, recorded) as (app, pilot):
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        await pilot.press("J", "c")
        await until(pilot, lambda: len(asked(app, CompareTokens)) == 1)
        request = asked(app, CompareTokens)[0].request
        assert isinstance(request, CompareTokens)
        assert {(known.token_id, known.template) for known in request.repeated} == {
            (token_id, "repeat-1") for token_id in app.marks["mynah"]
        }


async def test_a_torn_line_is_said_when_a_session_is_resumed(engine: Engine, recorded: Path) -> None:
    recorded.write_bytes(recorded.read_bytes()[:-9])
    async with resuming(engine, recorded) as (app, _):
        assert any("torn" in notification.message for notification in app._notifications)


async def test_words_with_a_hash_at_the_end_of_a_note_are_tags(recorded: Path) -> None:
    note = next(step.request for step in read_session(recorded).steps if isinstance(step.request, WriteNote))
    assert (note.text, note.tags) == ("odd", ("tour",))


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("plain words", ("plain words", ())),
        ("a #b c #d #e #d", ("a #b c", ("d", "e"))),
        ("a # b #", ("a # b #", ())),
        ("#only #tags", ("#only #tags", ("only", "tags"))),
    ],
)
def test_tags_are_taken_from_the_end_alone(written: str, parts: tuple[str, tuple[str, ...]]) -> None:
    assert split_tags(written) == parts


async def test_saved_under_another_name_the_session_goes_on_there(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await app.recorder.finish(60)
        app.recorder.start()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"other", "enter")
        await until(pilot, lambda: app.session.path.name == "other.jsonl")
        first = (tmp_path / "session.jsonl").read_bytes()
        await pilot.press("space")
        await until(pilot, lambda: len(asked(app, MarkToken)) == 1)
        await app.recorder.finish(60)
        assert "other.jsonl" in str(app.workspace.session_pane._path)
    assert (tmp_path / "session.jsonl").read_bytes() == first
    assert (tmp_path / "other.jsonl").read_bytes().startswith(first)
    assert any(isinstance(step.request, MarkToken) for step in read_session(tmp_path / "other.jsonl").steps)


async def test_a_name_that_is_taken_is_refused_and_the_session_stays(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "taken.jsonl").write_text("something")
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("ctrl+s")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"taken", "enter")
        await until(pilot, lambda: any("exists" in each.message for each in app._notifications))
        assert app.session.path.name == "session.jsonl"


@pytest.mark.parametrize(("key", "kind"), [("enter", OpenReplay), ("r", OpenResumed)])
async def test_a_recent_session_is_replayed_or_gone_on_with(
    engine: Engine, recorded: Path, tmp_path: Path, key: str, kind: type[Opening]
) -> None:
    folder = tmp_path / "state" / "sessions"
    folder.mkdir(parents=True)
    (folder / "earlier.jsonl").write_bytes(recorded.read_bytes())
    session = SessionWriter(tmp_path / "now.jsonl")
    settings = Settings(models=(), state_folder=str(tmp_path / "state"))
    app = ExplorerApp(DirectClient(engine), session, settings)  # type: ignore[arg-type]
    async with on_screen(app, (80, 24)) as pilot:
        await until(pilot, lambda: app.is_open)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "earlier" in screen_text(app))
        await pilot.press(key)
        await until(pilot, lambda: app.ending.then is not None)
    opened = app.ending.then
    assert isinstance(opened, kind)
    assert isinstance(opened, OpenReplay | OpenResumed)
    assert opened.path == folder / "earlier.jsonl"
    if isinstance(opened, OpenReplay):
        assert opened.back == OpenResumed(session.path)


async def test_the_session_that_is_running_is_replayed_and_not_resumed(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "sessions"
    folder.mkdir(parents=True)
    session = SessionWriter(folder / "now.jsonl")
    session.append(session.step(WriteNote(text="here"), Noted(), 0.0))
    settings = Settings(models=(), state_folder=str(tmp_path / "state"))
    app = ExplorerApp(DirectClient(engine), session, settings)  # type: ignore[arg-type]
    async with on_screen(app, (80, 24)) as pilot:
        await until(pilot, lambda: app.is_open)
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "this session" in screen_text(app))
        await pilot.press("r")
        await until(pilot, lambda: "This session is running" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.ending.then is not None)
    assert app.ending.then == OpenReplay(session.path, back=OpenResumed(session.path))


async def test_an_engine_that_runs_says_hello_again_with_what_it_holds() -> None:
    """After a replay the explorer comes back to the engine that it left."""
    heard: list[Hello] = []
    client = EngineClient(listeners=Listeners(hello=heard.append))
    try:
        await client.start()
        loaded = (await client.ask(LoadModel(source="zoo:starling"))).outcome
        assert isinstance(loaded, ModelLoaded)
        await client.start()
        first, second = heard
        assert first.pid == second.pid
        assert (first.roster.models, [info.name for info in second.roster.models]) == ((), ["starling"])
    finally:
        await client.stop()


def test_folders_that_a_session_does_not_tell_are_found_among_the_sources_given() -> None:
    asked_for = [
        LoadModel(source="…/mine", allow_pickle=True),
        LoadModel(source="…/gone"),
        LoadModel(source="zoo:mynah"),
    ]
    loads, missing = loads_again(asked_for, Settings(models=("/models/mine",)))
    assert loads == [LoadModel(source="/models/mine"), LoadModel(source="zoo:mynah")]
    assert missing == ["…/gone"]
    borrowed = [LoadModel(source="gpt2", tokenizer="…/own", chat_day="2026-11-20")]
    assert loads_again(borrowed, Settings(models=())) == ([], ["…/own"])
    found = LoadModel(source="gpt2", tokenizer="/models/own", chat_day="2026-11-20")
    assert loads_again(borrowed, Settings(models=(), tokenizer="/models/own")) == ([found], [])


def test_what_a_screen_asks_for_next_is_opened(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[ExplorerApp] = []

    def run(app: ExplorerApp, loop: asyncio.AbstractEventLoop) -> None:
        shown.append(app)

    monkeypatch.setattr(ExplorerApp, "run", run)
    settings = Settings(state_folder=str(tmp_path / "state"))
    assert Screens(settings, None).show(OpenLive(recorded, (LoadModel(source="zoo:mynah"),))) == 0
    (app,) = shown
    assert app.start.again == (LoadModel(source="zoo:mynah"),)
    assert app.session._header.parent == recorded.name
    assert app.session.path.parent == tmp_path / "state" / "sessions"
    assert Screens(settings, None).show(OpenResumed(recorded, ("./dir",))) == 0
    assert shown[1].session.path == recorded
    assert shown[1].settings.models == ("./dir",)


def test_a_replay_goes_back_to_the_explorer_and_the_last_line_tells_how_to_resume(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[ExplorerApp | ReplayApp] = []

    def replay_next(app: ExplorerApp, loop: asyncio.AbstractEventLoop) -> None:
        """The user opens the recent session the first time, and quits the second."""
        shown.append(app)
        app.session.append(app.session.step(LoadModel(source="zoo:dodo"), Failure(message="no"), 0.1))
        if len(shown) == 1:
            app.ending.then = OpenReplay(recorded, back=OpenResumed(app.session.path))

    monkeypatch.setattr(ExplorerApp, "run", replay_next)
    monkeypatch.setattr(ReplayApp, "run", lambda app, loop: shown.append(app))  # `q` there leaves all as it is
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert Screens(Settings(state_folder=str(tmp_path / "state")), None).show(OpenNew(None)) == 0
    assert [type(app) for app in shown] == [ExplorerApp, ReplayApp, ExplorerApp]
    first, _, last = shown
    assert isinstance(first, ExplorerApp)
    assert isinstance(last, ExplorerApp)
    path = first.session.path
    assert last.session.path == path
    assert capsys.readouterr().out == f"session: {path} (resume it: glitch-explore --resume {path})\n"


def test_resume_without_a_session_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--resume"]) == 1
    assert capsys.readouterr().err.startswith("glitch-explore: no session was recorded yet")


@pytest.mark.parametrize("hears", [True, False])
def test_a_terminal_that_is_gone_ends_the_program(recorded: Path, hears: bool) -> None:
    """As a closed connection does it: the terminal's other end is closed, and the kernel sends SIGHUP; or whoever
    started the program had it ignored, and only writing fails."""
    before = len(SessionFile(recorded))
    child, master = pty.fork()
    if child == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL if hears else signal.SIG_IGN)
        os.execv(sys.executable, [sys.executable, "-m", "explorer", "--resume", str(recorded)])
    deadline = time.monotonic() + 60
    while len(SessionFile(recorded)) < before + 1:
        assert time.monotonic() < deadline
        if select.select([master], [], [], 0.05)[0]:
            os.read(master, 1 << 16)
    os.close(master)
    try:
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                break
            assert time.monotonic() < deadline
            time.sleep(0.01)
    except AssertionError:
        os.kill(child, signal.SIGKILL)
        raise
    assert os.waitstatus_to_exitcode(status) == 129
    assert read_session(recorded).warning == ""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143)])
def test_a_closed_terminal_and_a_request_to_end_leave_the_file_whole(
    recorded: Path, number: signal.Signals, status: int
) -> None:
    before = read_session(recorded).steps
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "explorer", "--resume", str(recorded)]
    program = subprocess.Popen(command, stdin=slave, stdout=subprocess.DEVNULL, stderr=slave, start_new_session=True)
    os.close(slave)
    try:
        deadline = time.monotonic() + 60
        while len(SessionFile(recorded)) < len(before) + 1:  # the first model is loaded again
            assert time.monotonic() < deadline
            if select.select([master], [], [], 0.05)[0]:
                os.read(master, 1 << 16)
        if number is signal.SIGHUP:
            os.close(master)
        program.send_signal(number)
        while program.poll() is None:
            assert time.monotonic() < deadline
            if number is not signal.SIGHUP and select.select([master], [], [], 0.05)[0]:
                with suppress(OSError):
                    os.read(master, 1 << 16)
            else:
                time.sleep(0.01)
        assert program.returncode == status
    finally:
        program.kill()
    after = read_session(recorded)
    assert after.warning == ""
    assert after.steps[: len(before)] == before
