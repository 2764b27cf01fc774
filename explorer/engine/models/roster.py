"""Which models are loaded, what they are called, and the memory they take."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from explorer.base.records import models as records
from explorer.base.records.models import DeviceMemory, ModelInfo
from explorer.base.servers import Server
from explorer.engine.models.abilities import BehindServer, Closes, HasVocabulary, has_weights
from explorer.engine.models.describing import spell_dtype
from explorer.engine.models.errors import ModelError
from explorer.engine.models.hearing import fill_heard
from explorer.engine.models.loading import DtypeChoice, choose_device, choose_dtype
from explorer.engine.models.local import LocalModel
from explorer.engine.models.locate import locate, locate_tokenizer
from explorer.engine.models.memory import Memory, free_memory, local_devices, refuse_misfit, together
from explorer.engine.models.out_of_memory import release_memory
from explorer.engine.models.placement import choose_gpus, devices_of
from explorer.engine.models.reading import Loaded, Wish, keep_for_later, read_again
from explorer.engine.models.source import Progress, Source, parse_source


@dataclass(frozen=True)
class Named:
    """What is to be loaded, where it is no `Source`."""

    short_name: str
    spelled: str

    def __str__(self) -> str:
        return self.spelled


class Roster:
    """The loaded models by name, in the order loaded.

    May be used from any thread; models for different devices may be loaded at the same time.
    """

    def __init__(self, measure: Callable[[str], Memory] = free_memory) -> None:
        """`measure` tells the memory of a device (`cpu`, `cuda:0`)."""
        self._measure = measure
        self._lock = threading.Lock()
        self._models: dict[str, HasVocabulary] = {}
        self._reserved: set[str] = set()
        """Names of models that are being loaded."""
        self._asked: dict[tuple[str, str, str, str, str], Loaded] = {}
        """By source, dtype, device, tokenizer, and the day that the chat template writes."""

    def load(
        self,
        source: str,
        dtype: DtypeChoice = "auto",
        device: str = "auto",
        allow_pickle: bool = False,
        progress: Progress | None = None,
        *,
        tokenizer: str = "",
        chat_day: str = "",
    ) -> Loaded:
        """The model that `source` names; the one already here where dtype, device, tokenizer and day are the same too.

        Raises `ModelError` where it cannot be found or loaded, or would not fit the device's free memory (said
        with numbers before anything is loaded). A `weights:` source stays on the CPU in its own dtype.
        """
        return fill_heard(lambda: self._load(source, dtype, device, allow_pickle, progress, tokenizer, chat_day))

    def _load(
        self, source: str, dtype: DtypeChoice, device: str, allow_pickle: bool, progress: Progress | None,
        tokenizer: str, chat_day: str,
    ) -> Loaded:  # fmt: skip
        parsed = parse_source(source)
        chosen = choose_device("cpu" if parsed.weights_only else device)
        wanted = torch.float32 if parsed.weights_only else choose_dtype(dtype, chosen)
        spelled = "" if parsed.weights_only else spell_dtype(wanted)
        choice = locate_tokenizer(tokenizer, chat_day, progress)
        key = (str(parsed), spelled, str(chosen), choice.source)
        if (known := self._known(key, chat_day)) is not None:
            return known
        located = locate(parsed, allow_pickle=allow_pickle, progress=progress)
        wish = Wish(located, parsed, wanted, str(chosen), allow_pickle, choice)
        with self._reserving(parsed, spelled) as name:
            if device == "auto" and len(gpus := self._gpus()) > 1 and not parsed.weights_only:
                wish = replace(wish, device=choose_gpus(wish.memory_needed(), gpus, name, spelled))
            model = read_again(wish, name)
            if model is None:
                self._refuse_misfit(wish.memory_needed(), name, wish)
                model = wish.load(name, progress)
                keep_for_later(wish, model)
            else:
                needed = model.info.memory_bytes * isinstance(model, LocalModel)
                self._refuse_misfit(needed, name, wish)
            self.add(model)
            with self._lock:
                self._asked[*key, model.info.chat_day] = model
        release_memory()
        gc.freeze()  # later collections need not walk a vocabulary of 262k tokens again
        return model

    def connect(
        self, server: Server, tokenizer: str, chat_day: str = "", progress: Progress | None = None
    ) -> HasVocabulary:
        """The model behind `server`; the one already here where the tokenizer is the same too and the server still
        answers as it did. Raises `ModelError` as `remote.loading.connect` does, and where it answers as another."""
        from explorer.engine.models.remote.loading import RemoteWish, connect

        for model in self._now().values():
            if (
                model.info.source == str(server)
                and model.info.tokenizer == tokenizer
                and isinstance(model, BehindServer)
            ):
                model.check_unchanged()
                return model
        wish = RemoteWish(server, tokenizer, chat_day)
        model = connect(wish, progress, lambda short: self._reserving(Named(short, str(server)), ""))
        self.add(model)
        return model

    def _known(self, key: tuple[str, str, str, str], chat_day: str) -> Loaded | None:
        """What was loaded by that key, on that day if one is named and its chat template asks for the date."""
        with self._lock:
            for (*asked, day), model in self._asked.items():
                if tuple(asked) == key and (not day or not chat_day or day == chat_day):
                    return model
        return None

    def add(self, model: HasVocabulary) -> None:
        """Take in a model under the name that it says it has."""
        with self._lock:
            self._models[model.info.name] = model

    @contextmanager
    def _reserving(self, source: Source | Named, dtype: str) -> Iterator[str]:
        """A name that no other model has or gets meanwhile."""
        with self._lock:
            name = self._unused_name(source, dtype)
            self._reserved.add(name)
        try:
            yield name
        finally:
            with self._lock:
                self._reserved.discard(name)

    def unload(self, name: str) -> None:
        """Forget a model and give its memory back; raises `ModelError` for one that is not loaded."""
        found = self.get(name).info.name
        with self._lock:
            for key in [key for key, held in self._asked.items() if held.info.name == found]:
                del self._asked[key]
            model = self._models.pop(found)
        if isinstance(model, Closes):
            model.close()
        if isinstance(model, BehindServer) and not has_weights(model):
            return  # it holds no memory of a device
        gc.unfreeze()
        release_memory()
        gc.freeze()

    def get(self, name: str) -> HasVocabulary:
        """The loaded model of that name, or else the first of that source; raises `ModelError` with the
        names there are."""
        models = self._now()
        if name in models:
            return models[name]
        for model in models.values():
            if model.info.source == name:
                return model
        loaded = ", ".join(models) or "none"
        raise ModelError(f"no model {name!r} is loaded", hint=f"Loaded: {loaded}.")

    def infos(self) -> tuple[ModelInfo, ...]:
        """What is loaded, in the order loaded."""
        return tuple(model.info for model in self._now().values())

    def _now(self) -> dict[str, HasVocabulary]:
        """A copy, which no other thread changes."""
        with self._lock:
            return dict(self._models)

    def state(self) -> records.Roster:
        """Which models are loaded, and the memory of each device."""
        return records.Roster(models=self.infos(), devices=self.memory())

    def memory(self) -> tuple[DeviceMemory, ...]:
        """Memory of the CPU and of every CUDA device."""
        measured = {device: self._measure(device) for device in local_devices()}
        return tuple(
            DeviceMemory(device=device, used=memory.used, free=memory.free, total=memory.total)
            for device, memory in measured.items()
        )

    def _unused_name(self, source: Source | Named, dtype: str) -> str:
        """The source's short name; where it is taken, with the dtype, and then with a number."""
        short = source.short_name
        same_source = any(model.info.source == str(source) for model in self._models.values())
        names = [short]
        if same_source and dtype:
            names.append(f"{short}@{dtype}")
        taken = self._models.keys() | self._reserved
        names += [f"{names[-1]}-{number}" for number in range(2, len(taken) + 3)]
        return next(name for name in names if name not in taken)

    def _gpus(self) -> dict[str, Memory]:
        """The memory of every GPU."""
        return {device: self._measure(device) for device in local_devices() if device != "cpu"}

    def _refuse_misfit(self, needed: int, name: str, wish: Wish) -> None:
        """Raise `ModelError` where the bytes `needed` are more than the device's free memory, less what the models
        there will take that have not run yet."""
        memory = together(self._measure(device) for device in devices_of(wish.device))
        promised = sum(
            model.info.memory_bytes
            for model in self._now().values()
            if isinstance(model, LocalModel) and not model.is_filled and model.info.device == wish.device
        )
        left = replace(memory, free=max(memory.free - promised, 0))
        refuse_misfit(left, needed, name, spell_dtype(wish.dtype), wish.device)
