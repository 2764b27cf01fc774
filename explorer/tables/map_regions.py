"""Names for the parts of a map: the writing system or category that a part has most above average. NumPy only.

A window is cut into `TILES`; of 262,144 tokens some 10,000 are counted: half a millisecond.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from explorer.base.records.map_regions import MOST_REGIONS, MapRegion
from explorer.base.records.maps import Window
from explorer.base.records.tokens import CATEGORIES
from explorer.tables.map_cells import Cloud
from explorer.tables.scripts import scripts_of_tokens
from explorer.tables.table import TokenColumns

TILES = (10, 6)
"""Across and down."""
LEAST_SHARE = 0.3
"""Of a tile's tokens from which on it has the name of their class."""
LEAST_EXCESS = 1.2
"""How many times their share of the whole map that must be: a name that all of a map has tells no part of it."""
FEWEST = 8
"""Counted tokens of a tile with a name."""
_COUNTED = 1 << 13
"""Tokens of a window that are counted, at most; of more every second, third and so on."""
_OK = CATEGORIES.index("ok")
_REFERENCE = "reference tokens"
_CATEGORY_NAMES = {"special": "special tokens", "byte": "bytes", "fragment": "fragments", "unreachable": "unreachable"}

Codes = npt.NDArray[np.int64]
_KEPT: WeakKeyDictionary[TokenColumns, tuple[tuple[str, ...], Codes]] = WeakKeyDictionary()


def region_classes(columns: TokenColumns) -> tuple[tuple[str, ...], Codes]:
    """The names of the classes, and which one each token is in, int64 [vocab]: reference tokens, other tokens that are
    not plain text by their category, and the others by the writing system of their first letter. Kept, as 262,144
    tokens take 0.3 s."""
    found = _KEPT.get(columns)
    if found is None:
        names, codes = scripts_of_tokens(columns)
        for place, category in enumerate(CATEGORIES):
            if place != _OK:
                codes = np.where(columns.categories == place, len(names), codes)
                names = (*names, _CATEGORY_NAMES.get(category, category))
        codes = np.where(columns.is_reference, len(names), codes)
        found = _KEPT[columns] = ((*names, _REFERENCE), codes)
    return found


class RegionNamer:
    """Names the parts of the windows of one map."""

    def __init__(self, cloud: Cloud, columns: TokenColumns) -> None:
        self._cloud = cloud
        self._names, codes = region_classes(columns)
        self._codes = codes[cloud.token_ids]
        self._shares = np.bincount(self._codes, minlength=len(self._names)) / max(1, len(self._codes))

    def name(self, window: Window) -> tuple[MapRegion, ...]:
        """The regions of a window, those with the most tokens first, at most `MOST_REGIONS`."""
        x, y, codes = self._counted(window)
        across, down = TILES
        left, right, bottom, top = window
        column = np.minimum(((x - left) * (across / (right - left))).astype(np.int64), across - 1)
        row = np.minimum(((top - y) * (down / (top - bottom))).astype(np.int64), down - 1)
        tiles = row * across + column
        size = len(self._names)
        counts = np.bincount(tiles * size + codes, minlength=across * down * size).reshape(-1, size)
        best = self._most_above_average(counts)
        regions = []
        for group in _connected(best.reshape(down, across)):
            chosen, totals = int(best[group[0]]), counts[group].sum(axis=1)
            densest = tiles == group[int(totals.argmax())]
            share = float(counts[group, chosen].sum() / totals.sum())
            place = float(f"{x[densest].mean():.5g}"), float(f"{y[densest].mean():.5g}")
            region = MapRegion(name=self._names[chosen], share=round(share, 3), x=place[0], y=place[1])
            regions.append((int(totals.sum()), region))
        return tuple(region for _, region in sorted(regions, key=lambda found: -found[0])[:MOST_REGIONS])

    def _counted(self, window: Window) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], Codes]:
        """Places and classes of the tokens in the window, or of a part of them."""
        left, right, bottom, top = window
        cloud = self._cloud
        first, last = np.searchsorted(cloud.y, np.float32(bottom)), np.searchsorted(cloud.y, np.float32(top), "right")
        some = slice(int(first), int(last), max(1, int(last - first) // _COUNTED))
        x = cloud.x[some]
        inside = (x >= np.float32(left)) & (x <= np.float32(right))
        return x[inside].astype(np.float64), cloud.y[some][inside].astype(np.float64), self._codes[some][inside]

    def _most_above_average(self, counts: Codes) -> Codes:
        """The class of each tile that exceeds its share of the whole map by the most standard deviations, int64
        [tiles]; −1 where it holds too little of the tile, or there are too few tokens."""
        totals = counts.sum(axis=1)
        expected = totals[:, None] * self._shares
        spread = np.sqrt(np.maximum(expected * (1 - self._shares), 1e-9))
        best = np.where(counts > 0, (counts - expected) / spread, -np.inf).argmax(axis=1)
        held = counts[np.arange(len(counts)), best] / np.maximum(totals, 1)
        least = np.maximum(LEAST_SHARE, LEAST_EXCESS * self._shares[best])
        found: Codes = np.where((totals >= FEWEST) & (held > least), best, -1)
        return found


def _connected(best: Codes) -> list[list[int]]:
    """Groups of tiles (row · columns + column) of one class that touch at a side, without those of −1."""
    rows, columns = best.shape
    left = {(row, column) for row in range(rows) for column in range(columns) if best[row, column] >= 0}
    groups = []
    while left:
        waiting, group = [left.pop()], []
        while waiting:
            row, column = waiting.pop()
            group.append(row * columns + column)
            for beside in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if beside in left and best[beside] == best[row, column]:
                    left.remove(beside)
                    waiting.append(beside)
        groups.append(sorted(group))
    return sorted(groups)
