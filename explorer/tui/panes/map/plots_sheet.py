"""Which plots of a column there are, and how they share the room. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from explorer.tables.agreement import Curve
from explorer.tui.panes.map import plot_words as words
from explorer.tui.panes.map.plot_curves import draw_curve
from explorer.tui.panes.map.plot_histogram import GUTTER, draw_categories, draw_histogram
from explorer.tui.panes.map.plot_measured import draw_measured
from explorer.tui.panes.map.recorded_curves import RecordedCurves
from explorer.tui.panes.map.sheet import Box, Sheet
from explorer.tui.panes.map.threshold import Parted

HISTOGRAM, CATEGORIES, MEASURED, ROC, PRECISION, ALL = "histogram", "categories", "P(token)", "ROC", "precision", "all"
PLOTS = (HISTOGRAM, CATEGORIES, MEASURED, ROC, PRECISION, ALL)
"""In the order in which they are chosen; `ALL`: four beside and below each other, where there is room."""
ROOM_FOR_ALL = (100, 20)
"""Columns and rows from which four plots are readable."""


@dataclass(frozen=True)
class Plotted:
    """What there is to plot."""

    parted: Parted | None = None
    """A column with its line; None where only a session's records are here."""
    recorded: RecordedCurves | None = None
    """A recorded verification, used where nothing was measured in this run of the program."""
    chosen: str = HISTOGRAM
    missing: str = words.NOT_RECORDED
    """Why there is no column."""

    def plots(self, columns: int, rows: int) -> tuple[str, ...]:
        """Those that can be chosen in that much room."""
        return PLOTS if columns >= ROOM_FOR_ALL[0] and rows >= ROOM_FOR_ALL[1] else PLOTS[:-1]

    def shown(self, columns: int, rows: int) -> str:
        """The chosen plot, or the first where there is no room for that."""
        return self.chosen if self.chosen in self.plots(columns, rows) else HISTOGRAM

    def choose(self, by: int, columns: int, rows: int) -> Plotted:
        """With the next plot chosen, or the one before."""
        plots = self.plots(columns, rows)
        place = plots.index(self.shown(columns, rows))
        return replace(self, chosen=plots[(place + by) % len(plots)])

    @property
    def has_definitions(self) -> bool:
        """Whether another definition can be chosen."""
        if self.parted is not None and self.parted.measured is not None:
            return len(self.parted.definitions) > 1
        return self.recorded is not None and len(self.recorded.definitions) > 1

    def next_definition(self) -> Plotted:
        """By the verdicts of the next definition."""
        if self.parted is not None and self.parted.measured is not None:
            return replace(self, parted=self.parted.next_definition())
        return self if self.recorded is None else replace(self, recorded=self.recorded.next_definition())

    def lines(self) -> tuple[str, str, str, str]:
        """What is said below the plots."""
        parted = self.parted
        recorded = words.recorded_words(self.recorded)
        if parted is None:
            return self.missing, *recorded, ""
        glyphs = words.glyph_words(parted, with_verdicts=self.chosen in (MEASURED, ALL))
        if parted.measured is None:
            return words.counts_words(parted), recorded[0] or words.nothing_measured(parted), recorded[1], glyphs
        return words.counts_words(parted), words.measured_words(parted), words.scope_words(parted), glyphs


def draw_plots(plotted: Plotted, columns: int, rows: int) -> Sheet:
    """The chosen plot, or four of them."""
    sheet, name = Sheet(columns, rows), plotted.shown(columns, rows)
    if name == ALL:
        left, upper = columns // 2, rows // 2
        draw_plot(sheet, Box(0, 0, left - 1, upper), plotted, HISTOGRAM)
        draw_plot(sheet, Box(0, upper, left - 1, rows - upper), plotted, MEASURED)
        draw_plot(sheet, Box(left, 0, columns - left, upper), plotted, ROC)
        draw_plot(sheet, Box(left, upper, columns - left, rows - upper), plotted, PRECISION)
    else:
        draw_plot(sheet, sheet.whole, plotted, name)
    return sheet


def column_area(plotted: Plotted, columns: int, rows: int) -> tuple[int, int] | None:
    """First cell and number of cells over which the numbers of the column stand; None where there are none."""
    name = plotted.shown(columns, rows)
    if plotted.parted is None or name in (ROC, PRECISION):
        return None
    return GUTTER, (columns // 2 - 1 if name == ALL else columns) - GUTTER


def draw_plot(sheet: Sheet, box: Box, plotted: Plotted, name: str) -> None:
    """One plot with its title."""
    parted, below = plotted.parted, box.inner(top=1)
    if name in (ROC, PRECISION):
        _curve(sheet, box, plotted, name)
    elif parted is None:
        _say(sheet, box, name, plotted.missing)
    elif name == HISTOGRAM:
        sheet.write(box, words.histogram_title(parted), "strong")
        draw_histogram(sheet, below, parted)
    elif name == CATEGORIES:
        draw_categories(sheet, box, parted)
    elif parted.measured is None or not len(parted.measured.token_ids):
        _say(sheet, box, name, words.no_probability_words(parted))
    else:
        sheet.write(box, words.measured_title(parted.measured), "strong")
        draw_measured(sheet, below, parted, parted.measured)


def _say(sheet: Sheet, box: Box, title: str, text: str) -> None:
    """A plot that there is not, and why; the words in as many rows as they need."""
    sheet.write(box, title, "strong")
    line, row = "", 2
    for word in text.split():
        if line and len(line) + 1 + len(word) > box.columns - 2:
            sheet.write(box, line, "muted", column=1, row=row)
            line, row = "", row + 1
        line = f"{line} {word}" if line else word
    sheet.write(box, line, "muted", column=1, row=row)


def _curve(sheet: Sheet, box: Box, plotted: Plotted, name: str) -> None:
    parted, is_roc = plotted.parted, name == ROC
    title, curve, value = _found(plotted, is_roc=is_roc)
    if curve is None:
        _say(sheet, box, title, words.no_curve_words(parted, plotted.recorded))
        return
    axes = "ROC · recall ↑ false positives →" if is_roc else "precision ↑ recall →"
    sheet.write(box, words.curve_title("AUC" if is_roc else "average precision", value, axes), "strong")
    cut = None if parted is None else parted.cut
    at = None if cut is None else (cut.false_positives, cut.recall) if is_roc else (cut.recall, cut.precision)
    draw_curve(sheet, box.inner(top=1), curve, at, chance=is_roc)


def _found(plotted: Plotted, *, is_roc: bool) -> tuple[str, Curve | None, float | None]:
    """Title, curve and area: of what was measured, else as recorded (whose area is told below)."""
    title = "ROC" if is_roc else "precision-recall"
    if plotted.parted is not None and plotted.parted.measured is not None:
        scores = plotted.parted.measured.scores
        found = (scores.roc, scores.roc_auc) if is_roc else (scores.precision_recall, scores.average_precision)
        return title, *found
    if plotted.recorded is None:
        return title, None, None
    curves = plotted.recorded.curves
    return title, curves.roc if is_roc else curves.precision_recall, None
