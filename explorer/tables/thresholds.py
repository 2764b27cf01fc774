"""A line through an indicator against what was measured: precision and recall of the tokens on one side. NumPy only.

All is sorted once; a line moved by a key costs a few microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from explorer.base.shares import wilson_interval
from explorer.tables.agreement import Curve, average_precision, precision_recall_points, roc_auc, roc_points
from explorer.tables.map_cells import Column
from explorer.tables.tested import TokenVerdicts

Side = Literal["low", "high"]
"""Which side of a line is suspected: numbers of at most the line's, or of at least that."""
_CURVE_POINTS = 400


@dataclass(frozen=True)
class Share:
    """How many of how many."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """From 0 to 1; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval; 0 to 1 of nothing."""
        return wilson_interval(self.part, self.whole)


@dataclass(frozen=True)
class Cut:
    """What a line says of the tokens that were measured."""

    precision: Share
    """Of the suspected, the called."""
    recall: Share
    """Of the called, the suspected: the true-positive rate too."""
    false_positives: Share
    """Of those not called, the suspected."""

    def row(self) -> dict[str, Any]:
        """Every share with its parts and its interval, for a file."""
        found: dict[str, Any] = {}
        for name in ("precision", "recall", "false_positives"):
            share: Share = getattr(self, name)
            low, high = share.interval
            found |= {
                name: share.value,
                f"{name}_part": share.part,
                f"{name}_of": share.whole,
                f"{name}_low": low,
                f"{name}_high": high,
            }
        return found


class MeasuredScores:
    """The tokens with an indicator and a verdict by one definition, sorted so that the most suspicious come first."""

    def __init__(self, values: Column, tested: TokenVerdicts, side: Side = "low") -> None:
        """`values`: the indicator, float32 [vocab]; NaN where a token has none."""
        self.side: Side = side
        usable = np.flatnonzero(tested.is_decided & np.isfinite(values))
        signed = self._signed(values[usable])
        order = np.argsort(signed, kind="stable")
        self.token_ids: npt.NDArray[np.int64] = usable[order]
        self._rising: Column = signed[order]
        self.labels: npt.NDArray[np.bool_] = tested.is_called[self.token_ids]
        """Which are called, bool [n]."""
        self._hits = np.concatenate([[0], np.cumsum(self.labels)])

    def _signed(self, values: Column) -> Column:
        """The most suspicious the least."""
        return values if self.side == "low" else -values

    def cut(self, line: float) -> Cut:
        """At a line, compared as a filter `name<=line`, or `name>=line` on the high side, does."""
        bound = np.float32(line if self.side == "low" else -line)
        return self._cut_after(int(np.searchsorted(self._rising, bound, side="right")))

    def _cut_after(self, suspected: int) -> Cut:
        hits, calls, total = int(self._hits[suspected]), int(self._hits[-1]), len(self._rising)
        return Cut(Share(hits, suspected), Share(hits, calls), Share(suspected - hits, total - calls))

    def cuts(self) -> Iterator[tuple[float, Cut]]:
        """At every number that a token has, the most suspicious first: the line on it, and what it says there."""
        last_of_equals = np.flatnonzero(np.append(self._rising[1:] != self._rising[:-1], len(self._rising) > 0))
        for place in last_of_equals.tolist():
            # str() of a float32 is its shortest form.
            yield float(str(self._signed(self._rising[place]))), self._cut_after(place + 1)

    @property
    def has_both(self) -> bool:
        """Whether some are called and some are not: without that there is no curve."""
        return bool(self.labels.any() and not self.labels.all())

    @cached_property
    def roc(self) -> Curve | None:
        """False-positive rate (x) against recall (y)."""
        return roc_points(-self._rising, self.labels, _CURVE_POINTS) if self.has_both else None

    @cached_property
    def precision_recall(self) -> Curve | None:
        """Recall (x) against precision (y)."""
        return precision_recall_points(-self._rising, self.labels, _CURVE_POINTS) if self.has_both else None

    @cached_property
    def roc_auc(self) -> float | None:
        """Area under the first curve."""
        return roc_auc(-self._rising, self.labels) if self.has_both else None

    @cached_property
    def average_precision(self) -> float | None:
        """Area under the steps of the second curve."""
        return average_precision(-self._rising, self.labels) if self.has_both else None


def suspicious_side(values: Column, tested: TokenVerdicts) -> Side:
    """The side that foretells the calls better; low where nothing tells."""
    area = MeasuredScores(values, tested).roc_auc
    return "high" if area is not None and area < 0.5 else "low"
