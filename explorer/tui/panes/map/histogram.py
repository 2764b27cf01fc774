"""A histogram as lines of text: bars in eighths of a cell, marks below. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from explorer.base.numbers import format_percent
from explorer.specs.blocks import count
from explorer.tables.histograms import Sides
from explorer.tables.thresholds import Side

EIGHTHS = " ▁▂▃▄▅▆▇█"
LINE = "│"


def bar_lines(counts: Sequence[int], rows: int, *, is_log: bool = True, line: int | None = None) -> list[str]:
    """The bars of `counts`, one cell wide and at most `rows` high, the top line first; `line` is a column in which a
    line stands wherever there is no bar.

    Logarithmic by default: a clump of untrained tokens is one in fifty and would not be seen. Every count above 0 is
    seen, at least as an eighth.
    """
    most = max(counts, default=0)
    heights = [_height(count, most, rows, is_log=is_log) for count in counts]
    lines = []
    for row in range(rows - 1, -1, -1):
        cells = [EIGHTHS[min(8, max(0, height - 8 * row))] for height in heights]
        if line is not None and 0 <= line < len(cells) and cells[line] == " ":
            cells[line] = LINE
        lines.append("".join(cells))
    return lines


def _height(count: int, most: int, rows: int, *, is_log: bool) -> int:
    """Eighths of a cell."""
    if count <= 0:
        return 0
    share = math.log1p(count) / math.log1p(most) if is_log else count / most
    return max(1, round(share * rows * 8))


def mark_line(marks: Iterable[tuple[float, str]], low: float, high: float, columns: int) -> str:
    """The line below the bars: a glyph of one cell below each number; the last of those in one cell is seen, numbers
    outside are not."""
    cells = [" "] * columns
    for number, glyph in marks:
        column = bin_of(number, low, high, columns)
        if column is not None:
            cells[column] = glyph
    return "".join(cells)


def bin_of(number: float, low: float, high: float, columns: int) -> int | None:
    """The column in which a number is; None outside, or where there is no column."""
    if columns < 1 or not low <= number <= high or not high > low:
        return None
    return min(columns - 1, int((number - low) / (high - low) * columns))


def sides_words(name: str, line: float, sides: Sides, side: Side = "low") -> str:
    """'d(W_E) ≤ 0.3: 8,716 tokens (3.3 %) · above: 253,428', with the filter's own number."""
    total = sides.suspected + sides.others
    share = f" ({format_percent(sides.suspected / total)})" if total else ""
    sign, beyond = ("≤", "above") if side == "low" else ("≥", "below")
    return f"{name} {sign} {line:.4g}: {count(sides.suspected, 'token')}{share} · {beyond}: {sides.others:,}"
