"""Driving a replay by places, and reading what its panes show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot
from textual.widget import Widget

from explorer.sessions.file.reader import SessionFile
from explorer.settings import Settings
from explorer.tui.replay.app import ReplayApp
from tests.app_driver import on_screen, settled, until


@asynccontextmanager
async def replaying(
    path: Path, size: tuple[int, int] = (120, 40), settings: Settings | None = None
) -> AsyncIterator[tuple[ReplayApp, Pilot[None]]]:
    """The replay at the step that it opens at, the whole file read."""
    app = ReplayApp(SessionFile(path), settings or Settings())
    async with on_screen(app, size) as pilot:
        await until(
            pilot,
            lambda: app.is_open and app.reading.is_complete,
        )
        await settled(pilot)
        yield app, pilot


async def at(app: ReplayApp, pilot: Pilot[None], position: int) -> None:
    app.current.jump(position)
    await until(pilot, lambda: app.current.position == position)
    await settled(pilot)


def rendered(widget: Widget) -> list[str]:
    """What a pane shows, line by line, as text."""
    strips = widget.app.screen._compositor.render_strips()
    region = widget.region
    return [strip.crop(region.x, region.right).text.rstrip() for strip in strips[region.y : region.bottom]]
