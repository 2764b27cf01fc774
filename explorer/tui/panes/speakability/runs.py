"""What a run of `ProveSpeakability` over many tokens has told so far, as arrays, and the table columns made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from explorer.base.records.speakability import SPEAKABILITIES, Speakability, SpeakabilityMode, SpeakabilityPart
from explorer.tables.table import AddedColumn

_WORDS = {"speakable": "✓ yes", "unspeakable": "✗ no", "undecided": "? open"}
_NOT_TOLD = len(SPEAKABILITIES)


@dataclass(frozen=True)
class Known:
    """What a run told of one token."""

    verdict: Speakability
    margin: float
    winner: int


class RunColumns:
    """Verdicts of one model and mode, by token id; `take` writes the parts of a run into them."""

    def __init__(self, mode: SpeakabilityMode, vocab_size: int) -> None:
        self.mode = mode
        self.verdicts: npt.NDArray[np.uint8] = np.full(vocab_size, _NOT_TOLD, dtype=np.uint8)
        self.margins: npt.NDArray[np.float32] = np.full(vocab_size, np.nan, dtype=np.float32)
        self.winners: npt.NDArray[np.float32] = np.full(vocab_size, np.nan, dtype=np.float32)

    def take(self, part: SpeakabilityPart) -> None:
        """Write what a part says; ids beyond the vocabulary are left out."""
        ids = part.token_ids.numpy()
        inside = (ids >= 0) & (ids < len(self.verdicts))
        self.verdicts[ids[inside]] = part.verdicts.numpy()[inside]
        self.margins[ids[inside]] = part.margins.numpy()[inside]
        self.winners[ids[inside]] = part.winners.numpy()[inside]

    def known(self, token_id: int) -> Known | None:
        """What was told of a token; None where nothing was."""
        if not 0 <= token_id < len(self.verdicts) or self.verdicts[token_id] == _NOT_TOLD:
            return None
        verdict = SPEAKABILITIES[int(self.verdicts[token_id])]
        return Known(verdict, float(self.margins[token_id]), int(self.winners[token_id]))

    def counts(self) -> dict[Speakability, int]:
        """How many of each verdict were told."""
        return {verdict: int((self.verdicts == place).sum()) for place, verdict in enumerate(SPEAKABILITIES)}

    def columns(self) -> dict[str, AddedColumn]:
        """For the token table. Sorting by a verdict brings the unspeakable first."""
        verdicts, margins, winners = self.verdicts.copy(), self.margins.copy(), self.winners.copy()
        order = np.array([2.0, 0.0, 1.0, np.nan], dtype=np.float32)

        def verdict(token_id: int) -> str:
            place = int(verdicts[token_id])
            return "" if place == _NOT_TOLD else _WORDS[SPEAKABILITIES[place]]

        def margin(token_id: int) -> str:
            return "" if np.isnan(margins[token_id]) else f"{margins[token_id]:.3g}"

        def winner(token_id: int) -> str:
            if np.isnan(winners[token_id]):
                return ""
            return "itself" if int(winners[token_id]) == token_id else f"#{int(winners[token_id])}"

        own = {"own_direction_winner": AddedColumn(winners, winner, "own row")}
        if self.mode == "own_direction":
            return own
        names = f"speakable_{self.mode}", f"margin_{self.mode}"
        return {
            names[0]: AddedColumn(order[verdicts], verdict, self.mode),
            names[1]: AddedColumn(margins, margin, "lead"),
            **own,
        }
