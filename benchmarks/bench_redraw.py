"""How long a redraw of the live map, or of its plots, takes after a pan or zoom, on a real model.

The real App with a real engine process, headless, at three sizes. A redraw goes from the call or the key to the end of
the screen's refresh that shows it. Of it three times: the processor milliseconds of the screen's whole process (the
loop and the thread that draws; other programs do not count), those of the loop's thread alone, and the wall clock's.

    python -m benchmarks.bench_redraw weights:MODEL [--redraws 100]

The plot of probabilities is of made-up verdicts on every token.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from textual.pilot import Pilot
from textual.widget import Widget

from benchmarks.bench_stall import until
from benchmarks.harness import write_section
from explorer.base.records.verification import VERDICTS
from explorer.pipe.client import EngineClient
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tables.tested import TokenVerdicts
from explorer.tui.live.app import ExplorerApp
from explorer.tui.panes.map.pane import MapPane
from explorer.tui.panes.map.plots_view import PlotsView
from explorer.tui.panes.map.windows import pan_window
from explorer.tui.widgets.option_line import Choice

SIZES = ((80, 24), (120, 40), (200, 60))
COLOURS = ("default", "category", "script")
TURNS = ("plus", "east", "plus", "north", "plus", "west", "minus", "south", "minus", "minus")
PANS = {"east": (0.1, 0.0), "west": (-0.1, 0.0), "north": (0.0, 0.1), "south": (0.0, -0.1)}
Taken = tuple[float, float, float]


async def measure(widget: Widget, begin: Callable[[], None], is_new: Callable[[], bool]) -> Taken:
    """Milliseconds of a redraw: of the process, of the loop's thread, of the wall clock."""
    before = time.process_time(), time.thread_time(), time.perf_counter()
    begin()
    while not is_new():
        await asyncio.sleep(0.001)
    painted = asyncio.Event()
    widget.call_after_refresh(painted.set)
    await painted.wait()
    after = time.process_time(), time.thread_time(), time.perf_counter()
    process, thread, wall = (1000 * (end - start) for start, end in zip(before, after, strict=True))
    return process, thread, wall


async def redraw_map(app: ExplorerApp, pane: MapPane, redraws: int) -> list[Taken]:
    """Pan and zoom."""
    canvas, taken = pane.canvas, []
    canvas.action_fit()
    await asyncio.sleep(0.5)
    for turn in islice(cycle(TURNS), redraws):
        before = canvas.drawn

        def begin(turn: str = turn) -> None:
            if turn in PANS and canvas.scene is not None:
                canvas.look_through(pan_window(canvas.scene.window, *PANS[turn]))
            else:
                app.simulate_key(turn)

        taken.append(await measure(canvas, begin, lambda: canvas.drawn is not before))  # noqa: B023 (awaited)
        await asyncio.sleep(0.03)
    return taken


async def redraw_plot(app: ExplorerApp, view: PlotsView, name: str, redraws: int) -> list[Taken]:
    """Zoom and move the line."""
    view._take(replace(view.plotted, chosen=name))
    await asyncio.sleep(0.5)
    taken = []
    for key in islice(cycle(("plus", "right", "plus", "left", "minus", "minus")), redraws):
        before = view.plotted
        begin = partial(app.simulate_key, key)
        taken.append(await measure(view, begin, lambda: view.plotted is not before))  # noqa: B023 (awaited)
        await asyncio.sleep(0.03)
    return taken


def make_verdicts(size: int) -> TokenVerdicts:
    """Verdicts on all tokens: one in 40 verified, one in 10 weak."""
    random = np.random.default_rng(0)
    probabilities = np.exp(-random.exponential(2.0, size)).astype(np.float32)
    probabilities[: size // 40] = np.exp(-random.uniform(5, 25, size // 40))
    verdicts = np.full(size, VERDICTS.index("rejected"), dtype=np.uint8)
    verdicts[probabilities < 1e-2] = VERDICTS.index("weak")
    verdicts[probabilities < 1e-4] = VERDICTS.index("verified")
    return TokenVerdicts("", "greatest P(token)", verdicts, probabilities)


class Report:
    """The rows of the table."""

    def __init__(self) -> None:
        self.lines = [
            "| screen | what | process, median | 99 % | loop, median | 99 % | wall, median | 99 % |",
            "|---|---|---:|---:|---:|---:|---:|---:|",
        ]

    def add(self, size: tuple[int, int], what: str, taken: list[Taken]) -> None:
        """A row of milliseconds."""
        cells = (f"{np.percentile(column, share):.1f}" for column in zip(*taken, strict=True) for share in (50, 99))
        self.lines.append(f"| {size[0]} x {size[1]} | {what} | {' | '.join(cells)} |")
        print(self.lines[-1], flush=True)


async def tour(source: str, redraws: int, report: Report) -> int:
    """Every size, colour and plot; how many tokens there are."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        app = ExplorerApp(EngineClient(), SessionWriter(Path(folder) / "s.jsonl"), Settings(models=(source,)))
        async with app.run_test(size=SIZES[0]) as pilot:
            await until(pilot, lambda: app.selection.columns is not None and not app.runs.running)
            await pilot.press("M")
            pane = app.query_one(MapPane)
            await until(pilot, lambda: pane.canvas.scene is not None and not app.runs.running)
            columns = app.selection.columns
            assert columns is not None
            for size in SIZES:
                await pilot.resize_terminal(*size)
                await _measure_at(app, pilot, size, redraws, report)
            await pilot.press("q")
            return columns.vocab_size


async def _measure_at(
    app: ExplorerApp, pilot: Pilot[None], size: tuple[int, int], redraws: int, report: Report
) -> None:
    pane = app.query_one(MapPane)
    for colour in COLOURS:
        pane.query_one("#colour", Choice).choose(colour)
        await until(pilot, lambda: not app.runs.running)
        await asyncio.sleep(1)
        report.add(size, f"map, colour {colour}", await redraw_map(app, pane, redraws))
    pane.query_one("#colour", Choice).choose(COLOURS[0])
    await until(pilot, lambda: not app.runs.running)
    await asyncio.sleep(1)
    pane._plots.open()
    view = pane._plots._view
    await until(pilot, lambda: view.parted is not None)
    parted = view.parted
    assert parted is not None
    known = await asyncio.to_thread(parted.knowing, {"made up": make_verdicts(len(parted.numbers.values))})
    view._part(known)
    for name in view.plotted.plots(*view.room):
        report.add(size, f"plot {name}", await redraw_plot(app, view, name, redraws))
    pane._plots.act("back")
    await asyncio.sleep(0.5)


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("--redraws", type=int, default=100)
    parser.add_argument("--dry", action="store_true", help="write no section")
    given = parser.parse_args()
    gc.disable()  # as the command line does, until the panes are open
    report = Report()
    size = asyncio.run(tour(given.source, given.redraws, report))
    if not given.dry:
        write_section(f"Redraws of the live map, {size:,} tokens", "\n".join(report.lines))


if __name__ == "__main__":
    main()
