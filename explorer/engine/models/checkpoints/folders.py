"""What a folder is that is no Hugging Face checkpoint, so that its refusal sends nobody the wrong way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from explorer.engine.models.checkpoints.typed_json import read_typed
from explorer.engine.models.errors import ModelError

ADAPTER_CONFIG = "adapter_config.json"
_POINTER = b"version https://git-lfs"
_LONGEST_POINTER = 1024


class AdapterConfig(msgspec.Struct):
    """What is read of adapter_config.json here."""

    base_model_name_or_path: str | None = None
    peft_type: str | None = None
    megatron_config: dict[str, Any] | None = None
    """Where it is set, peft imports the module that stands beside it."""


def refuse_pointers(directory: Path) -> None:
    """Raise `ModelError` where a file is what Git LFS leaves in the place of a large one."""
    for file in sorted(directory.iterdir()):
        if file.is_file() and file.stat().st_size <= _LONGEST_POINTER and file.read_bytes().startswith(_POINTER):
            raise ModelError(
                f"{file.name} in {directory.name} is a Git LFS pointer and not the file itself",
                hint="Run git lfs pull there, or download the file again.",
            )


def without_config(directory: Path) -> ModelError:
    """What to say of a folder that has no config.json."""
    return next(
        _reasons(directory),
        ModelError(
            f"{directory} has no config.json", hint="A Hugging Face model directory is needed (save_pretrained)."
        ),
    )


def _reasons(directory: Path) -> Iterator[ModelError]:
    if (directory / ADAPTER_CONFIG).is_file():
        adapter = read_typed(directory / ADAPTER_CONFIG, AdapterConfig)
        yield ModelError(
            f"{directory.name} is {describe_adapter(adapter)}, and no model by itself",
            hint="Load it without weights: (peft is needed), or name its base model.",
        )
    if snapshots := sorted((directory / "snapshots").glob("*/config.json")):
        yield ModelError(
            f"{directory.name} is a folder of the hub's cache, with the model inside",
            hint=f"Use {snapshots[-1].parent}.",
        )
    if (directory / "params.json").is_file():
        yield ModelError(
            f"{directory.name} holds a model in its maker's own format (params.json, as Mistral and Meta publish)",
            hint="Get the Hugging Face format of the same model: it has a config.json.",
        )
    if (directory / "model_index.json").is_file():
        yield ModelError(
            f"{directory.name} is a diffusers pipeline of several models", hint="Give the folder of its text encoder."
        )
    if inner := sorted(directory.glob("*/config.json")):
        yield ModelError(
            f"{directory} has no config.json, but folders in it have", hint=f"Give one of them: {inner[-1].parent}."
        )


def describe_adapter(adapter: AdapterConfig) -> str:
    """'a LoRA adapter of meta-llama/Llama-2-7b-hf'."""
    kind = {None: "PEFT", "LORA": "LoRA"}.get(adapter.peft_type, adapter.peft_type)
    return f"a {kind} adapter of {adapter.base_model_name_or_path or 'a base model that it does not name'}"
