"""A cloud counted in cells, against counting token by token; picking, windows and what a session holds."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest

from explorer.base.records.maps import GRID, MOST_PACKED, NO_COLOUR, MapCells, Window
from explorer.base.ticks import axis_ticks, tick_texts
from explorer.tables.map_cells import Cells, Cloud, Column, pack_cells, pack_window, percentile_ranks, unpack_cells


def cloud_of(seed: int, size: int = 2_000) -> tuple[Cloud, Column, Column, Column]:
    """Numbers with few binary digits, so that float32 and float64 put every token into the same cell."""
    random = np.random.default_rng(seed)
    x, y = (random.integers(-512, 512, size).astype(np.float32) / np.float32(64) for _ in range(2))
    ranks = random.integers(0, 256, size).astype(np.float32) / np.float32(255)
    x[random.integers(0, size, size // 50)] = np.nan
    ranks[random.integers(0, size, size // 20)] = np.nan
    return Cloud(x, y, ranks), x, y, ranks


def counted_one_by_one(x: Column, y: Column, ranks: Column, window: Window, columns: int, rows: int) -> Cells:
    left, right, bottom, top = window
    counts = np.zeros((rows, columns), dtype=np.int64)
    told: dict[tuple[int, int], list[float]] = {}
    for across, up, rank in zip(x.tolist(), y.tolist(), ranks.tolist(), strict=True):
        if left <= across <= right and bottom <= up <= top:
            column = min(columns - 1, int((across - left) / (right - left) * columns))
            row = min(rows - 1, int((top - up) / (top - bottom) * rows))
            counts[row, column] += 1
            if not math.isnan(rank):
                told.setdefault((row, column), []).append(rank)
    means = np.full((rows, columns), np.nan)
    for cell, values in told.items():
        means[cell] = sum(values) / len(values)
    return Cells(counts, means)


@pytest.mark.parametrize("seed", range(4))
def test_cells_hold_the_tokens_of_their_part_of_the_window_and_their_mean_rank(seed: int) -> None:
    cloud, x, y, ranks = cloud_of(seed)
    for window in ((-8.0, 8.0, -8.0, 8.0), (-1.0, 3.0, 0.5, 4.5), (7.5, 8.5, -9.0, -7.0)):
        found = cloud.cells(window, 16, 8)
        expected = counted_one_by_one(x, y, ranks, window, 16, 8)
        assert np.array_equal(found.counts, expected.counts)
        assert np.allclose(found.ranks, expected.ranks, atol=1e-9, equal_nan=True)
        assert found.counts.sum() == len(cloud.inside(window))


def test_picking_returns_the_nearest_token_on_the_screen_in_1000_random_cases() -> None:
    random = np.random.default_rng(7)
    for _ in range(10):
        size = int(random.integers(1, 3_000))
        x, y = random.normal(size=(2, size)).astype(np.float32) * random.uniform(1e-3, 1e3, (2, 1)).astype(np.float32)
        x[random.random(size) < 0.1] = x[0]
        cloud = Cloud(x, y)
        for _ in range(100):
            left, bottom = random.normal(size=2)
            width, height = random.uniform(0.1, 10, 2)
            columns, rows = random.uniform(1, 300, 2)
            px, py = left + random.random() * width, bottom + random.random() * height
            apart = [
                math.hypot((float(a) - px) / width * columns, (float(b) - py) / height * rows)
                for a, b in zip(x.tolist(), y.tolist(), strict=True)
            ]
            found = cloud.nearest(px, py, (left, left + width, bottom, bottom + height), columns, rows)
            assert found is not None
            assert apart[found] == pytest.approx(min(apart), rel=1e-12)


def test_of_tokens_in_one_place_the_lowest_id_is_picked_and_of_none_nobody() -> None:
    same = np.array([np.nan, 1, 1, 1], dtype=np.float32)
    assert Cloud(same, same).nearest(5, 5, (0, 2, 0, 2), 10, 10) == 1
    nobody = Cloud(np.full(3, np.nan, np.float32), np.zeros(3, np.float32))
    assert nobody.nearest(0, 0, (0, 1, 0, 1), 10, 10) is None
    assert nobody.cells(nobody.whole_window(), 4, 4).counts.sum() == 0


def test_the_whole_window_shows_a_clump_at_the_edge_and_leaves_out_what_is_far() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=50_000).astype(np.float32)
    x[:24] = -5.0
    x[24] = 1e6
    left, right, _, _ = Cloud(x, x).whole_window()
    assert left < -5.0
    assert 4 < right < 10


@pytest.mark.parametrize("tokens", [40, 500, 3_000, 50_000])
def test_strays_are_left_out_of_a_small_vocabulary_too_and_counted_at_each_side(tokens: int) -> None:
    x, y = np.random.default_rng(2).uniform(0, 1, (2, tokens)).astype(np.float32)
    x[0], y[1], x[2] = 9.0, -9.0, -50.0
    if tokens > 100:  # of fewer, one at each end at most
        x[3] = -52.0
    cloud = Cloud(x, y)
    left, right, bottom, top = cloud.whole_window()
    assert -0.1 < left < right < 1.1
    assert -0.1 < bottom < top < 1.1
    assert cloud.beyond((left, right, bottom, top)) == (1 + (tokens > 100), 1, 1, 0)
    assert len(cloud.inside(cloud.full_window())) == tokens
    assert cloud.beyond(cloud.full_window()) == (0, 0, 0, 0)


def test_what_is_spread_evenly_or_is_sought_is_not_left_out() -> None:
    x, y = np.random.default_rng(3).uniform(-1, 1, size=(2, 50_000)).astype(np.float32)
    assert Cloud(x, y).beyond(Cloud(x, y).whole_window()) == (0, 0, 0, 0)
    x[:20] = -1.5
    assert Cloud(x, y).beyond(Cloud(x, y).whole_window())[0] == 20
    assert Cloud(x, y).beyond(Cloud(x, y).whole_window(np.arange(20)))[0] == 0
    x[0] = -1e9
    assert Cloud(x, y).beyond(Cloud(x, y).whole_window(np.arange(20)))[0] == 1, "nothing else would be seen"


@pytest.mark.parametrize("value", [0.0, 3.0, -1e-30, 1e30])
def test_tokens_in_one_place_have_a_window(value: float) -> None:
    column = np.full(5, value, dtype=np.float32)
    cloud = Cloud(column, column)
    window = cloud.whole_window()
    assert window[0] < value < window[1]
    assert cloud.cells(window, 3, 3).counts.sum() == 5


def test_ranks_are_shares_and_equal_values_share_one() -> None:
    values = np.array([3.0, np.nan, 1.0, 1.0, 2.0], dtype=np.float32)
    ranks = percentile_ranks(values)
    assert ranks[[0, 2, 3, 4]].tolist() == [0.875, 0.25, 0.25, 0.625]
    assert np.isnan(ranks[1])


@pytest.mark.parametrize("seed", range(3))
def test_a_session_holds_every_occupied_cell_and_single_tokens_exactly(seed: int) -> None:
    cloud, *_ = cloud_of(seed, 20_000)
    cells = cloud.cells((-8.0, 8.0, -8.0, 8.0), *GRID)
    again = unpack_cells(pack_cells(cells))
    assert np.array_equal(again.counts > 0, cells.counts > 0)
    few = cells.counts <= 4
    assert np.array_equal(again.counts[few], cells.counts[few])
    assert np.abs(np.log2(np.maximum(again.counts, 1)) - np.log2(np.maximum(cells.counts, 1))).max() < 0.3
    assert np.array_equal(np.isnan(again.ranks), np.isnan(cells.ranks))
    assert np.nanmax(np.abs(again.ranks - cells.ranks)) <= 0.5 / 7 + 1e-9


def test_a_plane_that_is_filled_evenly_is_held_in_larger_cells() -> None:
    random = np.random.default_rng(0)
    x, y, ranks = (random.random(262_144, dtype=np.float32) for _ in range(3))
    window = (0.0, 1.0, 0.0, 1.0)
    full = Cloud(x, y, ranks)
    even = pack_window(full, window)
    assert MOST_PACKED / 2 < len(even.packed) <= MOST_PACKED < len(pack_cells(full.cells(window, *GRID)).packed)
    assert even.columns == even.rows * GRID[0] // GRID[1]
    assert unpack_cells(even).counts.sum() == pytest.approx(len(x), rel=0.02)
    few = pack_window(Cloud(x[:200], y[:200], ranks[:200]), window)
    assert (few.columns, few.rows) == GRID


def test_a_damaged_or_swollen_pack_is_a_problem_and_not_an_error() -> None:
    whole = bytes([0, 1, 9, NO_COLOUR + 1])
    assert not MapCells(columns=2, rows=2, packed=zlib.compress(whole)).problem()
    for packed in (b"", b"xx", zlib.compress(whole[:3]), zlib.compress(bytes(10**8))):
        damaged = MapCells(columns=2, rows=2, packed=packed)
        assert damaged.problem()
        with pytest.raises(ValueError, match="unpacked"):
            unpack_cells(damaged)
    for columns, rows in ((0, 4), (-2, -2), (10**6, 10**6)):
        assert MapCells(columns=columns, rows=rows, packed=zlib.compress(whole)).problem()


@pytest.mark.parametrize(
    ("ends", "most", "texts"),
    [
        ((0.0, 1.0), 6, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ((1.601, 5.394), 5, ["2", "3", "4", "5"]),
        ((-0.03, 0.03), 5, ["-0.02", "0.00", "0.02"]),
        ((0.0, 3e-7), 4, ["0", "1e-07", "2e-07", "3e-07"]),
        ((2.0, 2.0), 5, []),
        ((0.0, 1.0), 1, []),
    ],
)
def test_ticks_are_round_and_told_apart(ends: tuple[float, float], most: int, texts: list[str]) -> None:
    ticks = axis_ticks(*ends, most)
    assert tick_texts(ticks) == texts
    assert all(ends[0] - 1e-9 <= tick <= ends[1] + 1e-9 for tick in ticks)
