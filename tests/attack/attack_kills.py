"""kill -9 at random moments under load: no step that was told as kept is lost, and no session is unreadable."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from explorer.sessions.file.reader import SessionFile

REPOSITORY = Path(__file__).resolve().parents[2]
_AT_ONCE = 4
"""Programs that write at the same time: their bursts wait for each other's disk."""


@dataclass(frozen=True)
class Killed:
    """What came of one kill."""

    told: int
    """Steps that were told as kept."""
    lost: int
    """Of these, not in the file."""
    problem: str = ""
    """Why the file could not be read; empty: it could, or there is none and nothing was told."""


@contextmanager
def busy_disk(folder: Path) -> Iterator[None]:
    """Something else writes and syncs in `folder` without a pause."""
    ended = threading.Event()

    def write() -> None:
        with (folder / "noise").open("wb") as noise:
            while not ended.is_set():
                noise.write(os.urandom(1 << 18))
                noise.flush()
                os.fsync(noise.fileno())
                if noise.tell() > 1 << 26:
                    noise.seek(0)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def kill_some(folder: Path, seeds: list[int]) -> list[Killed]:
    """Start a writer for each seed, and kill each at a moment of its own after its first steps."""
    begun: list[tuple[Random, Path, subprocess.Popen[str]]] = []
    for seed in seeds:
        file = folder / f"{seed}.jsonl"
        words = [sys.executable, "-m", "tests.attack.kept_teller", str(file), str(seed)]
        begun.append((Random(seed), file, subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)))
    found = []
    for random, file, program in begun:
        assert program.stdout is not None
        first = program.stdout.readline()
        time.sleep(random.random() * 0.3)
        program.kill()
        program.wait()
        lines = [first, *program.stdout.read().splitlines(keepends=True)]
        told = {int(number) for line in lines if line.endswith("\n") for number in line.split()}
        found.append(look(file, told))
    return found


def look(file: Path, told: set[int]) -> Killed:
    """Which of the steps that were told are in the file."""
    if not file.exists():
        return Killed(len(told), len(told))
    try:
        kept = {step.number for step in SessionFile(file).index_all()}
    except Exception as error:  # whatever it is, it got through
        return Killed(len(told), len(told), f"{type(error).__name__}: {error}")
    return Killed(len(told), len(told - kept))


def run(minutes: float, seed: int) -> int:
    """Kill for so long; how many kills lost something."""
    print(f"kills under load, {minutes:g} minutes from seed {seed}")
    until, found = time.monotonic() + 60 * minutes, list[Killed]()
    with tempfile.TemporaryDirectory() as place, busy_disk(Path(place)):
        while time.monotonic() < until:
            found += kill_some(Path(place), list(range(seed, seed + _AT_ONCE)))
            seed += _AT_ONCE
    for one in found:
        if one.problem:
            print(f"    {one.problem}")
    told, lost = sum(one.told for one in found), sum(one.lost for one in found)
    print(f"{len(found):,} kills: {told:,} steps were told as kept, {lost:,} of them lost")
    return sum(1 for one in found if one.lost or one.problem)
