"""A screen's recorder under fast keys: run as a program by `attack_kills`, which kills it.

    python -m tests.attack.kept_teller FILE SEED

Steps and notes come in bursts, faster than a disk that others keep busy writes them. What is told as kept, as on the
screen, is said on stdout: the numbers of the steps, a line each time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.unions import Step
from explorer.sessions.file.store import SessionWriter
from explorer.tui.live.recorder import SessionRecorder


def say(steps: Sequence[Step], trouble: str) -> None:
    """What the screen shows once the disk has them."""
    if not trouble:
        print(" ".join(str(step.number) for step in steps), flush=True)


def fail(error: Exception) -> None:
    """Nothing may fail here."""
    raise error


async def press_fast(path: Path, random: Random) -> None:
    """Bursts of up to 40 steps with hardly a pause, for ever."""
    session = SessionWriter(path)
    recorder = SessionRecorder(session, say, fail)
    recorder.start()
    while True:
        for _ in range(random.randrange(1, 40)):
            note = WriteNote(text="x" * random.randrange(1, 2_000), tags=("kill",))
            mark = MarkToken(model="mynah", token_id=random.randrange(3_000), text="x", marked=True)
            recorder.record(session.step(random.choice((note, mark)), Noted(), 0.0))
        await asyncio.sleep(random.random() * 0.02)


if __name__ == "__main__":
    asyncio.run(press_fast(Path(sys.argv[1]), Random(int(sys.argv[2]))))
