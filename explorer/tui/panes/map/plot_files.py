"""The plots of a column in files: a picture of what is shown, and the numbers as rows. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from explorer.base.records.tokens import CATEGORIES
from explorer.base.records.verification import VERDICTS
from explorer.specs.charts import Bar, Chart, Dot, Panel
from explorer.tables.agreement import Curve
from explorer.tables.histograms import SortedColumn
from explorer.tables.thresholds import Share
from explorer.tui.panes.map import plot_words as words
from explorer.tui.panes.map.plot_histogram import POINT
from explorer.tui.panes.map.plots_sheet import (
    ALL,
    HISTOGRAM,
    MEASURED,
    PRECISION,
    ROC,
    Plotted,
)
from explorer.tui.panes.map.plots_sheet import (
    CATEGORIES as BY_CATEGORY,
)
from explorer.tui.panes.map.probabilities import log_heights
from explorer.tui.panes.map.spots import GLYPHS
from explorer.tui.panes.map.threshold import Measured, Parted
from explorer.tui.panes.takeaway import Row, Takeaway
from explorer.tui.panes.verdicts.view import MARKS

BINS = 100
"""Of a histogram in a file."""


def takeaway_of_plots(plotted: Plotted, model: str, shown: str) -> Takeaway | None:
    """What is shown of a column; None where there are no numbers, only records."""
    parted = plotted.parted
    if parted is None:
        return None
    what = {HISTOGRAM: "the histogram", BY_CATEGORY: "the histograms", ALL: "the tokens of the plots"}
    named = what.get(shown, "the measured tokens" if shown == MEASURED else "the curve, a row a line")
    return Takeaway(named, lambda _: rows(parted, shown), plot=lambda: chart(parted, model, shown))


# ── numbers ──


def rows(parted: Parted, shown: str) -> Iterable[Row]:
    """The numbers of a plot: bins, tokens that were measured, or every line with its precision and recall."""
    measured = parted.measured
    if shown == HISTOGRAM or (shown == ALL and measured is None):
        return _bins(parted, (("all", parted.numbers.sorted),))
    if shown == BY_CATEGORY:
        return _bins(parted, parted.numbers.categories)
    if measured is None:
        return ()
    return _lines(parted, measured) if shown in (ROC, PRECISION) else _tokens(parted, measured)


def _bins(parted: Parted, columns: Iterable[tuple[str, SortedColumn]]) -> Iterator[Row]:
    low, high = parted.ends
    edges = np.linspace(low, high, BINS + 1).tolist()
    for category, column in columns:
        counts = column.counts(low, high, BINS).tolist()
        for left, right, tokens in zip(edges, edges[1:], counts, strict=False):
            yield {"indicator": parted.numbers.name, "category": category, "from": left, "to": right, "tokens": tokens}


def _tokens(parted: Parted, measured: Measured) -> Iterator[Row]:
    """Every token with a verdict or a number, the most suspicious first."""
    numbers, tested = parted.numbers, measured.tested
    suspected = set(parted.token_ids.tolist())
    known = np.flatnonzero(np.isfinite(numbers.values) & (tested.verdicts != VERDICTS.index("not asked")))
    order = np.argsort(numbers.values[known] * (1 if parted.side == "low" else -1), kind="stable")
    for token_id in known[order].tolist():
        value = tested.values[token_id]
        yield {
            "token_id": token_id,
            "token": numbers.columns.visible(token_id),
            "category": CATEGORIES[int(numbers.columns.categories[token_id])],
            numbers.name: float(str(numbers.values[token_id])),
            "definition": measured.definition,
            "verdict": VERDICTS[int(tested.verdicts[token_id])],
            tested.value: None if np.isnan(value) else float(str(value)),
            "is_suspected": token_id in suspected,
        }


def _lines(parted: Parted, measured: Measured) -> Iterator[Row]:
    for line, cut in measured.scores.cuts():
        yield {
            "indicator": parted.numbers.name,
            "side": parted.side,
            "line": line,
            "definition": measured.definition,
            **cut.row(),
        }


# ── pictures ──


def chart(parted: Parted, model: str, shown: str) -> Chart:
    """The plot that is shown, or four."""
    measured = parted.measured
    title = f"{model} · {parted.numbers.label}"
    said = words.counts_words(parted), words.measured_words(parted), words.scope_words(parted)
    panels: list[Panel] = []
    if shown in (HISTOGRAM, ALL):
        panels.append(_histogram(parted, words.histogram_title(parted), parted.numbers.sorted))
    if shown == BY_CATEGORY:
        panels += [_histogram(parted, name, column) for name, column in parted.numbers.categories]
    if measured is not None:
        scores, cut = measured.scores, measured.scores.cut(parted.line)
        if shown in (ROC, ALL) and scores.roc is not None:
            name = f"ROC · AUC {scores.roc_auc:.3f} · recall ↑"
            at = cut.false_positives, cut.recall
            panels.append(_curve(name, "false-positive rate", scores.roc, at, chance=True))
        if shown in (MEASURED, ALL) and len(measured.token_ids):
            panels.append(_probabilities(parted, measured))
        if shown in (PRECISION, ALL) and scores.precision_recall is not None:
            name = f"average precision {scores.average_precision:.3f} · precision ↑"
            panels.append(_curve(name, "recall", scores.precision_recall, (cut.recall, cut.precision), chance=False))
    return Chart(title, tuple(panels), tuple(text for text in said if text))


def _histogram(parted: Parted, title: str, column: SortedColumn) -> Panel:
    """log10 of 1 + tokens."""
    low, high = parted.ends
    width = (high - low) / BINS
    heights = np.log10(1 + column.counts(low, high, BINS)).tolist()
    top = max([1.0, *heights])
    bars = tuple(
        Bar(low + place * width, low + (place + 1) * width, height, _is_suspected(parted, low + (place + 0.5) * width))
        for place, height in enumerate(heights)
        if height
    )
    named = [(point.role, float(parted.numbers.values[point.token.token_id])) for point in parted.points]
    marks = tuple(
        Dot(value, 0.03 * top, GLYPHS[role], is_strong=True)
        for role, value in named
        if role != "suspect" and low <= value <= high
    )
    powers = tuple((math.log10(1 + 10**power), f"{10**power:,}") for power in range(int(top) + 1))
    return Panel(
        title, parted.numbers.name, (low, high, 0.0, top * 1.02), bars=bars, dots=marks,
        rules=((parted.line, 0.0, parted.line, top),), y_ticks=powers,
    )  # fmt: skip


def _is_suspected(parted: Parted, value: float) -> bool:
    return value <= parted.line if parted.side == "low" else value >= parted.line


def _probabilities(parted: Parted, measured: Measured) -> Panel:
    (low, high), bottom = parted.ends, measured.places.bottom
    heights, codes = log_heights(measured.probabilities).tolist(), measured.verdicts.tolist()
    dots = []
    for x, y, code in zip(measured.x.tolist(), heights, codes, strict=True):
        if low <= x <= high:
            is_plain = VERDICTS[code] == "rejected"
            dots.append(Dot(x, y, "" if is_plain else MARKS[VERDICTS[code]][0], is_strong=not is_plain))
    return Panel(
        words.measured_title(measured), parted.numbers.name, (low, high, bottom, 0.05), dots=tuple(dots),
        rules=((parted.line, bottom, parted.line, 0.05),),
        y_ticks=tuple((float(power), f"1e{power}" if power else "1") for power in range(int(bottom), 1)),
    )  # fmt: skip


def _curve(title: str, x_axis: str, curve: Curve, at: tuple[Share, Share], *, chance: bool) -> Panel:
    x, y = at
    points = tuple(zip(curve.x.tolist(), curve.y.tolist(), strict=True))
    if x.value is None or y.value is None:
        return Panel(title, x_axis, (0.0, 1.0, 0.0, 1.0), curve=points, chance=chance)
    rules = ((x.interval[0], y.value, x.interval[1], y.value), (x.value, y.interval[0], x.value, y.interval[1]))
    dot = Dot(x.value, y.value, POINT, is_strong=True)
    return Panel(title, x_axis, (0.0, 1.0, 0.0, 1.0), curve=points, dots=(dot,), rules=rules, chance=chance)
