"""kill -9 at any moment loses no finished step, on a fast disk and on a slow one, in small and in the real program."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.store import read_session

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("pace", "runs"), [("fast", 98), ("slow", 100)])
def test_no_kill_loses_a_finished_step(tmp_path: Path, pace: str, runs: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sessions.killed_writer", str(tmp_path), str(runs), pace],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = dict(re.findall(r"(\w+)=(\d+)", done.stdout))
    assert int(found["runs"]) == runs
    assert int(found["steps"]) > runs / 2  # most were killed in the middle of their work
    if pace == "slow":
        assert int(found["torn"]) > 5  # some inside a line


@pytest.mark.parametrize("rows", [1, 4])
def test_no_kill_of_the_real_program_loses_a_step_it_has_shown(tmp_path: Path, rows: int) -> None:
    """Kill the program and its engine when it has printed `rows` answers: all of them are in the file."""
    file = tmp_path / "s.jsonl"
    sources = ["zoo:mynah", "zoo:mynah"] * 8
    program = subprocess.Popen(
        [sys.executable, "-m", "explorer", "neighbours", *sources, "--token-id", "300", "--k", "1", "--json",
         "--session", str(file)],
        stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert program.stdout is not None
    shown = [json.loads(program.stdout.readline()) for _ in range(rows)]
    os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    shown += [json.loads(line) for line in program.stdout.read().splitlines()]
    session = SessionFile(file).index_all()
    answers = [step for step in session if type(step.request).__name__ == "FindNeighbours"]
    assert len(shown) <= len(answers) <= len(sources)
    assert read_session(file).warning == session.warning
