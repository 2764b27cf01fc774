"""Driving the whole program by keys, on a real engine in the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from explorer.base.records.record import Request
from explorer.base.records.unions import Step
from explorer.engine.handlers import Engine
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.panes.session.pane import SessionPane
from explorer.tui.shell.stage import Stage
from tests.direct_client import DirectClient

SIZES = [(80, 24), (120, 40), (200, 60)]
MODELS = ("zoo:mynah", "zoo:mynah-instruct")
LOOK = 0.005
"""Seconds from one look to the next. A look at a flag costs nothing, a pilot's pause asks every widget."""
LOOKS = 3
WAITING = {"ask", "copy", "export", "models", "server", "note", "play", "save", "sessions", "unused"}
"""Groups of workers that wait for what the user does next."""


@asynccontextmanager
async def on_screen(app: App[Any], size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[Any]]:
    """`app.run_test`, but ended as the program ends: a pilot alone would take the panes from under work under way.

    Fails where there was an internal error that the program outlived.
    """
    async with app.run_test(size=size) as pilot:
        try:
            yield pilot
        finally:
            if not app._exit:
                app.exit()
            while app.is_running:
                await asyncio.sleep(0)
            if isinstance(client := getattr(app, "client", None), DirectClient):
                await client.come_to_rest()
    if isinstance(app, Stage):
        assert not app.notices.defects.found, app.notices.defects.found[0].traceback


@asynccontextmanager
async def running(
    engine: Engine, folder: Path, size: tuple[int, int] = (120, 40), models: tuple[str, ...] = MODELS
) -> AsyncIterator[tuple[ExplorerApp, Pilot[None]]]:
    """The program with its models loaded and the table filled."""
    session = SessionWriter(folder / "session.jsonl")
    app = ExplorerApp(DirectClient(engine), session, Settings(models=models))  # type: ignore[arg-type]
    async with on_screen(app, size) as pilot:
        await until(pilot, lambda: _is_filled(app, models) and not app.runs.running)
        await settled(pilot)
        yield app, pilot


def _is_filled(app: ExplorerApp, models: tuple[str, ...]) -> bool:
    """Whether the panes are open and, where models are loaded, the table shows one's tokens."""
    return app.is_open and (not models or app.selection.token is not None)


@asynccontextmanager
async def resuming(engine: Engine, path: Path) -> AsyncIterator[tuple[ExplorerApp, Pilot[None]]]:
    """The program going on with the session at `path`, its first model in the table."""
    session = SessionWriter(path)
    app = ExplorerApp(DirectClient(engine), session, Settings(models=()), before=SessionFile(path))  # type: ignore[arg-type]
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.is_open and "mynah" in app.models.vocabularies and not app.runs.running)
        await settled(pilot)
        yield app, pilot


async def until(pilot: Pilot[None], holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until `holds`, then until the program has come to rest."""
    await pilot.pause(0)
    try:
        async with asyncio.timeout(seconds):
            while not holds() or _is_writing(pilot.app):
                await asyncio.sleep(LOOK)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} seconds; what there is instead:\n{_standing(pilot.app)}") from None
    await pilot.pause()


def _is_writing(app: App[Any]) -> bool:
    """Whether a step that was shown is not listed yet: it is on its way to the disk."""
    return isinstance(app, ExplorerApp) and app.is_running and app.steps.writing > 0


def _standing(app: App[Any]) -> str:
    runs = getattr(app, "runs", None)
    waiting = [] if runs is None else [each.pending.request for each in runs.running.values()]
    return "\n".join([screen_text(app), *(note.message for note in app._notifications), *map(repr, waiting)])


async def settled(pilot: Pilot[Any], seconds: float = 60.0) -> None:
    """Wait until all that was started has ended, and what came of it has been on the screen for a few looks.

    What waits for a hand (a box, a playing replay) may go on.
    """
    quiet, before = 0, ""
    async with asyncio.timeout(seconds):
        while quiet < LOOKS:
            await pilot.pause(0.01)
            working = any(not each.is_finished and each.group not in WAITING for each in pilot.app.workers)
            now = screen_text(pilot.app)
            quiet = quiet + 1 if now == before and not working else 0
            before = now


def steps(app: ExplorerApp) -> tuple[Step, ...]:
    """What was recorded, in order; the Session pane has a step as soon as it is on the disk."""
    return app.query_one(SessionPane).steps


def asked(app: ExplorerApp, kind: type[Request]) -> list[Step]:
    return [step for step in steps(app) if isinstance(step.request, kind)]


def screen_text(app: App[Any]) -> str:
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())
