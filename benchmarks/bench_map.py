"""The map of 262,144 tokens: how long a redraw takes after a pan or zoom, and picking the nearest token.

The cloud is made of random clumps; the numbers are processor milliseconds of one thread, which the worker of the map
needs for one frame. A frame is the whole map, a quarter of it, or a hundredth. Objects alive before are frozen
(`gc.freeze`): the explorer does its full collections in small portions.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable

import numpy as np

from benchmarks.harness import write_section
from explorer.tables.map_cells import Cloud, percentile_ranks
from explorer.tui.panes.map.raster import raster, raster_strips
from explorer.tui.panes.map.windows import pan_window, zoom_window
from explorer.tui.widgets.plot import Palette

SIZE = 262_144
SCREENS = ((80, 20), (118, 34), (200, 56))
ZOOMS = (("whole map", 1.0), ("zoom 4", 0.25), ("zoom 100", 0.01))
PALETTE = Palette((255, 255, 255), (9, 9, 9), (1, 2, 3), tuple((30 * step, 9, 9) for step in range(7)))


def clumps() -> Cloud:
    """Random tokens in 300 clumps of any size, coloured by a number of their own."""
    random = np.random.default_rng(0)
    middles = random.normal(size=(300, 2)) * 3
    of = random.integers(0, 300, SIZE)
    places = (middles[of] + random.normal(size=(SIZE, 2)) * random.uniform(0.05, 1, 300)[of, None]).astype(np.float32)
    colours = (of / 300 + random.normal(size=SIZE)).astype(np.float32)
    return Cloud(places[:, 0].copy(), places[:, 1].copy(), percentile_ranks(colours))


def measure(work: Callable[[int], object], repeats: int) -> tuple[float, float]:
    """Median and 99th percentile of the processor milliseconds of one call."""
    taken = []
    for turn in range(repeats):
        began = time.process_time()
        work(turn)
        taken.append(1000 * (time.process_time() - began))
    return float(np.median(taken)), float(np.percentile(taken, 99))


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    cloud = clumps()
    whole = cloud.whole_window()
    gc.collect()
    gc.freeze()
    lines = ["| screen | part | tokens in view | raster and strips, median ms | 99 % ms |", "|---|---|---:|---:|---:|"]
    for columns, rows in SCREENS:
        for name, factor in ZOOMS:
            window = zoom_window(whole, factor, 0.0, 0.0)

            def redraw(turn: int) -> object:
                moved = pan_window(window, 0.01 * (turn % 20), 0.0)  # noqa: B023 (called before the next turn)
                return raster_strips(raster(cloud, moved, columns, rows), PALETTE)  # noqa: B023

            median, slowest = measure(redraw, repeats)
            seen = len(cloud.inside(window))
            lines.append(f"| {columns} x {rows} | {name} | {seen:,} | {median:.1f} | {slowest:.1f} |")
    median, slowest = measure(lambda turn: cloud.nearest(0.01 * turn, 0.5, whole, 118, 68), repeats)
    lines.append(f"| | nearest token | {SIZE:,} | {median:.1f} | {slowest:.1f} |")
    write_section(f"Map of {SIZE:,} tokens", "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
