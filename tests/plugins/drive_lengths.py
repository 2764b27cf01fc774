"""Run the explorer with the example plug-in installed: press its key, replay the session, and print the screens."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from explorer.engine.handlers import Engine
from explorer.specs.plugins import add_plugins
from tests.app_driver import running, screen_text, settled, steps, until
from tests.replay_driver import at, replaying


async def drive(folder: Path) -> None:
    """The tab, the pane, the help and the session of one run."""
    problems = add_plugins()
    async with running(Engine(), folder, models=("zoo:mynah",)) as (app, pilot):
        await pilot.press("L")
        await until(pilot, lambda: any(type(step.request).__name__ == "CountLengths" for step in steps(app)))
        await settled(pilot)
        pane = screen_text(app)
        await pilot.press("question_mark")
        await settled(pilot)
        told = {"pane": pane, "help": screen_text(app), "problems": problems}
    async with replaying(folder / "session.jsonl") as (replay, pilot):
        await at(replay, pilot, len(replay.session) - 1)
        told["replay"] = screen_text(replay)
    print(json.dumps(told))


asyncio.run(drive(Path(sys.argv[1])))
