"""The log-probability of a text of several tokens after a prompt: the sum over its ids, each given those before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.engine.behaviour.batching import rows_at_once
from explorer.engine.models.prediction import UNKNOWN, Prediction, Wanted

if TYPE_CHECKING:
    from explorer.engine.models.abilities import PredictsTokens


@dataclass
class SpellingSum:
    """The log-probability of a spelling: the sum of those of its ids."""

    logprob: float = -math.inf
    exact: bool = True
    rank: int | None = None

    def add(self, logprob: float, *, exact: bool) -> None:
        """The next id's. A sum with a bound in it is a bound."""
        self.logprob += logprob
        self.exact &= exact


def first_ids(spellings: Sequence[tuple[int, ...]], told: Prediction) -> list[SpellingSum]:
    """A sum for each spelling, begun with its first id; −inf for an empty one."""
    numbers = zip(told.logprobs[0].tolist(), told.exact[0].tolist(), told.ranks[0].tolist(), strict=True)
    sums = []
    for ids in spellings:
        if not ids:
            sums.append(SpellingSum())
            continue
        logprob, exact, rank = next(numbers)
        sums.append(SpellingSum(logprob, exact, None if rank == UNKNOWN else rank))
    return sums


def add_further(
    model: PredictsTokens,
    prompt_ids: tuple[int, ...],
    spellings: Sequence[tuple[int, ...]],
    sums: Sequence[SpellingSum],
    cancelled: Callable[[], bool],
) -> bool:
    """Add the log-probabilities of each spelling's ids from the second on; False where stopped."""
    several = [place for place, ids in enumerate(spellings) if len(ids) > 1]
    longest = max((len(ids) for ids in spellings), default=0)
    batch = rows_at_once(len(prompt_ids) + longest)
    for begin in range(0, len(several), batch):
        rows = several[begin : begin + batch]
        further = _teacher_forced(model, prompt_ids, [spellings[place] for place in rows], cancelled)
        if further is None:
            return False
        for place, more in zip(rows, further, strict=True):
            sums[place].add(more.logprob, exact=more.exact)
    return True


def _teacher_forced(
    model: PredictsTokens,
    prompt_ids: tuple[int, ...],
    spellings: Sequence[tuple[int, ...]],
    cancelled: Callable[[], bool],
) -> list[SpellingSum] | None:
    """Sum of the log-probabilities of each spelling's ids from the second on; None where stopped."""
    if cancelled():
        return None
    decoding = model.start([(*prompt_ids, ids[0]) for ids in spellings])
    sums = [SpellingSum(0.0) for _ in spellings]
    for position in range(1, max(map(len, spellings))):
        if position > 1:
            if cancelled():
                return None
            # A shorter spelling's row is fed its last id again; nobody reads what comes of it.
            decoding.push([ids[min(position - 1, len(ids) - 1)] for ids in spellings])
        rows = [row for row, ids in enumerate(spellings) if position < len(ids)]
        wanted = np.array([[spellings[row][position]] for row in rows], dtype=np.int64)
        told = decoding.read(Wanted(rows=rows, targets=wanted))
        for row, logprob, exact in zip(rows, told.logprobs[:, 0].tolist(), told.exact[:, 0].tolist(), strict=True):
            sums[row].add(logprob, exact=exact)
    return sums
