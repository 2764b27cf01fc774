"""The live models that stand for those of a session while it is checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from explorer.base.records.models import ModelInfo
from explorer.base.records.notes import MarkToken
from explorer.base.records.record import Request
from explorer.pipe.client import Asker


@dataclass(frozen=True)
class LivePair:
    """A model of the session and the live one that stands for it."""

    recorded: ModelInfo
    live: ModelInfo


@dataclass
class LiveModels:
    """Live models by the names that the session has for them, and what is marked; a `Live` for specs."""

    client: Asker
    pairs: dict[str, LivePair] = field(default_factory=dict)
    marks: Mapping[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def recorded(self, model: str) -> ModelInfo:
        """The model of the session, by its recorded name."""
        return self.pairs[model].recorded

    def live(self, model: str) -> ModelInfo:
        """The live model that stands for it."""
        return self.pairs[model].live

    async def ask(self, request: Any) -> Any:
        """The live outcome of a request that speaks of live models."""
        return (await self.client.submit(request).answer).outcome

    def names(self) -> dict[str, str]:
        """Recorded name → live name."""
        return {name: pair.live.name for name, pair in self.pairs.items()}

    def note_mark(self, request: Request) -> None:
        """Keep what a step of the session marks or unmarks."""
        if isinstance(request, MarkToken):
            marked = self.marks[request.model]
            (marked.add if request.marked else marked.discard)(request.token_id)
