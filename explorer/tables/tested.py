"""What sweeps found of a whole vocabulary by one definition: one about other tokens takes nothing away. NumPy only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from explorer.base.records.verification import VERDICTS
from explorer.tables.verdicts import CALLED, UNDECIDED, VerdictMatrix

_NOT_ASKED = VERDICTS.index("not asked")


@dataclass(frozen=True)
class TokenVerdicts:
    """Verdicts and numbers of one definition, an entry per embedding row."""

    rule: str
    value: str
    """What the numbers are, in words: 'greatest P(token)'."""
    verdicts: npt.NDArray[np.uint8]
    """Index into `VERDICTS`."""
    values: npt.NDArray[np.float32]

    @property
    def is_called(self) -> npt.NDArray[np.bool_]:
        """Verified or weak, bool [vocab]."""
        called: npt.NDArray[np.bool_] = np.isin(self.verdicts, CALLED)
        return called

    @property
    def is_decided(self) -> npt.NDArray[np.bool_]:
        """Which tokens have a verdict, bool [vocab]."""
        decided: npt.NDArray[np.bool_] = self.verdicts < UNDECIDED
        return decided

    def only(self, token_ids: Collection[int]) -> TokenVerdicts:
        """As if no other token had been asked."""
        verdicts, ids = np.full_like(self.verdicts, _NOT_ASKED), np.fromiter(token_ids, np.int64)
        verdicts[ids] = self.verdicts[ids]
        return replace(self, verdicts=verdicts)

    def of_twins(self, twins: npt.NDArray[np.int32]) -> TokenVerdicts:
        """Those of other tokens in their places; `twins`: ids, int32 [n]; −1 is nobody."""
        known = (twins >= 0) & (twins < len(self.verdicts))
        verdicts, values = np.full(len(twins), _NOT_ASKED, np.uint8), np.full(len(twins), np.nan, np.float32)
        verdicts[known], values[known] = self.verdicts[twins[known]], self.values[twins[known]]
        return replace(self, verdicts=verdicts, values=values)

    @property
    def has_probabilities(self) -> bool:
        """Whether the numbers are a token's probabilities."""
        return "P(token)" in self.value


def learn(before: TokenVerdicts | None, matrix: VerdictMatrix, place: int, vocab_size: int) -> TokenVerdicts:
    """`before` and the row `place` of `matrix`; without what another rule of the same name said (another number of
    samples)."""
    definition = matrix.definitions[place]
    if before is None or before.rule != definition.rule or len(before.verdicts) != vocab_size:
        verdicts, values = np.full(vocab_size, _NOT_ASKED, np.uint8), np.full(vocab_size, np.nan, np.float32)
    else:
        verdicts, values = before.verdicts.copy(), before.values.copy()
    judged = (matrix.token_ids < vocab_size) & (matrix.verdicts[place] != _NOT_ASKED)
    ids = matrix.token_ids[judged]
    verdicts[ids], values[ids] = matrix.verdicts[place, judged], matrix.values[place, judged]
    return TokenVerdicts(definition.rule, definition.value, verdicts, values)
