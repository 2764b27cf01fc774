"""`session …` and `replay …` through the real command line; verifying with the real engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from explorer import cli
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.notes import Noted, WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.self_test import SelfTest
from explorer.engine.handlers import Engine
from explorer.headless import session_diff
from explorer.headless.session_verbs import run_session_verb
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.recent import sample_sessions
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.settings import Settings
from explorer.zoo import zoo_dir
from tests.direct_client import DirectClient
from tests.sessions.example_sessions import HOSTILE, exchanges, write_session

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program; its status, stdout and stderr."""

    def run_it(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("explorer.pipe.client.EngineClient", lambda command: DirectClient(engine))
        try:
            status = cli.main(words)
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return run_it


@pytest.fixture
def recorded(run: Run, tmp_path: Path) -> Path:
    """A session of the real program on the real zoo."""
    file = str(tmp_path / "recorded.jsonl")
    assert run("repeat", "zoo:mynah", "--token", " the", "--samples", "3", "--session", file)[0] == 0
    assert run("logprobs", "zoo:mynah", "--prompt", "The word is", "--top", "3", "--session", file)[0] == 0
    assert run("tokens", "zoo:mynah", "--top", "3", "--session", file)[0] == 0
    assert run("neighbours", "zoo:mynah", "--token", " the", "--k", "4", "--session", file)[0] == 0
    assert run("compare", "zoo:mynah", "--token", " the", "--token-id", "907", "--session", file)[0] == 0
    return Path(file)


def test_a_session_verifies_against_the_models_it_was_recorded_on(run: Run, recorded: Path) -> None:
    status, out, _ = run("replay", str(recorded), "--verify")
    assert status == 0
    assert "10 agree" in out
    assert "same seed" in out


def test_one_changed_number_is_found_and_the_status_says_so(run: Run, recorded: Path, tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "forged.jsonl")
    for step in read_session(recorded).steps:
        outcome = step.outcome
        if isinstance(step.request, ReadLogprobs):
            column = outcome.columns[0]  # type: ignore[union-attr]
            cell = msgspec.structs.replace(column.cells[1], logprob=column.cells[1].logprob - 0.01)
            column = msgspec.structs.replace(column, cells=(column.cells[0], cell, *column.cells[2:]))
            outcome = msgspec.structs.replace(outcome, columns=(column,))
        writer.append(msgspec.structs.replace(step, outcome=outcome))
    writer.close()
    status, out, _ = run("replay", str(writer.path), "--verify", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert [row["verdict"] for row in rows].count("differ") == 1
    assert "cells 2.logprob" in next(row["said"] for row in rows if row["verdict"] == "differ")
    status, out, _ = run("session", "diff", str(recorded), str(writer.path))
    assert status == 1
    assert "4 agree, 1 differ" in out


def damaged(path: Path, how: str) -> str:
    """The file at `path` with its second step unreadable, its last line torn, or only (part of) its header left."""
    lines = path.read_bytes().splitlines(keepends=True)
    left = {
        "line": [*lines[:2], b"{garbage\n", *lines[3:]],
        "torn": [*lines[:-1], lines[-1][:40]],
        "header": [lines[0][:40]],
        "empty": lines[:1],
    }
    path.write_bytes(b"".join(left[how]))
    return str(path)


DAMAGE = {"line": "line 3 is damaged", "torn": "is torn", "header": "holds no step"}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_does_not_verify_and_that_is_said_first(run: Run, tmp_path: Path, how: str) -> None:
    file = damaged(write_session(tmp_path / "s.jsonl", [(WriteNote(text="x"), Noted())] * 3), how)
    status, out, _ = run("replay", file, "--verify")
    assert status == 1
    assert DAMAGE[how] in out.splitlines()[0]
    status, out, _ = run("replay", file, "--verify", "--json")
    assert status == 1
    assert DAMAGE[how] in json.loads(out.splitlines()[0])["damage"]


def test_a_file_without_steps_does_not_verify(run: Run, tmp_path: Path) -> None:
    file = damaged(write_session(tmp_path / "s.jsonl", exchanges()), "empty")
    status, out, _ = run("replay", file, "--verify")
    assert (status, out.split()[-2:]) == (1, ["no", "steps"])


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_differs_even_from_itself_and_that_is_said_first(run: Run, tmp_path: Path, how: str) -> None:
    whole = str(write_session(tmp_path / "whole.jsonl", exchanges()))
    file = damaged(write_session(tmp_path / "s.jsonl", exchanges()), how)
    status, out, _ = run("session", "diff", file, file)
    assert status == 1
    assert [line[:2] for line in out.splitlines() if DAMAGE[how] in line] == ["A:", "B:"]
    status, out, _ = run("session", "diff", whole, file, "--json")
    first = json.loads(out.splitlines()[0])
    assert (status, first["session"]) == (1, "B")
    assert DAMAGE[how] in first["damage"]


def test_another_model_in_its_place_is_named_first(run: Run, recorded: Path) -> None:
    status, out, _ = run("replay", str(recorded), "--verify", "--model-map", "mynah=zoo:lyrebird")
    assert status == 1
    assert "another model" in out.splitlines()[0]
    assert "weights" in out.splitlines()[0]


@pytest.mark.parametrize("name", [listed.path.stem for listed in sample_sessions()])
def test_every_sample_agrees_with_live_models(run: Run, name: str, request: pytest.FixtureRequest) -> None:
    given: tuple[str, ...] = ()
    if name == "a-real-model":
        model = request.getfixturevalue("smollm2_gguf")
        given = ("--model-map", f"{model.stem}={model}")
    status, out, _ = run("replay", name, "--verify", *given, "--json")
    differing = [row for row in map(json.loads, out.splitlines()) if row["verdict"] not in ("agree", "nothing to run")]
    assert (status, differing) == (0, [])


def test_a_session_about_a_local_folder_is_checked_without_a_map(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "mine"
    shutil.copytree(zoo_dir("mynah"), folder)
    file = tmp_path / "s.jsonl"
    run("neighbours", str(folder), "--token-id", "300", "--k", "2", "--session", str(file))
    assert str(tmp_path) not in file.read_text()
    status, out, _ = run("replay", str(file), "--check", "--json")
    assert (status, [json.loads(line)["verdict"] for line in out.splitlines()]) == (0, ["agree", "agree"])
    moved = folder.rename(tmp_path / "elsewhere")
    assert run("replay", str(file), "--check")[0] == 1
    assert run("replay", str(file), "--check", "--model-map", f"mine={moved}")[0] == 0


def test_the_tours_are_among_the_samples(run: Run) -> None:
    _, out, _ = run("replay", "--list", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    names = {Path(row["path"]).stem for row in rows}
    tours = {"first-look", "base-and-instruct", "cannot-be-said", "neighbourhood-walk", "a-real-model", "which-base"}
    assert tours <= names
    assert all(row["title"] and row["steps"] and not row["problem"] for row in rows)
    assert run("replay", "--list")[1].count("\n") == len(rows) + 1


def test_a_sample_holds_no_path_of_the_machine_it_was_recorded_on() -> None:
    for listed in sample_sessions():
        text = listed.path.read_text()
        assert "/root" not in text
        assert "/home" not in text
        assert "/work" not in text
        assert any(type(step.request).__name__ == "WriteNote" for step in SessionFile(listed.path))


def test_replay_opens_the_screen_on_the_file(tmp_path: Path) -> None:
    file = write_session(tmp_path / "s.jsonl", exchanges())
    opened: list[Path] = []

    def no_client(settings: Settings) -> DirectClient:
        raise AssertionError("replay starts no engine")

    def open_replay(path: Path, settings: Settings) -> int:
        opened.append(path)
        return 7

    assert run_session_verb(["replay", str(file)], no_client, open_replay) == 7  # type: ignore[arg-type]
    assert opened == [file]


def test_a_session_does_not_differ_from_itself_even_where_it_is_hostile(run: Run, tmp_path: Path) -> None:
    file = str(write_session(tmp_path / "s.jsonl", exchanges(HOSTILE)))
    for words in ((), ("--json",)):
        status, out, _ = run("session", "diff", file, file, *words)
        assert status == 0
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_verifying_a_hostile_session_fails_safely(run: Run, tmp_path: Path) -> None:
    pairs = [pair for pair in exchanges(HOSTILE) if not isinstance(pair[0], SelfTest)]  # which takes half a minute
    status, out, err = run("replay", str(write_session(tmp_path / "s.jsonl", pairs)), "--verify")
    assert status == 1
    assert "\x1b" not in out + err
    assert "\u202e" not in out + err


def test_a_report_is_written_where_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    file = str(write_session(tmp_path / "s.jsonl", exchanges()))
    for name in ("out.html", "out.md"):
        assert run("session", "report", file, "-o", str(tmp_path / name)) == (0, "", "")
        assert "mynah" in (tmp_path / name).read_text()


def test_the_schema_is_json(run: Run) -> None:
    status, out, _ = run("session", "schema")
    assert status == 0
    assert "Header" in json.loads(out)["$defs"]


def test_recent_sessions_are_those_of_the_state_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(f'state_folder = "{tmp_path}"')
    write_session(tmp_path / "sessions" / "a.jsonl", exchanges(), title="mine")
    status, out, _ = run("session", "recent", "--settings", str(tmp_path / "settings.toml"), "--json")
    assert status == 0
    (row,) = [json.loads(line) for line in out.splitlines()]
    assert (row["title"], row["steps"], Path(row["path"]).name) == ("mine", len(exchanges()), "a.jsonl")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("session", "report", "nowhere.jsonl", "-o", "x.html"), "no session nowhere.jsonl"),
        (("session", "report", "first-look", "-o", "x.pdf"), ".html or .md"),
        (("replay", "nowhere", "--verify"), "first-look"),
        (("replay", "first-look", "--verify", "--model-map", "x"), "OLD=NEW"),
        (("session", "diff", "first-look", __file__), "not a session file"),
    ],
)
def test_a_failure_is_one_line_on_stderr_and_status_1(run: Run, words: tuple[str, ...], said: str) -> None:
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [("session",), ("replay",), ("session", "report", "x"), ("session", "diff", "x"), ("replay", "x", "--list")],
)
def test_wrong_usage_is_status_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words)[0] == 2


