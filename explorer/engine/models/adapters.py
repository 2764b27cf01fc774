"""A PEFT adapter's folder as a source: its base model with the adapter merged in, where peft is installed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from explorer.engine.models.abilities import Embeddings
from explorer.engine.models.checkpoints.folders import ADAPTER_CONFIG, AdapterConfig, describe_adapter
from explorer.engine.models.checkpoints.limits import check_folder
from explorer.engine.models.checkpoints.typed_json import read_typed
from explorer.engine.models.checkpoints.weight_files import read_header
from explorer.engine.models.errors import ModelError
from explorer.engine.models.loading import load_model
from explorer.engine.models.local import LocalModel
from explorer.engine.models.locate import locate
from explorer.engine.models.source import Progress, parse_source
from explorer.engine.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WEIGHTS = "adapter_model.safetensors"
_MERGE = "Merge it into its base model (merge_and_unload, save_pretrained) and load that."


def is_adapter(directory: Path) -> bool:
    """Whether the folder holds an adapter alone. One that was left beside a whole model is never applied."""
    return (directory / ADAPTER_CONFIG).is_file() and not (directory / "config.json").is_file()


def base_directory(directory: Path, progress: Progress | None = None) -> Path:
    """Where the base model of the adapter is: a folder, seen from the adapter's or from here, or a model of the hub.

    Raises `ModelError` where the adapter cannot be used, or its base model is not found.
    """
    check_folder(directory)
    adapter = read_typed(directory / ADAPTER_CONFIG, AdapterConfig)
    said = f"{directory.name} is {describe_adapter(adapter)}"
    _refuse_unusable(directory, adapter, said)
    place = adapter.base_model_name_or_path or ""
    if place and (directory / place).is_dir():
        return directory / place
    try:
        return locate(parse_source(place), progress=progress).directory
    except ModelError as error:
        raise ModelError(f"{said}, which is not found: {error.message}", hint=_MERGE) from error


def load_adapted(directory: Path, *, progress: Progress | None = None, **options: Any) -> LocalModel:
    """The base model with the adapter in `directory` merged into it, and the base model's tokenizer unless another is
    chosen; `options` are those of `load_model`.

    Its digest is of both. Raises `ModelError` as `base_directory` and `load_model` do, and where the two do not fit.
    """
    base = load_model(base_directory(directory, progress), progress=progress, **options).fill()
    merged = _merge(base.hf, directory)
    both = f"{base.info.weights_digest} {hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest()}"
    info = msgspec.structs.replace(base.info, weights_digest=hashlib.sha256(both.encode()).hexdigest()[:32])
    files = _Merged(base.directory, base.vocabulary, _embeddings_of(merged, base.embeddings()), merged)
    return LocalModel(files, msgspec.structs.replace(info, memory_bytes=0)).fill()


@dataclass(frozen=True)
class _Merged:
    """What is left of files once an adapter is merged into the model. Implements `ModelFiles`."""

    directory: Path
    vocabulary: Vocabulary
    embeddings: Embeddings
    merged: PreTrainedModel

    def fill(self, dtype: torch.dtype) -> PreTrainedModel:
        """It is already there."""
        return self.merged


def _refuse_unusable(directory: Path, adapter: AdapterConfig, said: str) -> None:
    if find_spec("peft") is None:
        raise ModelError(f"{said}, and no model by itself", hint=f"{_MERGE} Or install peft.")
    if not (directory / WEIGHTS).is_file():
        raise ModelError(f"{said}, without its {WEIGHTS}", hint=_MERGE)
    read_header(directory / WEIGHTS)
    if adapter.megatron_config is not None:
        raise ModelError(f"{said} that names a module to import (megatron_core), which is never done", hint=_MERGE)


def _merge(model: PreTrainedModel, directory: Path) -> PreTrainedModel:
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()  # they may be the base model's file itself
    try:
        peft: Any = import_module("peft")
        adapted: Any = peft.PeftModel.from_pretrained(model, str(directory), local_files_only=True)
        merged: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    except Exception as error:  # a stranger's adapter breaks peft in many ways
        raise ModelError(
            f"the adapter in {directory.name} cannot be merged: {' '.join(str(error).split())[:300]}",
            hint="Is it an adapter of this very model?",
        ) from error
    return merged.eval()


def _embeddings_of(model: PreTrainedModel, base: Embeddings) -> Embeddings:
    """The base model's own matrices where the adapter left them alone, else the merged ones."""
    matrix, head = model.get_input_embeddings().weight, model.get_output_embeddings()
    pairs = ((base.input, matrix), (base.output, head.weight))
    if all(stored is not None and torch.equal(stored[: len(used)].to(used), used) for stored, used in pairs):
        return base
    bias = getattr(head, "bias", None)
    held = matrix.detach().cpu()
    return Embeddings(
        input=held,
        output=held if head.weight is matrix else head.weight.detach().cpu(),
        output_bias=None if bias is None else bias.detach().cpu(),
        tied=head.weight is matrix,
    )
