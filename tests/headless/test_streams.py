"""Output that cannot be written, and signals at any time: one line, a known exit status, and no engine left behind."""

from __future__ import annotations

import errno
import io
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from explorer import entry
from explorer.engine.handlers import Engine
from explorer.sessions.file.store import read_session
from tests.direct_client import DirectClient

PROGRAM = (sys.executable, "-m", "explorer")
FULL = "glitch-explore: the output cannot be written: No space left on device\n"
VERBS = (
    ("models",),
    ("models", "--json"),
    ("tokens", "zoo:mynah", "--top", "3"),
    ("tokens", "zoo:mynah", "--json"),
    ("inspect", "zoo:mynah", "--token-id", "907"),
    ("repeat", "zoo:mynah", "--token-id", "907"),
    ("logprobs", "zoo:mynah", "--template", "word-is", "--token-id", "907"),
    ("neighbours", "zoo:mynah", "--token-id", "907"),
    ("map", "zoo:mynah", "--json"),
    ("prove", "zoo:mynah", "--token-id", "907", "--json", "--quiet"),
    ("verify", "zoo:mynah", "--token-ids", "907", "--definitions", "plain", "--controls", "0"),
    ("session", "schema"),
    ("session", "diff", "first-look", "first-look"),
    ("session", "recent"),
    ("replay", "--list"),
    ("replay", "--list", "--json"),
    ("tokens", "--help"),
    ("--version",),
    ("--print-completion", "bash"),
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


class FullDisk(io.StringIO):
    """A stream on a disk without space."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def start(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """`start(stdout, *words)`: the exit status of the program in this process with such a stdout."""
    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("explorer.pipe.client.EngineClient", lambda command: DirectClient(engine))
    monkeypatch.setattr(os, "dup2", lambda old, new: None)  # the test's own stdout stays

    def started(stdout: io.StringIO, *words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["glitch-explore", *words])
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", sys.stderr)
        return entry.main()

    yield started
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_verb_says_in_one_line_that_its_output_cannot_be_written(
    words: tuple[str, ...], start: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(FullDisk(), *words) == 1
    assert capsys.readouterr().err == FULL


def test_a_session_is_kept_also_where_the_output_is_not(start: Callable[..., int], tmp_path: Path) -> None:
    session = tmp_path / "s.jsonl"
    assert start(FullDisk(), "tokens", "zoo:mynah", "--top", "3", "--session", str(session)) == 1
    assert [type(step.request).__name__ for step in read_session(session).steps] == ["LoadModel", "RankTokens"]


def _run(words: str, how: str) -> subprocess.CompletedProcess[str]:
    """The program by a shell, with its streams redirected so."""
    command = f"{shlex.join([*PROGRAM, *words.split()])} {how}"
    return subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        (">/dev/full", 1, FULL),
        (">&-", 1, "glitch-explore: the output cannot be written: it is closed\n"),
        (">&- 2>&-", 1, ""),
        (">/dev/full 2>/dev/full", 1, ""),
        ("<&- >&- 2>&-", 1, ""),
        ("| head -1 >/dev/null", 0, ""),
    ],
)
def test_streams_that_are_closed_or_full_end_the_program_in_one_line(how: str, status: int, said: str) -> None:
    ended = _run("session schema", how)
    assert (ended.returncode, ended.stderr) == (status, said)


def test_a_verb_with_an_engine_and_no_streams_ends_too() -> None:
    assert _run("models", "<&- >&- 2>&-").returncode == 1


@pytest.fixture(autouse=True)
def heard_signals() -> Iterator[None]:
    """The signals of a terminal are heard, although who runs the tests in the background may have had them ignored."""
    before = {each: signal.signal(each, signal.default_int_handler) for each in (signal.SIGINT, signal.SIGQUIT)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


INTERRUPTED_AT = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.{signal})
sys.meta_path.insert(0, Interrupt())
sys.argv[1:] = ["tokens", "zoo:mynah"]
from explorer.entry import main
sys.exit(main())
"""
"""The program, with a signal while a module is imported."""


@pytest.mark.parametrize("module", ["explorer.cli", "msgspec", "explorer.specs.registry", "explorer.headless.run"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_while_modules_are_imported_ends_the_program_without_a_traceback(module: str, name: str) -> None:
    code = INTERRUPTED_AT.format(module=module, signal=name)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.returncode in (-getattr(signal, name), 130)
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="without /proc children are not found")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGKILL"])
def test_a_signal_while_the_engine_starts_leaves_no_engine(name: str) -> None:
    run = subprocess.Popen([*PROGRAM, "tokens", "zoo:mynah"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not (engines := _children(run.pid)):
        assert run.poll() is None
        time.sleep(0.005)
    run.send_signal(getattr(signal, name))
    out, err = run.communicate(timeout=30)
    assert out == ""
    assert err in ("", "glitch-explore: stopped\n")
    assert run.returncode in (-getattr(signal, name), 128 + getattr(signal, name))
    until = time.monotonic() + 10
    while any(Path(f"/proc/{engine}/exe").exists() for engine in engines):
        assert time.monotonic() < until, "the engine runs on"
        time.sleep(0.01)


def test_an_engine_whose_client_is_gone_ends_before_it_has_imported_its_libraries() -> None:
    engine = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "explorer.engine"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _, imported = engine.communicate(timeout=60)  # closes stdin
    assert engine.returncode == 0
    assert b" transformers\n" not in imported


def _disk_is_full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "words",
    [
        ("session", "report", "first-look", "-o", "{}/x.html"),
        ("session", "report", "first-look", "-o", "{}/x.md"),
        ("verify", "zoo:mynah", "--token-ids", "907", "--definitions", "plain", "--export", "{}/x.csv"),
        ("prove", "zoo:mynah", "--token-id", "907", "--export", "{}/x.jsonl"),
    ],
    ids=lambda words: " ".join(words[:1]),
)
def test_a_file_that_cannot_be_written_whole_leaves_nothing(
    words: tuple[str, ...],
    start: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("explorer.base.files.os.fsync", _disk_is_full)
    place = tmp_path / "out"
    place.mkdir()
    quietly = () if words[0] == "session" else ("--quiet",)
    assert start(io.StringIO(), *(word.format(place) for word in words), *quietly) == 1
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert said.count("\n") == 1
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("verb", ["prove", "speakable"])
def test_proofs_that_cannot_be_kept_are_a_failure(
    verb: str, start: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def is_full(connection: object, entries: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        raise error

    monkeypatch.setattr("explorer.engine.answers.cache._insert", is_full)
    assert start(io.StringIO(), verb, "zoo:mynah", "--token-id", "11,12", "--quiet") == 1
    said = capsys.readouterr().err
    assert "cannot be written: No space left on device. Make room" in said
    assert said.count("\n") == 1


def test_a_state_folder_that_cannot_be_written_is_one_line(
    start: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, "/proc/nowhere")
    words = ("zoo:mynah", "--token-ids", "907", "--definitions", "plain", "--controls", "0")
    assert start(io.StringIO(), "verify", *words) == 1
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert said.count("\n") == 1
    assert start(io.StringIO(), "tokens", "zoo:mynah", "--top", "3") == 0
    assert capsys.readouterr().err == ""