def test_of_very_many_requests_those_that_differ_are_listed_first_and_the_rest_is_counted(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_diff, "MOST_SHOWN", 3)
    asked, answer = next(pair for pair in exchanges() if isinstance(pair[0], FindNeighbours))
    paths = []
    for name, last in (("a", answer), ("b", Failure(message="out of memory"))):
        pairs = [(asked, answer)] * 4 + [(asked, last)]
        paths.append(str(write_session(tmp_path / f"{name}.jsonl", pairs)))
    status, out, _ = run("session", "diff", *paths)
    first = out.splitlines()[1].split()
    assert (status, first[:2], first[-1]) == (1, ["5", "5"], "differ")
    assert "… 2 more are not shown: --json lists all" in out
    assert "4 agree, 1 differ, 0 in one session only" in out
    _, out, _ = run("session", "diff", *paths, "--json")
    assert len(out.splitlines()) == 5


def test_of_very_many_damaged_lines_a_hundred_are_told_and_a_long_question_is_cut(run: Run, tmp_path: Path) -> None:
    file = write_session(tmp_path / "s.jsonl", [
        (FindNeighbours(model="y" * 5_000, token_id=1), Failure(message="none", hint="")),
    ])  # fmt: skip
    with file.open("ab") as session:
        session.write(b'{"kind": "Step", "number": "x"}\n' * 150)
    status, out, _ = run("session", "diff", str(file), str(file))
    assert status == 1
    lines = out.splitlines()
    assert len([line for line in lines if line.startswith("A: line")]) == 100
    assert len([line for line in lines if "… 50 more lines are damaged: --json lists all" in line]) == 2
    assert max(map(len, lines)) < 300
    _, told, _ = run("session", "diff", str(file), str(file), "--json")
    rows = [json.loads(line) for line in told.splitlines()]
    assert sum("damage" in row for row in rows) == 300
    assert any("y" * 5_000 in row.get("question", "") for row in rows)
