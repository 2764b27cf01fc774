"""A run that is ended by TERM says what it leaves on disk."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from explorer.base.records.unions import Cancelled
from explorer.sessions.file.store import read_session

STALLED = """
import time
from explorer.engine.answers.speakability import answer
whole = answer.own_direction_winners
def slowly(*given, **named):
    for part in whole(*given, **named):
        yield part
        time.sleep(0.15)
answer.own_direction_winners = slowly
from explorer.engine.server import main
main()
"""
"""An engine that takes its time over each part of the vocabulary."""


def tokens_kept(cache: Path) -> int:
    """How many tokens are on disk."""
    for file in cache.glob("glitch-explore/speakability/*/own_direction.sqlite"):
        with contextlib.closing(sqlite3.connect(file)) as database, contextlib.suppress(sqlite3.OperationalError):
            return int(database.execute("SELECT count(*) FROM kept").fetchone()[0])
    return 0


@pytest.mark.parametrize("sigint", [signal.SIG_DFL, signal.SIG_IGN], ids=["foreground", "background of a script"])
def test_a_run_ended_by_term_says_how_much_is_kept_and_that_it_continues(
    tmp_path: Path, sigint: signal.Handlers
) -> None:
    engine = tmp_path / "slow_engine.py"
    engine.write_text(STALLED)
    words = ("prove", "zoo:mynah", "--all", "--mode", "own_direction", "--engine", f"{sys.executable} {engine}",
             "--session", str(tmp_path / "s.jsonl"))  # fmt: skip
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    run = subprocess.Popen(
        [sys.executable, "-c", f"import sys; from explorer.cli import main; sys.exit(main({words!r}))"],
        env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, sigint),
    )  # fmt: skip
    while not tokens_kept(tmp_path):
        assert run.poll() is None
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM
    assert "own directions: they are kept on disk, and the same command continues\n" in said
    assert said.endswith("glitch-explore: stopped\n")
    assert isinstance(read_session(tmp_path / "s.jsonl").steps[-1].outcome, Cancelled)
