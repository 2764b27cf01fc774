"""How far sets and scores agree: overlaps, precision and recall, curves and the areas under them. NumPy only.

The screen draws what these return, so nothing here may import torch or SciPy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Num


def jaccard(first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " n"]) -> float:
    """Items in both sets over items in either; 1 where both are empty."""
    either = int((first | second).sum())
    return int((first & second).sum()) / either if either else 1.0


class Confusion(NamedTuple):
    """What was called against what is true."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float | None:
        """Of the called, the share that is true; None where nothing was called."""
        called = self.true_positives + self.false_positives
        return self.true_positives / called if called else None

    @property
    def recall(self) -> float | None:
        """Of the true, the share that was called; None where nothing is true."""
        true = self.true_positives + self.false_negatives
        return self.true_positives / true if true else None


def confusion(called: Bool[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]) -> Confusion:
    """How many are called and true, called and not true, true and not called."""
    return Confusion(int((called & truth).sum()), int((called & ~truth).sum()), int((~called & truth).sum()))


class Curve(NamedTuple):
    """Points of a curve in the unit square, from the strictest threshold to the loosest."""

    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, " points"]

    def along(self, number: int) -> Curve:
        """So many points along the lines between its own, evenly: as many between any two that follow each other."""
        places = np.arange(len(self.x))
        at = np.linspace(0, len(self.x) - 1, number)
        return Curve(np.interp(at, places, self.x), np.interp(at, places, self.y))


def roc_points(scores: Num[np.ndarray, " n"], labels: Bool[np.ndarray, " n"], most: int = 101) -> Curve:
    """False-positive rate (x) against true-positive rate (y), from (0, 0) to (1, 1), a point for each distinct score.

    High scores are to mean labelled. Of more than `most` points, `most` evenly spread along the curve are kept,
    both ends among them. Raises `ValueError` for a NaN score, or where either kind is missing.
    """
    hits, misses = _cumulative(scores, labels)
    x = np.concatenate(([0.0], misses / misses[-1]))
    y = np.concatenate(([0.0], hits / hits[-1]))
    return _thinned(x, y, most)


def precision_recall_points(scores: Num[np.ndarray, " n"], labels: Bool[np.ndarray, " n"], most: int = 101) -> Curve:
    """Recall (x) against precision (y), a point for each distinct score. As `roc_points` otherwise."""
    hits, misses = _cumulative(scores, labels)
    return _thinned(hits / hits[-1], hits / (hits + misses), most)


def roc_auc(scores: Num[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """The chance that a labelled item scores above an unlabelled one, a tie counting half.

    High scores are to mean labelled: pass minus an indicator whose small values are suspicious. Raises
    `ValueError` for a NaN score or where either kind is missing.
    """
    exact, marked = _checked(scores, labels)
    positives, negatives = int(marked.sum()), int((~marked).sum())
    rank_sum = float((midranks(exact) + 1)[marked].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(scores: Num[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """Mean over the labelled items of the precision down to their score, tied scores taken together.

    Raises as `roc_auc` does.
    """
    hits, misses = _cumulative(scores, labels)
    gained = np.diff(hits, prepend=0.0)
    return float((gained * hits / (hits + misses)).sum() / hits[-1])


def rank_correlation(first: Num[np.ndarray, " n"], second: Num[np.ndarray, " n"]) -> float | None:
    """Spearman's rank correlation, ties sharing their mean rank; None for fewer than 2 pairs or a constant side."""
    if len(first) < 2:
        return None
    a, b = (ranks - ranks.mean() for ranks in (midranks(first), midranks(second)))
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread else None


def share_within_a_decade(ours: Float[np.ndarray, " n"], theirs: Float[np.ndarray, " n"]) -> float | None:
    """Share of pairs of positive numbers with a ratio between 1/10 and 10; None for no pair."""
    if not len(ours):
        return None
    return float((np.abs(np.log10(ours) - np.log10(theirs)) <= 1).mean())


def midranks(values: Num[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Each value's rank from 0, equal values sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return ((ends - counts + ends - 1) / 2)[place]


def _cumulative(
    scores: Num[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " steps"], Float[np.ndarray, " steps"]]:
    """Labelled and unlabelled items at or above each distinct score, highest first."""
    exact, labels = _checked(scores, labels)
    order = np.argsort(-exact, kind="stable")
    ordered, marked = exact[order], labels[order]
    last_of_equals = np.append(ordered[1:] != ordered[:-1], True)
    hits = np.cumsum(marked)[last_of_equals].astype(np.float64)
    return hits, (np.flatnonzero(last_of_equals) + 1) - hits


def _checked(
    scores: Num[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    exact, marked = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.bool_)
    if exact.shape != marked.shape or exact.ndim != 1:
        raise ValueError(f"scores have shape {exact.shape}, labels {marked.shape}: one of each an item")
    if np.isnan(exact).any():
        raise ValueError("a score is NaN: leave such items out")
    if marked.all() or not marked.any():
        raise ValueError("labelled and unlabelled items are both needed")
    return exact, marked


def _thinned(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], most: int) -> Curve:
    if len(x) <= most:
        return Curve(x, y)
    along = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], most)).clip(max=len(x) - 1))
    kept = np.union1d(kept, [0, len(x) - 1])
    return Curve(x[kept], y[kept])
