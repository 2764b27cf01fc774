"""The engine: the loaded models, and from a Request to the generator that answers it."""

from __future__ import annotations

from typing import cast

from explorer.base.records.models import Ability, LoadModel, Roster
from explorer.base.records.record import Progress
from explorer.base.records.unions import AnyRequest
from explorer.engine.answers.lineage.kept import KeptAnswers
from explorer.engine.answers.maps.kept import MapKeeper
from explorer.engine.answers.models import devices_to_load
from explorer.engine.answers.speakability.unembedding import Unembeddings
from explorer.engine.answers.vocabulary import VocabularyReader
from explorer.engine.control import Control
from explorer.engine.models.abilities import lacks
from explorer.engine.models.errors import ModelError
from explorer.engine.models.local import LocalModel
from explorer.engine.models.placement import devices_of
from explorer.engine.models.roster import Roster as ModelRoster
from explorer.engine.queue import Job, Work
from explorer.specs.registry import REGISTRY, models_of, resolve

_MUST_RUN: frozenset[Ability] = frozenset({"next_tokens", "generation", "hidden"})


class Engine:
    """Holds the loaded models; the spec of a request says which function answers it."""

    def __init__(self, roster: ModelRoster | None = None) -> None:
        self.models = roster or ModelRoster()
        self.vocabularies = VocabularyReader()
        self.unembeddings = Unembeddings()
        self.said = KeptAnswers()
        self.maps = MapKeeper()

    def begin(self, request: AnyRequest, control: Control) -> Work:
        """The generator that answers `request`.

        Raises `ModelError` where a model that it names is not loaded, or cannot do what is needed.
        """
        self._check_abilities(request)
        work = cast(Work, resolve(REGISTRY.of(request).answer)(self, request, control))
        return _fill_first(self._waiting(request), work)

    def job(self, number: int, request: AnyRequest) -> Job:
        """The request as it goes into the queue: what it needs, and whether quicker ones may pass it.

        Called by the thread that reads requests: an error in a spec (it may be a plug-in's) becomes the answer.
        """
        try:
            background = REGISTRY.of(request).background(request)
            return Job(number, request, background=background, resources=self._resources(request))
        except Exception as error:
            return Job(number, request, work=_raise(error))

    def roster_state(self) -> Roster:
        """Which models are loaded, and the memory of each device."""
        return self.models.state()

    def _resources(self, request: AnyRequest) -> frozenset[str]:
        """The devices of the models that the request names, or those that a load must have alone; else the CPU.

        Empty where a model is not loaded (yet): then it waits for all that was asked before.
        """
        if isinstance(request, LoadModel):
            return frozenset(map(resource_of, devices_to_load(request)))
        try:
            held = (self.models.get(name).info.device for name in models_of(request))
            devices = {device for spelled in held for device in devices_of(spelled)}
        except ModelError:
            return frozenset()
        return frozenset(map(resource_of, devices)) or frozenset({"cpu"})

    def _waiting(self, request: AnyRequest) -> list[LocalModel]:
        """The models that must run for the request and do not have their weights in memory yet."""
        if not REGISTRY.of(request).needs(request) & _MUST_RUN:
            return []
        named = [self.models.get(name) for name in models_of(request)]
        return [model for model in named if isinstance(model, LocalModel) and not model.is_filled]

    def _check_abilities(self, request: AnyRequest) -> None:
        spec = REGISTRY.of(request)
        needed = spec.needs(request)
        for name in models_of(request):
            info = self.models.get(name).info
            missing = needed - set(info.abilities)
            if missing:
                raise lacks(info, missing, spec.advise(request, missing))


def _fill_first(models: list[LocalModel], work: Work) -> Work:
    """`work`, after these models were made ready to run."""
    for model in models:
        yield Progress(done=0, total=0, what=f"reading the weights of {model.info.name} to run it")
        model.fill()
    return (yield from work)


def _raise(error: Exception) -> Work:
    """Work that fails with `error`, where the queue catches it."""
    yield from ()
    raise error


def resource_of(device: str) -> str:
    """The queue's name of a device: `cuda` is the first GPU."""
    return "cuda:0" if device == "cuda" else device
