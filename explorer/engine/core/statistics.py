"""How well a score tells two kinds of tokens apart."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Num
from scipy.stats import rankdata


def roc_auc(scores: Num[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """The chance that a labelled item scores above an unlabelled one, a tie counting half.

    High scores are to mean labelled: pass minus an indicator whose small values are suspicious. Raises
    `ValueError` for a NaN score or where either kind is missing.
    """
    scores, labels = _checked(scores, labels)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    rank_sum = float(rankdata(scores)[labels].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(scores: Num[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> float:
    """Mean over the labelled items of the precision down to their score, tied scores taken together.

    Raises as `roc_auc` does.
    """
    scores, labels = _checked(scores, labels)
    as_high = rankdata(-scores, method="max")
    labelled_as_high = rankdata(-scores[labels], method="max")
    return float((labelled_as_high / as_high[labels]).mean())


def _checked(scores: Num[np.ndarray, " n"], labels: Bool[np.ndarray, " n"]) -> tuple[np.ndarray, np.ndarray]:
    exact, marked = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.bool_)
    if exact.shape != marked.shape or exact.ndim != 1:
        raise ValueError(f"scores have shape {exact.shape}, labels {marked.shape}: one of each an item")
    if np.isnan(exact).any():
        raise ValueError("a score is NaN: leave such items out")
    if marked.all() or not marked.any():
        raise ValueError("labelled and unlabelled items are both needed")
    return exact, marked
