"""kill -9 of the whole explorer while keys come fast: what its screen told as kept is in the session's file."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from pathlib import Path
from random import Random

from tests.attack.attack_kills import Killed, busy_disk, look
from tests.terminal import SEQUENCE, Terminal

ROW = re.compile(r"(?<!\d)(\d{1,5}) +\d\d:\d\d:\d\d ")
"""A line of the Session pane begins with the number of a step that is on the disk, and its time."""
SESSION_TAB = "\x1b[15~"
KEYS = ("N" + "kept #tag\r", " ", "j", " ", "N" + "another\r", " ", "j", "n", "i")
"""Notes, marks, and two questions."""
EARLY = 0.15
"""How often it is killed while it opens, perhaps before the first line of its file."""
SILENT = "sh -c 'cat > /dev/null'"
"""An engine that says nothing, and ends with the explorer."""
WITH_MODEL = 5
"""Of so many kills one is with a model, and with questions to it."""
_OPENS = 120.0


def kill_one(folder: Path, seed: int, *, with_model: bool) -> Killed:
    """Open the explorer on a terminal, press fast, and kill it and its engine at a random moment; without a model there
    are notes alone, and it opens soon."""
    chance, file, settings = Random(seed), folder / f"explorer-{seed}.jsonl", folder / "settings.toml"
    settings.touch()
    words = ["--session", str(file), "--settings", str(settings)]
    terminal = Terminal([*words, "zoo:mynah"] if with_model else [*words, "--engine", SILENT], (160, 50))
    try:
        if chance.random() < EARLY:
            terminal.read(chance.uniform(0.0, 4.0))
        else:
            _press_fast(terminal, chance)
    finally:
        os.killpg(terminal.process.pid, signal.SIGKILL)
        terminal.process.wait()
        terminal.read(0)
        os.close(terminal._ours)
    return look(file, told_steps(terminal.written))


def _press_fast(terminal: Terminal, chance: Random) -> None:
    """Once steps are shown, so many keys with hardly a pause."""
    opened = time.monotonic() + _OPENS
    while not told_steps(terminal.written):
        assert time.monotonic() < opened, "no step came"
        terminal.send(SESSION_TAB + KEYS[0])
        terminal.read(0.2)
    for _ in range(chance.randrange(60)):
        terminal.send(chance.choice(KEYS))
        if chance.random() < 0.2:
            terminal.send(SESSION_TAB)  # a question shows the tab of its answer
        terminal.read(chance.choice((0.0, 0.01, 0.05)))


def told_steps(written: str) -> set[int]:
    """The numbers of all steps that the Session pane ever listed."""
    return {int(number) for number in ROW.findall(SEQUENCE.sub(" ", written))}


def run(minutes: float, seed: int) -> int:
    """Kill for so long; how many kills lost something."""
    print(f"kills of the explorer, {minutes:g} minutes from seed {seed}")
    until, found = time.monotonic() + 60 * minutes, list[Killed]()
    with tempfile.TemporaryDirectory() as place, busy_disk(Path(place)):
        while time.monotonic() < until:
            number = seed + len(found)
            found.append(kill_one(Path(place), number, with_model=number % WITH_MODEL == 0))
            if found[-1].lost or found[-1].problem:
                print(f"    seed {number}: {found[-1]}", flush=True)
    told, lost = sum(one.told for one in found), sum(one.lost for one in found)
    print(f"{len(found):,} kills: {told:,} steps were shown as kept, {lost:,} of them lost")
    return sum(1 for one in found if one.lost or one.problem)
