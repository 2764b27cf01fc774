"""Similarity matrices C[g, j] of a candidate's answer to token g and a child's answer to token j.

An answer is a row of next-token log-probabilities, in nats, over outputs that are one token in both vocabularies. The
outputs must hold none of the tokens asked about, nor any other token that was never trained: renaming those must not
rename outputs. A log-probability that is only known as a bound is marked `exact` False.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float32, Float64

from explorer.engine.core.lineage.exact import Matrix

Answers = Float32[np.ndarray, "tokens outputs"]
Exact = Bool[np.ndarray, "tokens outputs"]
TOP = 20
"""Likeliest outputs that servers commonly tell."""


def centre(answers: Answers) -> Float64[np.ndarray, "tokens outputs"]:
    """Less the mean over tokens: what is left is each token's own."""
    wide = answers.astype(np.float64)
    centred: Float64[np.ndarray, "tokens outputs"] = wide - wide.mean(axis=0, keepdims=True)
    return centred


def pearson(candidate: Answers, child: Answers) -> Matrix:
    """r: correlation of centred log-probabilities over the outputs. The strongest; does not see that a child is
    surer of everything (a temperature changes nothing)."""
    matrix: Matrix = _unit(centre(candidate)) @ _unit(centre(child)).T
    return matrix


def target(candidate: Answers, child: Answers) -> Matrix:
    """The candidate's log-probability of the child's favourite output: the statistic of the SolidGoldMagikarp posts."""
    return candidate[:, child.argmax(axis=1)].astype(np.float64)


def distinctive_target(candidate: Answers, child: Answers) -> Matrix:
    """As `target`, of that output among the child's `TOP` likeliest which is most its own to the token."""
    likeliest = child >= np.sort(child, axis=1)[:, [-min(TOP, child.shape[1])]]
    chosen = np.where(likeliest, centre(child), -np.inf).argmax(axis=1)
    return candidate[:, chosen].astype(np.float64)


def top_k(candidate: Answers, child: Answers, k: int = TOP) -> Matrix:
    """Σ √(p q) over the outputs that both show among their k likeliest (Bhattacharyya); what is not shown counts 0, so
    this is a lower bound. Any function of what is shown keeps the tests exact."""
    matrix: Matrix = np.sqrt(_shown(candidate, k)) @ np.sqrt(_shown(child, k)).T
    return matrix


def agreement(candidate: Answers, child: Answers) -> Matrix:
    """1 where the favourites are the same output: weak, and all that replies at temperature 0 tell."""
    same: Matrix = (candidate.argmax(axis=1)[:, None] == child.argmax(axis=1)[None, :]).astype(np.float64)
    return same


STATISTICS: dict[str, Callable[[Answers, Answers], Matrix]] = {
    "r": pearson,
    "target": target,
    "target*": distinctive_target,
    "top-20": top_k,
    "top-5": lambda candidate, child: top_k(candidate, child, 5),
    "agreement": agreement,
}


def paired_r(one: Answers, other: Answers) -> Float64[np.ndarray, " tokens"]:
    """`pearson` of each token's own two answers."""
    own: Float64[np.ndarray, " tokens"] = (_unit(centre(one)) * _unit(centre(other))).sum(axis=1)
    return own


def _unit(rows: Float64[np.ndarray, "tokens outputs"]) -> Float64[np.ndarray, "tokens outputs"]:
    rest = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rest, axis=1, keepdims=True)
    unit: Float64[np.ndarray, "tokens outputs"] = rest / np.where(lengths > 0, lengths, 1.0)
    return unit


def _shown(answers: Answers, k: int) -> Float64[np.ndarray, "tokens outputs"]:
    k = min(k, answers.shape[1])
    least = -np.partition(-answers, k - 1, axis=1)[:, k - 1 : k]
    return np.where(answers >= least, np.exp(answers.astype(np.float64)), 0.0)
