"""Answers the requests about models: loading and unloading them, the roster, and what could be loaded."""

from __future__ import annotations

from explorer.base.records.models import (
    ListModels,
    LoadModel,
    ModelCatalogue,
    ModelLoaded,
    ModelUnloaded,
    ReadRoster,
    UnloadModel,
)
from explorer.base.records.record import Progress
from explorer.engine.answers.holdings import Holdings
from explorer.engine.models.catalogue import local_models
from explorer.engine.models.errors import ModelError
from explorer.engine.models.loading import choose_device
from explorer.engine.models.source import parse_source
from explorer.engine.queue import Control, Work


def answer_load(engine: Holdings, request: LoadModel, control: Control) -> Work:
    """Load a model into the roster. Raises `ModelError` as `Roster.load` does."""

    def progress(done: int, total: int, what: str) -> None:
        control.tell(Progress(done=done, total=total, what=what))

    yield Progress(done=0, total=0, what=f"loading {request.source}")
    model = engine.models.load(request.source, request.dtype, request.device, request.allow_pickle, progress)
    return ModelLoaded(info=model.info)


def target_device(request: LoadModel) -> str:
    """The device that the model is to be loaded on; the CPU where the request names none that there is."""
    try:
        return str(choose_device("cpu" if parse_source(request.source).weights_only else request.device))
    except ModelError:
        return "cpu"


def answer_unload(engine: Holdings, request: UnloadModel, control: Control) -> Work:
    """Forget a model and all that was computed about it. Raises `ModelError` for one that is not loaded."""
    yield from ()
    name = engine.models.get(request.model).info.name
    engine.models.unload(name)
    engine.vocabularies.forget(name)
    engine.unembeddings.forget()
    return ModelUnloaded(model=name)


def answer_read_roster(engine: Holdings, request: ReadRoster, control: Control) -> Work:
    """Which models are loaded, and the memory of each device."""
    yield from ()
    return engine.models.state()


def answer_list(engine: Holdings, request: ListModels, control: Control) -> Work:
    """What could be loaded without the network."""
    yield from ()
    return ModelCatalogue(entries=local_models({info.source for info in engine.models.infos()}))
