"""Definitions judged against ordinary tokens that are asked the same: who they are, and when a call says nothing.

A definition is a rule about a reply, and a model that answers in a sentence, or answers anything else, breaks the rule
for every token. Measured: `plain` calls 62 of 70 random tokens of SmolLM2-135M-Instruct (89 %) and `magikarp` none;
Gemma 3 270M, a base model, answers "I'm not sure if …" to all six controls. So a call counts only where ordinary tokens
are seldom called.

The rule: a definition's controls fail where it calls at least one and the Wilson 95 % interval (E. B. Wilson, JASA 22,
1927) of the share of controls that it calls reaches one half: then an ordinary token may be called as likely as not,
and a call is no better than tossing a coin. Of 16 controls that is 5 called or more; 4 of 16 is [0.10, 0.49]. All calls
of that definition become `inconclusive: the controls fail too`; what it rejects stays rejected, for a token that was
said was said. The share of the tokens tested that are called takes no part: a verdict must not depend on what else is
tested. It is told beside the controls' share, and where the two intervals meet, that is said.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from explorer.base.records.tokens import CATEGORIES
from explorer.base.records.verification import VERDICTS
from explorer.base.shares import wilson_interval
from explorer.engine.behaviour.controls import draw_controls
from explorer.engine.models.vocabulary import Vocabulary

CONTROLS_FAIL = VERDICTS.index("inconclusive: the controls fail too")
ENOUGH = 10
"""Controls are drawn among tokens that are not tested, where there are so many times as many as are wanted."""


def choose_controls(
    vocabulary: Vocabulary, token_ids: Int[np.ndarray, " n"], count: int, seed: int, trained: Bool[np.ndarray, " vocab"]
) -> Int[np.ndarray, " controls"]:
    """Up to `count` ordinary tokens, each like one of the `token_ids`, of which as many are taken evenly spaced.

    `trained`: the tokens that no indicator suspects. The same for the same arguments, so a sweep that is resumed, and
    whoever reads its verdicts, has the same controls.
    """
    if count <= 0:
        return np.zeros(0, dtype=np.int64)
    untested = trained.copy()
    untested[token_ids] = False
    ordinary = vocabulary.categories == CATEGORIES.index("ok")
    pool = untested if int((untested & ordinary).sum()) >= ENOUGH * count else trained
    chosen: dict[int, None] = {}
    for place in np.linspace(0, len(token_ids) - 1, count).astype(int):
        drawn = draw_controls(vocabulary, int(token_ids[place]), count, seed, pool)
        new = next((token_id for token_id in drawn if token_id not in chosen), None)
        if new is not None:
            chosen[new] = None
    return np.array(list(chosen), dtype=np.int64)


def controls_fail(called: int, tokens: int) -> bool:
    """Whether a definition that calls `called` of the controls on which it has a verdict says nothing by a call."""
    return called > 0 and wilson_interval(called, tokens)[1] >= 0.5


def shares_meet(called: int, tokens: int, controls_called: int, controls: int) -> bool:
    """Whether the tokens tested are not called more often than the controls, as far as the numbers tell."""
    return controls_called > 0 and wilson_interval(called, tokens)[0] <= wilson_interval(controls_called, controls)[1]


def silence(verdicts: np.ndarray, called: Bool[np.ndarray, "definitions n"], failing: Sequence[bool]) -> np.ndarray:
    """The verdicts [definitions, n] with the calls of the definitions whose controls fail made inconclusive."""
    return np.where(called & np.array(failing, dtype=np.bool_)[:, None], CONTROLS_FAIL, verdicts).astype(np.uint8)
