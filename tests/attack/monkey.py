"""Random keys, sizes and themes on the whole program in this process, and what must hold while and after they come."""

from __future__ import annotations

import asyncio
import string
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from textual.events import Key, Resize
from textual.geometry import Size
from textual.keys import _character_to_key

from explorer.base.records.record import Failure
from explorer.base.records.speakability import ProveSpeakability
from explorer.base.records.verification import Verify
from explorer.pipe.client import EngineClient
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.live.runs import is_resumable
from explorer.tui.panes.session.pane import SessionPane
from explorer.tui.replay.app import ReplayApp
from explorer.tui.screens.ask_line import AskLine
from explorer.tui.screens.help import HelpScreen
from explorer.tui.shell.messages import Ask
from explorer.tui.shell.stage import Stage

MODELS = ("zoo:mynah", "zoo:mynah-instruct", "zoo:lyrebird", "zoo:starling")
SESSION = Path(__file__).resolve().parents[2] / "sample_sessions" / "first-look.jsonl"
KINDS = ("explorer", "replay", "early")
"""With four models and a sweep; a session file; the explorer before its panes are there."""
NARROWEST, WIDEST = (40, 10), (250, 80)
MOVES = ("tab", "shift+tab", "up", "down", "left", "right", "enter", "escape", "pageup", "pagedown", "home", "end")
PRINTED = tuple(_character_to_key(one) for one in string.printable[:95])
CHARACTERS = dict(zip(PRINTED, string.printable, strict=False))
"""What each of them writes."""
LEAVES = {"q", "ctrl+q"}
"""Keys that end the program, as they should."""
PATH_KEYS = {"slash", "tilde", "full_stop"}
"""Not typed into a box that may ask for a file: whatever it is written to lies in the folder of the run."""
REFRESH = 40
"""Acts after which the keys of what is on the screen are asked for again."""
SWEEP_EVERY = 200
_OPENS = 120.0
_ANSWERS = 30.0
_LOOK = 0.002
"""Seconds from one look of the watch to the next."""


@dataclass
class Gaps:
    """How long the event loop heard nothing."""

    longest: float = 0.0
    """Seconds, by the clock on the wall."""
    longest_work: float = 0.0
    """Seconds of the processor that this thread had within one gap: what the load of the machine adds is not in it."""
    during: str = ""
    """What had been done last."""
    themed: float = 0.0
    """The same as `longest_work`, where another theme was chosen: Textual styles every widget anew."""

    async def watch(self, monkey: Monkey) -> None:
        """Look again and again; never returns."""
        while True:
            began, work = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_LOOK)
            gap, worked = time.perf_counter() - began - _LOOK, time.thread_time() - work
            last = monkey.done[-8:]
            if any(did in ("t", "T") or did.startswith("theme") for did in last):
                self.themed = max(self.themed, worked)
                continue
            self.longest = max(self.longest, gap)
            if worked > self.longest_work:
                self.longest_work, self.during = worked, ", ".join(last)


@dataclass
class Found:
    """What came of one run."""

    kind: str
    seed: int
    keys: int = 0
    left: int = 0
    """How often a key or a box led to another screen of the program, or out of it."""
    gaps: Gaps = field(default_factory=Gaps)
    panes: Counter[str] = field(default_factory=Counter)
    """Keys that each pane of the right column got while it was shown."""
    asked: Counter[str] = field(default_factory=Counter)
    """Steps of the sessions, by kind of request."""
    wrong: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        milliseconds = [1000 * gap for gap in (self.gaps.longest, self.gaps.longest_work, self.gaps.themed)]
        gap = "gap {:.0f} ms, work {:.0f} ms, another theme {:.0f} ms".format(*milliseconds)
        gap += f" ({self.gaps.during}); shown {dict(self.panes)}; steps {dict(self.asked)}"
        return f"{self.kind}, seed {self.seed}: {self.keys} keys, left {self.left} times; {gap}"


class Monkey:
    """Plays on one App."""

    def __init__(self, app: Stage, chance: Random) -> None:
        self.app, self.chance = app, chance
        self.done: list[str] = []
        self._bound: list[str] = []

    def act(self) -> str:
        """A key, now and then a new size or another theme; returns what it was."""
        throw = self.chance.random()
        if throw < 0.04:
            did = self._resize()
        elif throw < 0.05 and self.app.is_open:
            name = self.chance.choice([*self.app.available_themes])
            self.app.theme, did = name, f"theme {name}"
        else:
            did = self._press()
        self.done.append(did)
        return did

    def _resize(self) -> str:
        size = Size(*(self.chance.randint(*pair) for pair in zip(NARROWEST, WIDEST, strict=True)))
        if self.app._driver is not None:
            self.app._driver._size = size
        self.app.post_message(Resize(size, size))
        return f"{size.width}x{size.height}"

    def _press(self) -> str:
        if len(self.done) % REFRESH == 0 or not self._bound:
            self._bound = sorted(set(_bound_keys(self.app)))
        throw = self.chance.random()
        key = self.chance.choice(self._bound if throw < 0.6 else MOVES if throw < 0.8 else PRINTED)
        if key in LEAVES or (key in PATH_KEYS and isinstance(self.app.screen, AskLine)):
            key = "escape"
        press(self.app, key)
        return key


