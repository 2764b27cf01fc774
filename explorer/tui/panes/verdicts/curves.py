"""ROC and precision-recall curves of the Verdicts pane: where they come from, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from explorer.base.indicator_names import with_labels
from explorer.base.records.verification import VerificationResult
from explorer.base.text import visible
from explorer.specs.verdict_curves import FEWEST, Points, curve_of, score_of
from explorer.tables.agreement import Curve
from explorer.tables.verdicts import VerdictMatrix
from explorer.tui.shell.guarded import Guarded
from explorer.tui.widgets.plot import Draw, Drawing, Palette, PlotView, Point

_BESIDE_FROM = 80
"""Cells of width from which the two plots stand side by side."""


class CurvesView(Guarded, Widget):
    """How well an indicator foretells the calls of a definition: two plots and their numbers."""

    DEFAULT_CSS = """
    CurvesView {
        height: 1fr;
        layout: vertical;
        & #curves { height: 1fr; layout: vertical; }
        &.-beside #curves { layout: horizontal; }
        & #curve-legend { height: 2; }
    }
    """

    def compose(self) -> ComposeResult:
        with Container(id="curves"):
            yield PlotView(id="roc", empty="no curve: nothing, or all, is called")
            yield PlotView(id="precision-recall")
        yield Static(Content(""), id="curve-legend")

    def show_curves(
        self, result: VerificationResult | None, matrix: VerdictMatrix | None, indicator: str, definition: str
    ) -> None:
        """Draw from the whole `matrix` where there is one, else from what `result` recorded."""
        found = find_curves(result, matrix, indicator, definition)
        self.query_one("#roc", PlotView).show(roc_plot(found.roc))
        self.query_one("#precision-recall", PlotView).show(precision_recall_plot(found.precision_recall))
        heading = with_labels(f"{visible(indicator)} foretells {visible(definition)}")
        content = Content.assemble((heading, "bold"), f"\n{visible(found.legend, spaces=False)}")
        self.query_one("#curve-legend", Static).update(content)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= _BESIDE_FROM, "-beside")


@dataclass(frozen=True)
class Curves:
    """How well an indicator foretells a definition's calls."""

    roc: Curve | None
    precision_recall: Curve | None
    legend: str


def find_curves(
    result: VerificationResult | None, matrix: VerdictMatrix | None, indicator: str, definition: str
) -> Curves:
    """From the whole matrix where there is one, else as recorded (the default indicator's only)."""
    if result is None:
        return Curves(None, None, "Nothing is tested yet. Left and right in the matrix choose the definition.")
    score = score_of(result, indicator, definition)
    if score is None:
        return Curves(None, None, "no curve: the definition calls nothing, or everything")
    side = "low" if score.low_is_suspicious else "high"
    areas = f"ROC-AUC {score.roc_auc:.4f}, average precision {score.average_precision:.4f}"
    legend = f"{side} is suspicious; {areas}"
    if matrix is not None and indicator in matrix.indicators:
        low = score.low_is_suspicious
        return Curves(
            matrix.roc(indicator, definition, low_is_suspicious=low),
            matrix.precision_recall(indicator, definition, low_is_suspicious=low),
            legend,
        )
    kept = curve_of(result, indicator, definition)
    if kept is None:
        return Curves(None, None, f"{legend}; the session holds the curves of the default indicator only")
    return Curves(_curve(kept.roc), _curve(kept.precision_recall), legend)


def _curve(points: Points) -> Curve | None:
    if len(points) < FEWEST:
        return None
    x, y = np.array(points, dtype=np.float64).T
    return Curve(x, y)


def roc_plot(curve: Curve | None) -> Draw | None:
    """With the line of a guess by chance."""
    return None if curve is None else _plot(curve, "false-positive rate", "true-positive rate ↑", diagonal=True)


def precision_recall_plot(curve: Curve | None) -> Draw | None:
    """Recall against precision."""
    return None if curve is None else _plot(curve, "recall", "precision ↑", diagonal=False)


def _plot(curve: Curve, x_title: str, y_title: str, *, diagonal: bool) -> Draw:
    """A curve in the unit square; with the line of a guess by chance, if `diagonal`."""

    def draw(columns: int, rows: int, palette: Palette) -> Drawing:
        points: list[Point] = []
        if diagonal:
            steps = np.linspace(0, 1, columns)
            points += [Point(*cell, "·", palette.frame) for cell in _cells(steps, steps, columns, rows)]
        line = curve.along(max(2, 4 * (columns + rows)))
        points += [Point(*cell, "●", palette.accent) for cell in _cells(*line, columns, rows)]
        return Drawing(points, [], x_title, y_title)

    return draw


def _cells(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], columns: int, rows: int) -> list[tuple[int, int]]:
    across = np.rint(np.clip(x, 0, 1) * (columns - 1)).astype(int).tolist()
    up = np.rint(np.clip(y, 0, 1) * (rows - 1)).astype(int).tolist()
    return list(dict.fromkeys(zip(across, up, strict=True)))
