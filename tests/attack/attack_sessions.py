"""Session files altered in every way: each is opened, or refused in one line, soon, by every verb that reads one."""

from __future__ import annotations

import io
import json
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from types import FrameType

from explorer.base.errors import ExplorerError
from explorer.headless.session_verbs import run_session_verb
from explorer.pipe.client import EngineClient
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.recent import sample_sessions
from explorer.sessions.search import SessionIndex
from explorer.settings import Settings
from explorer.tui.replay.situation import Situations
from tests.attack.hostile_sessions import alter
from tests.sessions.example_sessions import HOSTILE, PLAIN, exchanges, write_session

MOST_SECONDS = 5.0
"""For one verb on a file of up to 5 MB."""
_HUNG = 60
"""Seconds after which a verb is broken off."""
_LONGEST_LINE = 800


@dataclass(frozen=True)
class Found:
    """What came of one altered file."""

    how: str
    """How it was altered."""
    seconds: float
    """Of the slowest verb."""
    refusals: tuple[str, ...]
    wrong: tuple[str, ...]
    """What got through."""


class HungError(Exception):
    """A verb did not end."""


@contextmanager
def broken_off(seconds: int) -> Iterator[None]:
    """Raise `HungError` in what runs here after so many seconds."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise HungError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def write_bases(folder: Path) -> list[Path]:
    """Whole sessions to alter: every kind of outcome, plain and hostile, and the shortest sample."""
    made = [write_session(folder / f"{name}.jsonl", exchanges(text)) for name, text in
            (("plain", PLAIN), ("hostile", HOSTILE))]  # fmt: skip
    return [*made, min((listed.path for listed in sample_sessions()), key=lambda path: path.stat().st_size)]


def attack_one(base: Path, folder: Path, seed: int) -> Found:
    """Alter a copy of `base` in `folder` and have every verb read it."""
    random = Random(seed)
    file, page = folder / "sessions" / "altered.jsonl", folder / "page.html"
    file.parent.mkdir(exist_ok=True)
    content, ways = alter(base.read_bytes(), random)
    file.write_bytes(content)
    settings = folder / "settings.toml"
    settings.write_text(f"state_folder = {json.dumps(str(folder))}\n")
    verbs = (
        ("session", "recent", "--settings", str(settings)),
        ("session", "report", str(file), "-o", str(page.with_suffix(random.choice((".html", ".md"))))),
        ("session", "diff", str(file), str(random.choice((file, base)))),
        ("session", "diff", str(base), str(file), "--json"),
    )
    acts = [(" ".join(words[:2]), partial(_run_verb, words)) for words in verbs]
    acts.append(("replay", partial(_replay, file, random)))
    seconds, refusals, wrong = 0.0, list[str](), list[str]()
    for name, act in acts:
        seconds = max(seconds, _try(name, act, refusals, wrong))
    return Found(
        f"{base.stem}, seed {seed}, {len(content):,} bytes: {'; '.join(ways)}", seconds, tuple(refusals), tuple(wrong)
    )


def _try(name: str, act: Callable[[], int], refusals: list[str], wrong: list[str]) -> float:
    """Do it; the seconds of the processor that it took: the machine may have other work."""
    said, began = io.StringIO(), time.process_time()
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(said), broken_off(_HUNG):
            status = act()
    except Exception as error:  # nothing may get out of a verb
        wrong.append(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return time.process_time() - began
    seconds, lines = time.process_time() - began, said.getvalue().splitlines()
    if status not in (0, 1) or len(lines) > 1 or len(said.getvalue()) > _LONGEST_LINE or (status == 0 and lines):
        wrong.append(f"{name}: exit {status}, said {said.getvalue()[:300]!r}")
    if seconds > MOST_SECONDS:
        wrong.append(f"{name}: took {seconds:.1f} s")
    refusals.extend(f"{name}: {line}" for line in lines)
    return seconds


def _run_verb(words: tuple[str, ...]) -> int:
    return run_session_verb(words, _no_engine, _no_screen)


def _no_engine(settings: Settings) -> EngineClient:
    raise AssertionError("no model is needed")


def _no_screen(path: Path, settings: Settings) -> int:
    raise AssertionError("no screen is needed")


def _replay(file: Path, random: Random) -> int:
    """What a replay works out of a file, without its screen."""
    try:
        index = SessionIndex(SessionFile(file).index_all())
    except ExplorerError:
        return 1
    while not index.index_more(1.0):
        pass
    situations = Situations(index)
    situations.take_in()
    for _ in range(min(3, len(situations))):
        situations.at(random.randrange(len(situations)))
    return 0


def run(minutes: float, seed: int) -> int:
    """Alter and read for so long; how many files got through."""
    print(f"altered session files, {minutes:g} minutes from seed {seed}")
    until, tried, bad, slowest = time.monotonic() + 60 * minutes, 0, 0, 0.0
    refusals: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        bases = write_bases(folder)
        while time.monotonic() < until:
            found = attack_one(bases[seed % len(bases)], folder, seed)
            if found.wrong:
                bad += 1
                print(f"{found.how}\n    " + "\n    ".join(found.wrong), flush=True)
            refusals.update({line.partition(":")[0] for line in found.refusals})
            tried, seed, slowest = tried + 1, seed + 1, max(slowest, found.seconds)
    print(f"{tried:,} files: {bad:,} got through; the slowest verb took {slowest:.1f} s. Refusals: {dict(refusals)}")
    return bad
