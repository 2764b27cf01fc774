"""The post's first question: which token wins along each token's own row, as it is (or less the mean row)?

A token that is not the winner is hard to speak. After "A mechanistic explanation for SolidGoldMagikarp-like tokens in
GPT2": argmax over j of w_t·w_j (+ b_j).
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64

from explorer.engine.core.speakability.exact_sums import LOST, UNIT, exact_products, gamma, lengths, underflow
from explorer.engine.core.speakability.geometry import prepared
from explorer.engine.core.speakability.rows import Rows
from explorer.engine.core.speakability.screening import own_row_wins

TOGETHER = 64
SCORES = 2**23
"""Scores that are held at a time; more tokens than `TOGETHER` share a reading of all rows up to this."""


class OwnDirection(NamedTuple):
    """What wins along some tokens' own rows."""

    token_ids: Int64[np.ndarray, " n"]
    winners: Int64[np.ndarray, " n"]
    """The lowest id among equals."""
    leads: Float64[np.ndarray, " n"]
    """The winner scores at least this much more than any other token; 0 for a tie."""


def own_direction_winners(
    rows: Rows | Float[np.ndarray, "vocab d_model"],
    bias: Float[np.ndarray, " vocab"] | None = None,
    token_ids: Int64[np.ndarray, " n"] | None = None,
    device: torch.device | str = "cpu",
    *,
    centred: bool = False,
) -> Generator[OwnDirection, None, None]:
    """Yield the winners for all of `token_ids` (None: all tokens), some at a time, the easy ones first.

    `centred`: along each token's row less the mean row. Where all rows share a large part, one that has most of it wins
    along nearly all of them as they are.
    """
    rows = Rows.of(rows)
    shift = np.zeros(len(rows)) if bias is None else np.asarray(bias, dtype=np.float64)
    asked = np.arange(len(rows)) if token_ids is None else np.unique(token_ids)
    left = np.zeros(len(rows), dtype=bool)
    left[asked] = True
    if len(asked) > TOGETHER:
        yield from _easy_ones(rows, shift, asked, left, torch.device(device), centred)
    origin = rows.mean if centred else np.zeros(rows.shape[1])
    together = max(TOGETHER, SCORES // len(rows))
    for start in range(0, int(left.sum()), together):
        some = np.flatnonzero(left)[start : start + together]
        yield _by_scores(rows, shift, some, rows[some] - origin)


def _easy_ones(
    rows: Rows,
    shift: Float64[np.ndarray, " vocab"],
    asked: Int64[np.ndarray, " n"],
    left: Bool[np.ndarray, " vocab"],
    device: torch.device,
    centred: bool,
) -> Generator[OwnDirection, None, None]:
    """Those that win along their own rows by more than rounding; they are struck off `left`."""
    work = prepared(rows, mean_zero=False, device=device, centre=centred)
    nothing = np.zeros(0, dtype=np.int64)
    while True:
        try:
            next(work)
        except StopIteration as done:
            geometry = done.value
            break
        yield OwnDirection(nothing, nothing, np.zeros(0))
    for won, leads in own_row_wins(geometry, shift if shift.any() else None, np.ones(len(rows)), asked):
        left[won] = False
        yield OwnDirection(won, won, leads)


def _by_scores(
    rows: Rows,
    shift: Float64[np.ndarray, " vocab"],
    token_ids: Int64[np.ndarray, " n"],
    own: Float64[np.ndarray, "n d_model"],
) -> OwnDirection:
    """All scores along `own` in float64; exact sums among those that rounding cannot tell apart."""
    scores = rows.scores(own)
    scores += shift
    reaches = gamma(rows.shape[1] + 3) * lengths(own)
    winners, leads = np.empty(len(token_ids), dtype=np.int64), np.empty(len(token_ids))
    for at in range(len(token_ids)):
        if not own[at].any():  # every score is a bias, and exact sums over all rows would take seconds
            winners[at] = shift.argmax()
            others = np.delete(shift, winners[at])
            leads[at] = max(0.0, float(shift[winners[at]] - others.max(initial=-np.inf)) * (1 - UNIT))
            continue
        errors = reaches[at] * rows.lengths + 2 * UNIT * (np.abs(scores[at]) + np.abs(shift)) + LOST
        low, high = scores[at] - errors, scores[at] + errors
        near = np.flatnonzero(high >= low.max())
        if len(near) > 1:
            winners[at], leads[at] = _among(rows, shift, own[at], near)
            continue
        winners[at] = near[0]
        high[near[0]] = -np.inf
        leads[at] = max(0.0, float(low[near[0]] - high.max(initial=-np.inf)))
    return OwnDirection(token_ids, winners, leads)


def _among(
    rows: Rows,
    shift: Float64[np.ndarray, " vocab"],
    own: Float64[np.ndarray, " d_model"],
    near: Int64[np.ndarray, " k"],
) -> tuple[int, float]:
    """The winner among tokens too near to each other for rounded sums, and its lead over the others of them."""
    best = int(near[0])

    def lead(one: int, other: int) -> float:
        parts = [*exact_products(own, rows[one]), *exact_products(-own, rows[other]), shift[one], -shift[other]]
        lost = max(underflow(own, rows[one]).max(), underflow(own, rows[other]).max())
        return math.fsum([*parts, -2 * lost])

    for other in near[1:]:
        if lead(int(other), best) > 0:
            best = int(other)
    return best, min(lead(best, int(other)) for other in near if other != best)
