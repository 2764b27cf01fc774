"""How long a key may wait: the longest gap of the screen's event loop while models load and answer.

The real App with a real engine process, 120 x 40, headless; a task that sleeps 5 ms at a time notes how late it wakes.
The rival is the same loop with nothing to do, in the same run.

    python -m benchmarks.bench_stall [--repeats 3]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

from textual.pilot import Pilot

from benchmarks.harness import write_section
from explorer.pipe.client import EngineClient
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.panes.map.pane import MapPane
from explorer.tui.panes.speakability.pane import SpeakabilityPane
from explorer.tui.panes.verdicts.pane import VerdictsPane
from explorer.tui.widgets.option_line import Choice

TICK = 0.005
MAP_SECONDS = 60
"""Of a layout, at most."""


class Meter:
    """Notes, for each named phase, the longest time the loop was late."""

    def __init__(self) -> None:
        self.worst: dict[str, list[float]] = {}
        self.worked: dict[str, list[float]] = {}
        """The longest work of the loop's thread between two looks, processor seconds: other programs do not count."""
        self.unhindered: dict[str, list[float]] = {}
        """The longest lateness without the time for which the thread was ready and others had the processors."""

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[None]:
        """Measure what happens inside."""
        looks = [(0.0, 0.0, 0.0)]
        task = asyncio.create_task(self._tick(looks))
        try:
            yield
        finally:
            task.cancel()
            for kept, found in zip((self.worst, self.worked, self.unhindered), zip(*looks, strict=True), strict=True):
                kept.setdefault(name, []).append(max(found))

    async def _tick(self, looks: list[tuple[float, float, float]]) -> None:
        while True:
            before, worked, waited = time.perf_counter(), time.thread_time(), time_waited()
            await asyncio.sleep(TICK)
            late = time.perf_counter() - before - TICK
            looks.append((late, time.thread_time() - worked, late - (time_waited() - waited)))


def time_waited() -> float:
    """Seconds for which this thread was ready to run and did not; 0 where the system (Linux) does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Wait, without working the loop hard."""
    async with asyncio.timeout(120):
        while not holds():
            await asyncio.sleep(0.02)


async def tour(meter: Meter) -> None:
    """Load the zoo, walk, ask everything."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # the engine's: nothing is on disk yet
        app = ExplorerApp(EngineClient(), SessionWriter(Path(folder) / "s.jsonl"), Settings())
        async with app.run_test(size=(120, 40)) as pilot:
            async with meter.phase("opening the panes, once, at the start"):
                await until(pilot, lambda: app.is_open)
            async with meter.phase("loading four models"):
                await until(pilot, lambda: len(app.selection.roster.models) == 4 and not app.runs.running)
            async with meter.phase("nothing (the loop at rest)"):
                await asyncio.sleep(1)
            async with meter.phase("walking through the table"):
                for _ in range(20):
                    await pilot.press("pagedown")
                await until(pilot, lambda: not app.runs.running)
            async with meter.phase("repeat-back on four models, streaming"):
                await pilot.press("r")
                await until(pilot, lambda: not app.runs.running)
            async with meter.phase("log-probabilities of four models"):
                await pilot.press("l")
                await until(pilot, lambda: not app.runs.running)
            async with meter.phase("neighbourhood, plotted"):
                await pilot.press("n")
                await until(pilot, lambda: not app.runs.running)
                await asyncio.sleep(0.5)
            app.query_one(VerdictsPane).query_one("#which", Choice).choose("all tokens")
            async with meter.phase("verifying a whole vocabulary, columns streaming, walking"):
                await pilot.press("v")
                for _ in range(60):
                    await pilot.press("pagedown")
                    await asyncio.sleep(0.15)
            await pilot.press("escape")
            await until(pilot, lambda: not app.runs.running)
            async with meter.phase("proving a whole vocabulary, columns streaming, walking"):
                app.query_one(SpeakabilityPane).query_one("#which", Choice).choose("all tokens")
                await pilot.press("a")
                for _ in range(20):
                    await pilot.press("pageup")
                    await asyncio.sleep(0.15)
            await pilot.press("q")


async def map_tour(meter: Meter, source: str) -> None:
    """Lay out a whole vocabulary, and walk through the map meanwhile. Keys are posted as a terminal does it:
    `pilot.press` asks every widget whether it is done, 25 ms of the loop."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        app = ExplorerApp(EngineClient(), SessionWriter(Path(folder) / "s.jsonl"), Settings(models=(source,)))
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: app.selection.columns is not None and not app.runs.running)
            pane = app.query_one(MapPane)
            for what, tab in (("another tab (Compare)", "compare"), ("the map's tab, empty", "map")):
                async with meter.phase(f"{what}, shown for the first time"):
                    app.workspace.show_tab(tab)
                    await asyncio.sleep(1)
            app.workspace.show_tab("tokens")
            await asyncio.sleep(1)
            async with meter.phase(f"first map of {source}"):
                app.simulate_key("M")
                await until(pilot, lambda: pane.canvas.scene is not None)
                await asyncio.sleep(1)
            async with meter.phase("panning and zooming"):
                for key in ("plus", "left", "plus", "up", "minus", "right", "home") * 6:
                    app.simulate_key(key)
                    await asyncio.sleep(0.05)
            pane.query_one("#plane", Choice).choose("neighbours")
            pane.run_default()
            async with meter.phase("neighbours laid out, walking through table and map"):
                await until(pilot, lambda: bool(app.runs.running))
                end = time.monotonic() + MAP_SECONDS
                while app.runs.running and time.monotonic() < end:
                    for key in ("left", "up", "plus", "minus"):
                        app.simulate_key(key)
                        await asyncio.sleep(0.1)
            await pilot.press("escape")
            async with asyncio.timeout(20):
                while app.runs.running:
                    await pilot.press("escape")
                    await asyncio.sleep(0.5)
            await pilot.press("q")


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--map", metavar="SOURCE", help="measure the map of this model in place of the tour")
    given = parser.parse_args()
    meter = Meter()
    for _ in range(given.repeats):
        gc.disable()  # as the command line does, until the panes are open
        asyncio.run(map_tour(meter, given.map) if given.map else tour(meter))
    if given.map:
        print("load", [round(load, 1) for load in os.getloadavg()])
        for what, found in (
            ("late", meter.worst), ("processor time", meter.worked), ("late, without waiting", meter.unhindered)
        ):  # fmt: skip
            print(what, {name: [round(1000 * gap) for gap in gaps] for name, gaps in found.items()})
        return
    lines = ["| while | median of the longest gap, ms | worst, ms |", "|---|---:|---:|"]
    lines += [f"| {name} | {1000 * median(gaps):.0f} | {1000 * max(gaps):.0f} |" for name, gaps in meter.worst.items()]
    write_section("Stalls of the screen", "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
