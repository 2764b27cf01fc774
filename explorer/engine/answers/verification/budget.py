"""What a sweep may still ask of a server: counted while it runs, with everything that is sent again."""

from __future__ import annotations

from bisect import bisect_left
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from explorer.engine.answers.verification.cost import Cost, exceeded, requests_of
from explorer.engine.models.abilities import BehindServer
from explorer.engine.models.spending import Spent, counting

if TYPE_CHECKING:
    from explorer.engine.answers.verification.asking import Asker


class Budget:
    """The limits of the settings on one sweep; there are none without a server."""

    def __init__(self, model: BehindServer | None = None) -> None:
        self._model = model
        self._spent = Spent()
        self.reached = ""
        """Which limit ends the sweep, in words; empty while none does."""

    def counting(self) -> AbstractContextManager[None]:
        """What is asked inside counts."""
        return counting(self._spent)

    def room(self, asker: Asker, rows: int) -> int:
        """How many of `rows` more tokens may be asked; fewer than all of them: the sweep is to end."""
        if (model := self._model) is None:
            return rows

        def over(count: int) -> list[str]:
            return exceeded(self._after(model, asker, count), model.server)

        fits = bisect_left(range(1, rows + 1), True, key=lambda count: bool(over(count)))
        if fits < rows:
            self.reached = f"stopped: one prompt more would take {' and '.join(over(fits + 1))}"
        return fits

    def _after(self, model: BehindServer, asker: Asker, rows: int) -> Cost:
        """What is spent once `rows` tokens more were asked."""
        prompts, spent = rows * max(asker.question.samples, 1), self._spent
        return Cost(
            spent.requests + requests_of(model, asker.question, prompts),
            spent.tokens_in + prompts * asker.length,
            spent.tokens_out + prompts * asker.question.tokens,
        )
