"""The engine: the loaded models, and from a Request to the generator that answers it."""

from __future__ import annotations

from typing import cast

from explorer.base.records.models import Roster
from explorer.base.records.unions import AnyRequest
from explorer.engine.answers.speakability.unembedding import Unembeddings
from explorer.engine.answers.vocabulary import VocabularyReader
from explorer.engine.models.abilities import lacks
from explorer.engine.models.roster import Roster as ModelRoster
from explorer.engine.queue import Control, Work
from explorer.specs.registry import REGISTRY, models_of, resolve


class Engine:
    """Holds the loaded models; the spec of a request says which function answers it."""

    def __init__(self, roster: ModelRoster | None = None) -> None:
        self.models = roster or ModelRoster()
        self.vocabularies = VocabularyReader()
        self.unembeddings = Unembeddings()

    def begin(self, request: AnyRequest, control: Control) -> Work:
        """The generator that answers `request`.

        Raises `ModelError` where a model that it names is not loaded, or cannot do what is needed.
        """
        self._check_abilities(request)
        return cast(Work, resolve(REGISTRY.of(request).answer)(self, request, control))

    def is_background(self, request: AnyRequest) -> bool:
        """Whether quicker requests may pass this one while it runs."""
        return REGISTRY.of(request).background(request)

    def roster_state(self) -> Roster:
        """Which models are loaded, and the memory of each device."""
        return self.models.state()

    def _check_abilities(self, request: AnyRequest) -> None:
        needed = REGISTRY.of(request).needs(request)
        for name in models_of(request):
            info = self.models.get(name).info
            missing = needed - set(info.abilities)
            if missing:
                raise lacks(info, missing)
