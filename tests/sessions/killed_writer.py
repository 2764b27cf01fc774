"""Writes sessions and kills them: run as a program by `test_killed.py`, because it forks and pytest should not.

    python -m tests.sessions.killed_writer FOLDER RUNS fast|slow

Each run forks a process group of two (a writer, and one that stands for the engine) and kills it with SIGKILL at a
random moment. The writer says each step's number through a pipe once `append` has returned. Then the file
must open and hold every step that was said.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.base.records.notes import Noted, WriteNote
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.store import SessionWriter

if TYPE_CHECKING:
    from _typeshed import HasFileno
    from typing_extensions import Buffer


def slow_disk() -> None:
    """Every write goes a few bytes at a time and every sync takes a while: moments inside a line abound."""
    write, sync = os.write, os.fsync

    def write_little(descriptor: int, data: Buffer) -> int:
        time.sleep(0.0002)
        return write(descriptor, memoryview(data)[:40])

    def sync_late(fd: int | HasFileno) -> None:
        time.sleep(0.001)
        sync(fd)

    os.write, os.fsync = write_little, sync_late


def run_writer(path: Path, said: int) -> None:
    """Append steps for ever, saying the number of each."""
    if os.fork() == 0:
        signal.pause()
    os.write(said, b"\0")
    writer = SessionWriter(path)
    while True:
        step = writer.step(WriteNote(text="x" * 300, tags=("kill",)), Noted(), 0.0)
        assert writer.append(step)
        os.write(said, step.number.to_bytes(4, "big"))


def kill_one(path: Path, slow: bool, wait: float, *, after_first: bool) -> int:
    """Start a writer, kill its group `wait` seconds later (or after its first step); how many steps it had said."""
    hear, say = os.pipe()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.close(hear)
        if slow:
            slow_disk()
        try:
            run_writer(path, say)
        finally:
            os._exit(1)
    os.close(say)
    assert os.read(hear, 1) == b"\0"  # the group stands
    heard = os.read(hear, 4) if after_first else b""  # a busy machine may take long to come that far
    time.sleep(wait)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while piece := os.read(hear, 1 << 16):
        heard += piece
    os.close(hear)
    return len(heard) // 4


def check(path: Path, said: int) -> tuple[int, int]:
    """The file holds every step said, in order, and can be gone on with; steps in it, and bytes of a torn line."""
    if not path.exists() or not path.stat().st_size:
        assert said == 0
        return 0, 0
    session = SessionFile(path).index_all()
    numbers = [step.number for step in session]
    assert numbers == list(range(1, len(numbers) + 1))
    assert said <= len(numbers) <= said + 1
    again = SessionWriter(path)
    assert again.append(again.step(WriteNote(text="after"), Noted(), 0.0))
    assert bool(again.recovered) == bool(session.torn_bytes)
    assert len(SessionFile(path).index_all()) == len(numbers) + 1
    return len(numbers), session.torn_bytes


def main(folder: Path, runs: int, pace: str) -> None:
    """Kill `runs` writers and print what was found."""
    chance = random.Random(pace)
    steps = torn = 0
    for run in range(runs):
        path = folder / f"{pace}-{run}.jsonl"
        said = kill_one(path, pace == "slow", chance.uniform(0, 0.06), after_first=run % 4 > 0)
        held, left = check(path, said)
        steps, torn = steps + held, torn + (left > 0)
    print(f"runs={runs} steps={steps} torn={torn}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
