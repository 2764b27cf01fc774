"""A definition of a glitch token: a named rule from evidence to a verdict. Runs in the engine."""

from __future__ import annotations

import numpy as np

from explorer.engine.answers.verification.definitions import Definition
from explorer.engine.answers.verification.judging import REJECTED, VERIFIED, Facts, Values, Verdicts

LONGEST = 1
"""Bytes."""


def judge(facts: Facts) -> tuple[Verdicts, Values]:
    """Verified where the token is one byte long: no definition that anyone should use, but a short one."""
    lengths = np.array([len(facts.vocabulary.token_bytes(int(token_id))) for token_id in facts.token_ids])
    return np.where(lengths <= LONGEST, VERIFIED, REJECTED).astype(np.uint8), lengths.astype(np.float32)


SHORT = Definition(
    name="short",
    title="short",
    rule=f"verified where the token has at most {LONGEST} byte",
    source="an example",
    value="bytes",
    questions=(),
    judge=judge,
)
