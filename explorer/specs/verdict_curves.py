"""How well an indicator foretells the calls of a definition, as a result has it: the areas, and the curves."""

from __future__ import annotations

from collections.abc import Iterator

from explorer.base.records.verification import CallCurve, IndicatorScore, VerificationResult
from explorer.specs.blocks import prose
from explorer.specs.charts import Chart, Panel

FEWEST = 2
"""Points of a curve."""
_NAME = 22
"""Characters of a definition's name above a panel."""
_UNIT = (0.0, 1.0, 0.0, 1.0)
Points = tuple[tuple[float, float], ...]


def score_of(outcome: VerificationResult, indicator: str, definition: str) -> IndicatorScore | None:
    """The areas under both curves; None where the definition calls nothing, or everything."""
    asked = (indicator, definition)
    return next((one for one in outcome.indicators if (one.indicator, one.definition) == asked), None)


def curve_of(outcome: VerificationResult, indicator: str, definition: str) -> CallCurve | None:
    """The curves that a session holds: those of the default indicator."""
    asked = (indicator, definition)
    return next((one for one in outcome.curves if (one.indicator, one.definition) == asked), None)


def curves_chart(outcome: VerificationResult) -> Chart | None:
    """Both curves of each definition, beside each other; None where there are none."""
    panels = tuple(panel for kept in outcome.curves for panel in _panels(outcome, kept))
    indicators = ", ".join(dict.fromkeys(prose(kept.indicator) for kept in outcome.curves))
    title = f"{prose(outcome.model)}: how well {indicators} foretells what definitions call"
    return Chart(title, panels, is_paired=True) if panels else None


def _panels(outcome: VerificationResult, kept: CallCurve) -> Iterator[Panel]:
    """An empty panel stands where there is one curve without the other: each has its side."""
    if max(len(kept.roc), len(kept.precision_recall)) < FEWEST:
        return
    score, name = score_of(outcome, kept.indicator, kept.definition), prose(kept.definition)
    name = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    roc, precision = "ROC", "precision and recall"
    if score is not None:
        roc, precision = f"ROC-AUC {score.roc_auc:.3f}", f"average precision {score.average_precision:.3f}"
    axes = "recall ↑ · false-positive rate →", "precision ↑ · recall →"
    yield Panel(f"{name} · {roc}", axes[0], _UNIT, curve=_inside(kept.roc), chance=True)
    yield Panel(f"{name} · {precision}", axes[1], _UNIT, curve=_inside(kept.precision_recall))


def _inside(points: Points) -> Points:
    """In the unit square, also where a session holds other numbers; nothing where they are no curve."""
    return tuple((_clipped(x), _clipped(y)) for x, y in points) if len(points) >= FEWEST else ()


def _clipped(share: float) -> float:
    return min(1.0, max(0.0, share))
