"""Histograms: counts, lines, valleys and bars."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.tables.histograms import Sides, SortedColumn, find_valleys
from explorer.tui.panes.map.histogram import bar_lines, bin_of, mark_line, sides_words


def two_hills() -> SortedColumn:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(0.05, 0.01, 400), random.normal(0.7, 0.1, 20_000), [np.nan, np.inf]])
    return SortedColumn(values.astype(np.float32))


def test_bins_count_every_number_once_and_a_line_parts_them_as_a_filter_does() -> None:
    column = two_hills()
    low, high = column.ends()
    for bins in (1, 7, 118):
        counts = column.counts(low, high, bins)
        expected, _ = np.histogram(column.values, bins=np.linspace(low, high, bins + 1).astype(np.float32))
        assert np.array_equal(counts, expected)
        assert counts.sum() == len(column.values) == 20_400
    line = float(column.values[123])
    sides = column.sides(line)
    assert sides == Sides(int((column.values <= line).sum()), int((column.values > line).sum()))
    sides = column.sides(line, "high")
    assert sides == Sides(int((column.values >= line).sum()), int((column.values < line).sum()))


def test_the_valley_between_untrained_and_other_tokens_is_found() -> None:
    column = two_hills()
    counts = column.counts(0.0, 1.2, 118)
    middles = [(valley + 0.5) / 118 * 1.2 for valley in find_valleys(counts)]
    assert any(0.08 < middle < 0.4 for middle in middles)
    assert find_valleys(np.ones(50, dtype=np.int64)) == []
    assert find_valleys(np.zeros(1, dtype=np.int64)) == []


def test_a_column_without_numbers_has_ends() -> None:
    empty = SortedColumn(np.full(3, np.nan, np.float32))
    assert empty.ends() == (0.0, 1.0)
    assert empty.counts(0.0, 1.0, 4).tolist() == [0] * 4
    assert bar_lines([0] * 4, 2) == ["    ", "    "]
    assert sides_words("x", 0.5, Sides(0, 0)) == "x ≤ 0.5: 0 tokens · above: 0"


def test_bars_are_as_high_as_their_counts_and_every_count_is_seen() -> None:
    assert bar_lines([0, 1, 1_000, 8], 2, is_log=False) == ["  █ ", " ▁█▁"]
    assert bar_lines([0, 3, 255, 15], 2) == ["  █ ", " ▄██"]
    assert bar_lines([0, 4], 2, line=0) == ["│█", "│█"]


@pytest.mark.parametrize("number", [-1.0, 2.0, float("nan")])
def test_marks_stand_below_their_number_and_nowhere_outside(number: float) -> None:
    assert bin_of(number, 0.0, 1.0, 10) is None
    assert mark_line([(0.05, "▲"), (1.0, "◆"), (number, "x"), (0.99, "○")], 0.0, 1.0, 10) == "▲        ○"


def test_the_words_have_the_shares() -> None:
    assert sides_words("distance", 0.3, Sides(8716, 253428)) == "distance ≤ 0.3: 8,716 tokens (3.3 %) · above: 253,428"
    assert sides_words("cos", 0.9, Sides(2, 38), "high") == "cos ≥ 0.9: 2 tokens (5.0 %) · below: 38"
