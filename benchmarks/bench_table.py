"""The token table against Textual's DataTable: open, sort, filter, page; how long, and how long nothing else runs.

Both stand in a headless Textual app of 160 x 50 cells. A time runs from the call until the table is on the
screen, up to one frame (17 ms) of which is waiting for it; the stall is the longest time the event loop
was not free in between, which is what a user feels as a stuck key. Objects alive before the first step are
frozen (`gc.freeze`): else a full collection in the middle of a step adds 60 to 180 ms, for either table.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
from rich.console import RenderableType
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import DataTable

from benchmarks.harness import write_section
from explorer.base.records.record import Array
from explorer.base.records.tokens import CATEGORIES
from explorer.base.records.vocabulary import RankTokens, VocabularyColumns
from explorer.tables.portions import finish
from explorer.tables.table import TokenColumns
from explorer.tui.panes.tokens.table import TokenTable
from explorer.tui.panes.tokens.views import ViewMaker
from explorer.tui.shell.themes import load_themes, themes_dir

INDICATORS = ("input_norm", "input_centroid_distance", "input_centroid_cosine", "output_norm", "output_bias")
STEPS = ("open", "sort", "filter", "page")
PAGES = 20
NEEDLE = "99"

_TICK = 0.002


@dataclass
class Timing:
    """Milliseconds of every run of one step."""

    total: list[float] = field(default_factory=list)
    stall: list[float] = field(default_factory=list)


Timings = dict[str, Timing]


def vocabulary(size: int) -> VocabularyColumns:
    """`size` tokens with five random indicators."""
    rng = np.random.default_rng(0)
    tokens = [b" token%d" % number for number in range(size)]
    joined, offsets = Array.of_tokens(tokens)
    return VocabularyColumns(
        model="bench",
        token_bytes=joined,
        offsets=offsets,
        categories=Array.of(rng.integers(0, len(CATEGORIES) - 1, size).astype(np.uint8)),
        indicators={name: Array.of(rng.normal(1, 0.1, size).astype(np.float32)) for name in INDICATORS},
        default_indicator=INDICATORS[0],
        default_rule="bench",
        unused=(),
    )


class Bench(App[None]):
    """One table over the whole screen, which tells when something was drawn."""

    def __init__(self, make: Callable[[], Widget]) -> None:
        super().__init__()
        self.drawn = asyncio.Event()
        self._make = make
        for theme in load_themes(themes_dir()):
            self.register_theme(theme)
            self.theme = theme.name

    def compose(self) -> ComposeResult:
        yield self._make()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        self.drawn.set()


async def _timed(timing: Timing, app: Bench, work: Awaitable[None]) -> None:
    """Await `work` until it is drawn; its milliseconds and its longest stall go into `timing`."""
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        before = time.perf_counter()
        while True:
            await asyncio.sleep(_TICK)
            now = time.perf_counter()
            worst = max(worst, now - before - _TICK)
            before = now

    watching = asyncio.create_task(watch())
    await asyncio.sleep(5 * _TICK)
    worst = 0.0
    start = time.perf_counter()
    await work
    app.drawn.clear()
    await app.drawn.wait()
    timing.total.append(1000 * (time.perf_counter() - start))
    await asyncio.sleep(2 * _TICK)
    watching.cancel()
    timing.stall.append(1000 * worst)


async def time_token_table(source: VocabularyColumns, repeats: int) -> Timings:
    """Our table, with its views made in a thread as the pane does."""
    timings = {step: Timing() for step in STEPS}
    for _ in range(repeats):
        app = Bench(TokenTable)
        async with app.run_test(size=(160, 50)) as pilot:
            await pilot.pause()
            gc.collect()
            gc.freeze()
            table, maker = app.query_one(TokenTable), None

            async def show(maker: ViewMaker, request: RankTokens, table: TokenTable = table) -> None:
                view = await asyncio.to_thread(maker.make, request)
                table.show_rows(view.rows, sort=view.sort, descending=request.descending, lead=view.lead)

            async def page(table: TokenTable = table) -> None:
                table.action_page(1)

            async def open_(table: TokenTable = table) -> None:
                nonlocal maker
                maker = await asyncio.to_thread(ViewMaker, source)
                await show(maker, RankTokens(model="bench"), table)

            await _timed(timings["open"], app, open_())
            assert maker is not None
            await asyncio.to_thread(finish, maker.columns.warm())
            await _timed(timings["sort"], app, show(maker, RankTokens(model="bench", sort=INDICATORS[1])))
            for _ in range(PAGES):
                await _timed(timings["page"], app, page())
            await _timed(timings["filter"], app, show(maker, RankTokens(model="bench", filter=NEEDLE)))
    return timings


async def time_data_table(source: VocabularyColumns, repeats: int) -> Timings:
    """Textual's table with the same columns, as its documentation fills, sorts and (having no filter) refills it."""
    timings = {step: Timing() for step in STEPS}
    columns = TokenColumns(source)
    rows = [
        (
            str(token_id),
            columns.visible(token_id),
            columns.category(token_id),
            *(f"{columns.values(name)[token_id]:.3f}" for name in INDICATORS),
        )
        for token_id in range(columns.vocab_size)
    ]
    for _ in range(repeats):
        app = Bench(lambda: DataTable[str](cursor_type="row"))
        async with app.run_test(size=(160, 50)) as pilot:
            await pilot.pause()
            gc.collect()
            gc.freeze()
            table: DataTable[str] = app.query_one(DataTable)

            async def fill(rows: list[tuple[str, ...]], table: DataTable[str] = table) -> None:
                table.clear(columns=True)
                table.add_columns("id", "token", "category", *INDICATORS)
                table.add_rows(rows)

            async def sort(table: DataTable[str] = table) -> None:
                table.sort(list(table.columns)[4])

            async def page(table: DataTable[str] = table) -> None:
                table.action_page_down()

            await _timed(timings["open"], app, fill(rows))
            await _timed(timings["sort"], app, sort())
            for _ in range(PAGES):
                await _timed(timings["page"], app, page())
            await _timed(timings["filter"], app, fill([row for row in rows if NEEDLE in row[1]]))
    return timings


def report(contenders: dict[str, Timings]) -> str:
    """A Markdown table of medians, ratios to the first contender, and stalls."""
    lines = ["| step | contender | ms | ratio | stall ms | longest |", "|---|---|---:|---:|---:|---:|"]
    ours = next(iter(contenders.values()))
    for step in STEPS:
        for name, timings in contenders.items():
            total, stalls = median(timings[step].total), timings[step].stall
            ratio = total / median(ours[step].total)
            lines.append(f"| {step} | {name} | {total:.1f} | {ratio:.1f} | {median(stalls):.1f} | {max(stalls):.1f} |")
    return "\n".join(lines)


def run(size: int, repeats: int, data_table_repeats: int) -> None:
    """Time one size of vocabulary, print and write the result."""
    source = vocabulary(size)
    contenders = {"glitch-explore": asyncio.run(time_token_table(source, repeats))}
    if data_table_repeats:
        contenders["Textual DataTable"] = asyncio.run(time_data_table(source, data_table_repeats))
    title, body = f"Token table of {size:,} rows", report(contenders)
    remark = f"Medians of {repeats} runs ({data_table_repeats} of DataTable), {PAGES} pages each, 160 x 50 cells."
    write_section(title, f"{remark}\n\n{body}")
    print(f"{title}\n{body}")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="DataTable at 262,144 rows too (a minute a run)")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    run(50_257, arguments.repeats, 1)
    run(262_144, arguments.repeats, int(arguments.full))


if __name__ == "__main__":
    main()
