"""Answers the requests about models: loading and unloading them, the roster, and what could be loaded."""

from __future__ import annotations

import torch

from explorer.base.errors import ExplorerError
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
from explorer.base.servers import Server, check_server, find_server, is_server
from explorer.engine.answers.holdings import Holdings
from explorer.engine.control import Control
from explorer.engine.models.catalogue import local_models
from explorer.engine.models.loading import choose_device, choose_dtype
from explorer.engine.models.memory import local_devices
from explorer.engine.models.source import parse_source
from explorer.engine.queue import Work


def answer_load(engine: Holdings, request: LoadModel, control: Control) -> Work:
    """Load a model into the roster. Raises `ModelError` as `Roster.load` does."""

    def progress(done: int, total: int, what: str) -> None:
        control.tell(Progress(done=done, total=total, what=what))

    yield Progress(done=0, total=0, what=f"loading {request.source}")
    if (server := server_of(request)) is not None:
        tokenizer = request.tokenizer or server.tokenizer
        return ModelLoaded(info=engine.models.connect(server, tokenizer, request.chat_day, progress).info)
    model = engine.models.load(
        request.source,
        request.dtype,
        request.device,
        request.allow_pickle,
        progress,
        tokenizer=request.tokenizer,
        chat_day=request.chat_day,
    )
    return ModelLoaded(info=model.info)


def server_of(request: LoadModel) -> Server | None:
    """The server that the request wants a model of; None where it wants one that runs here. Raises `ExplorerError` for
    a URL that cannot be used."""
    if not is_server(request.source):
        return None
    return check_server(request.server) if request.server is not None else find_server(request.source)


def devices_to_load(request: LoadModel) -> frozenset[str]:
    """The devices on which nothing else may run while the model is loaded.

    It is the device that the model is to be on (the CPU where the request names none that there is); and all devices
    of this machine where the model is built in another dtype than float32. That dtype is then torch's default in the
    whole process for a while, and numbers computed beside it would be others.
    """
    try:
        if (server := server_of(request)) is not None:
            return frozenset({f"server:{server.place}"})
        weights_only = parse_source(request.source).weights_only
        device = choose_device("cpu" if weights_only else request.device)
        if weights_only or choose_dtype(request.dtype, device) == torch.float32:
            gpus = [each for each in local_devices() if each != "cpu"]
            return frozenset(gpus if request.device == "auto" and len(gpus) > 1 and not weights_only else {str(device)})
    except ExplorerError:
        return frozenset({"cpu"})
    return frozenset({str(device), *local_devices()})


def answer_unload(engine: Holdings, request: UnloadModel, control: Control) -> Work:
    """Forget a model and all that was computed about it. Raises `ModelError` for one that is not loaded."""
    yield from ()
    name = engine.models.get(request.model).info.name
    engine.models.unload(name)
    engine.vocabularies.forget(name)
    engine.unembeddings.forget()
    engine.maps.forget(name)
    return ModelUnloaded(model=name)


def answer_read_roster(engine: Holdings, request: ReadRoster, control: Control) -> Work:
    """Which models are loaded, and the memory of each device."""
    yield from ()
    return engine.models.state()


def answer_list(engine: Holdings, request: ListModels, control: Control) -> Work:
    """What could be loaded without the network."""
    yield from ()
    return ModelCatalogue(entries=local_models({info.source for info in engine.models.infos()}))
