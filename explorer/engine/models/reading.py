"""One model out of the files of its source, whichever kind they are; for the second time without reading them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import torch

from explorer.base.records.models import ModelInfo
from explorer.engine.kept import FEW, fingerprint, recall, remember
from explorer.engine.models.adapters import base_directory, is_adapter, load_adapted
from explorer.engine.models.checkpoints.architecture import causal_architecture, named_architecture
from explorer.engine.models.checkpoints.directory import read_config
from explorer.engine.models.checkpoints.gguf_place import find_gguf
from explorer.engine.models.checkpoints.pickled_files import pickled_weights
from explorer.engine.models.checkpoints.weight_files import has_safetensors
from explorer.engine.models.describing import spell_dtype
from explorer.engine.models.filling import loaded_size
from explorer.engine.models.loading import DirectoryFiles, load_embeddings_only, load_model
from explorer.engine.models.local import EmbeddingsOnly, LocalModel, ModelFiles
from explorer.engine.models.source import Located, Progress, Source, TokenizerChoice

Loaded = LocalModel | EmbeddingsOnly
_KEPT = "models"


@dataclass(frozen=True)
class Wish:
    """What is to be loaded, and how."""

    located: Located
    source: Source
    dtype: torch.dtype
    """Of matrices alone, the one that they are dequantised to where they must be."""
    device: str
    """One, or several GPUs: `cuda:0+cuda:1`."""
    allow_pickle: bool
    choice: TokenizerChoice

    def load(self, name: str, progress: Progress | None) -> Loaded:
        """The model in a directory, an adapter's or not, or in GGUF files."""
        place = self.located.directory
        origin: dict[str, Any] = {"name": name, "source": str(self.source), "revision": self.located.revision}
        origin["choice"] = self.choice
        if not self.source.weights_only:
            origin |= {"dtype": spell_dtype(self.dtype), "device": self.device, "progress": progress}
        if files := find_gguf(place):
            from explorer.engine.models.gguf_loading import load_gguf, load_gguf_embeddings

            return load_gguf_embeddings(files, **origin) if self.source.weights_only else load_gguf(files, **origin)
        if is_adapter(place) and not self.source.weights_only:
            return load_adapted(place, **origin, allow_pickle=self.allow_pickle)
        load: Callable[..., Loaded] = load_embeddings_only if self.source.weights_only else load_model
        return load(place, **origin, allow_pickle=self.allow_pickle)

    def memory_needed(self) -> int:
        """Bytes that it takes once it is loaded; of matrices alone those that are dequantised. Raises `ModelError` for
        what is no model."""
        place = self.located.directory
        return matrices_size(place) if self.source.weights_only else weights_size(place, self.dtype)

    def files(self) -> ModelFiles:
        """Its files, of which nothing is read yet."""
        source, runs = str(self.source), not self.source.weights_only
        if files := find_gguf(self.located.directory):
            from explorer.engine.models.gguf_loading import GgufModelFiles

            return GgufModelFiles(files, source, runs=runs, choice=self.choice)
        return DirectoryFiles(
            self.located.directory, source, runs=runs, allow_pickle=self.allow_pickle, choice=self.choice
        )

    @cached_property
    def key(self) -> str:
        """See `fingerprint`: of the files as they are before anything is read of them."""
        asked = (self.source.weights_only, str(self.dtype), self.device, self.allow_pickle, self.choice.source)
        here = find_gguf(self.located.directory) or (self.located.directory,)
        return fingerprint([*here, *filter(None, [self.choice.directory])], asked)


def read_again(wish: Wish, name: str) -> Loaded | None:
    """The model as it was found in the same files before, with nothing read of them; None where it was not.

    Its vocabulary, matrices and weights are read when they are needed.
    """
    info = recall(_KEPT, wish.key, ModelInfo)
    if info is None:
        return None
    day = (wish.choice.day or date.today().isoformat()) if info.chat_day else ""
    info = msgspec.structs.replace(
        info, name=name, source=str(wish.source), revision=wish.located.revision, chat_day=day
    )
    model: Loaded = LocalModel(wish.files(), info) if info.can_run else EmbeddingsOnly(wish.files(), info)
    model.kept_as = wish.key
    return model


def keep_for_later(wish: Wish, model: Loaded) -> None:
    """Let what is computed of a large vocabulary be kept, and keep what is told of the model for `read_again` where it
    need not run at once."""
    if model.info.vocab_size <= FEW or is_adapter(wish.located.directory):
        return
    model.kept_as = wish.key
    if isinstance(model, EmbeddingsOnly) or not model.is_filled:
        remember(_KEPT, model.kept_as, model.info)


def matrices_size(place: Path) -> int:
    """Bytes of memory that the matrices of a `weights:` source take: those of GGUF files, dequantised to float32; none
    where they are mapped from the disk."""
    if not (files := find_gguf(place)):
        return 0
    from explorer.engine.models.gguf_loading import gguf_matrices_size

    return gguf_matrices_size(files)


def weights_size(directory: Path, dtype: torch.dtype) -> int:
    """Bytes that the model in `directory`, or in GGUF files, takes once it is loaded in `dtype`; more where its weights
    are pickles that must be read whole. Raises `ModelError` for what is no model."""
    if files := find_gguf(directory):
        from explorer.engine.models.gguf_loading import gguf_size

        return gguf_size(files, dtype)
    if is_adapter(directory):
        return weights_size(base_directory(directory), dtype)
    config = read_config(directory)
    size = loaded_size(causal_architecture(config) or named_architecture(config), dtype)
    if has_safetensors(directory):
        return size
    return size + sum((directory / name).stat().st_size for name in pickled_weights(directory))