def press(app: Stage, key: str) -> None:
    """Give the App a key as its driver does, without waiting for what comes of it."""
    app.post_message(Key(key, CHARACTERS.get(key)))


def _bound_keys(app: Stage) -> Iterator[str]:
    """Every key that anything on the screen is bound to."""
    for node in (app, *app.screen.walk_children(with_self=True)):
        yield from node._bindings.key_to_bindings


# ── one run ───────────────────────────────────────────────────────────────────────────────────────────────────


def make_app(kind: str, folder: Path) -> Stage:
    """The program of this kind, with its own files in `folder`."""
    settings = Settings(models=MODELS, state_folder=str(folder))
    if kind == "replay":
        return ReplayApp(SessionFile(SESSION), settings)
    number = len(list(folder.glob("*.jsonl")))
    return ExplorerApp(EngineClient(), SessionWriter(folder / f"s{number}.jsonl"), settings)


async def play(kind: str, seed: int, folder: Path, keys: int = 1000) -> Found:
    """Press so many keys; the program is opened anew where a key ends it as it should."""
    chance, found = Random(f"{kind} {seed}"), Found(kind, seed)
    while found.keys < keys and not found.wrong:
        app = make_app(kind, folder)
        try:
            async with _running(app, chance):
                await _play_on(app, Monkey(app, chance), found, keys)
        except Exception as error:
            found.wrong.append(f"ended by {type(error).__name__}: {' '.join(str(error).split())[:500]}")
        found.wrong += [each.traceback for each in app.notices.defects.found]
        found.left += found.keys < keys
    return found


@asynccontextmanager
async def _running(app: Stage, chance: Random) -> AsyncIterator[None]:
    async with app.run_test(size=(chance.randint(80, 160), chance.randint(24, 50))):
        try:
            yield
        finally:
            if app.is_running and not app._exit:
                await app.ending.quit()
            while app.is_running:
                await asyncio.sleep(0.01)


async def _play_on(app: Stage, monkey: Monkey, found: Found, keys: int) -> None:
    if found.kind != "early":
        await _wait(lambda: _is_ready(app), _OPENS, lambda: f"the program did not open ({_state(app)})")
    watch = asyncio.create_task(found.gaps.watch(monkey)) if found.kind != "early" else None
    try:
        while found.keys < keys and app.is_running and not app._exit:
            if isinstance(app, ExplorerApp) and found.keys % SWEEP_EVERY == 0 and app.is_open:
                _begin_sweep(app, monkey.chance)
            monkey.act()
            found.keys += 1
            found.panes[app.workspace.focus.right] += 1
            await asyncio.sleep(monkey.chance.choice((0, 0, 0.005, 0.02, 0.05)))
        if not app._exit:
            await _still_answers(app, monkey)
            _look_at_steps(app, found)
    finally:
        if watch is not None:
            watch.cancel()


def _is_ready(app: Stage) -> bool:
    return app.is_open and (not isinstance(app, ExplorerApp) or len(app.selection.roster.models) == len(MODELS))


def _begin_sweep(app: ExplorerApp, chance: Random) -> None:
    """A verification or the proofs of a whole vocabulary, where none is under way."""
    model = app.selection.model
    if model is not None and not any(is_resumable(run.pending.request) for run in app.runs.running.values()):
        name = model.name
        app.post_message(Ask(chance.choice((Verify(model=name), ProveSpeakability(model=name)))))


async def _still_answers(app: Stage, monkey: Monkey) -> None:
    """The screen with the panes comes back by `esc`, `?` opens the help, `esc` closes it, and a tab's key shows it;
    unless the program ends by then, as a key asked for (`c` in a replay, once it knows which models to load)."""
    last = ", ".join(monkey.done[-30:])

    async def wait(holds: Callable[[], bool], what: str, seconds: float = _ANSWERS) -> None:
        await _wait(lambda: bool(app._exit) or holds(), seconds, lambda: f"{what} ({_state(app)}), after {last}")

    await wait(lambda: app.is_open, "the panes never came", _OPENS)
    for _ in range(8):
        press(app, "escape")
        await asyncio.sleep(0.1)
    await wait(lambda: len(app.screen_stack) == 1, "esc closes no box")
    for key in ("escape", "escape", "question_mark"):
        press(app, key)
    await wait(lambda: isinstance(app.screen, HelpScreen), "? is dead")
    press(app, "escape")
    await wait(lambda: len(app.screen_stack) == 1, "esc is dead")
    press(app, "f5")
    await wait(lambda: app.query_one(SessionPane).is_on_screen, "f5 is dead")


def _look_at_steps(app: Stage, found: Found) -> None:
    """Count what was asked; failures that are faults of the program, and a session that cannot be read, are wrong."""
    if not isinstance(app, ExplorerApp):
        return
    session = read_session(app.session.path)
    found.asked.update(type(step.request).__name__ for step in session.steps)
    said = [step.outcome.message for step in session.steps if isinstance(step.outcome, Failure)]
    found.wrong += [one for one in said if "bug" in one or "Traceback" in one or "internal" in one.lower()]
    found.wrong += [session.warning] if session.warning else []


def _state(app: Stage) -> str:
    """Where the keys went."""
    return f"exit {app._exit}, running {app.is_running}, open {app.is_open}, focus {app.focused}, {app.screen_stack}"


async def _wait(holds: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise AssertionError(otherwise())
        await asyncio.sleep(0.02)
