"""Checkpoints that torch pickled, read as tensors only: no code in them is ever run."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.engine.control import stop_if_cancelled
from explorer.engine.models.checkpoints.weight_files import Hashed, caption, dtype_name, read_weight_map
from explorer.engine.models.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

PICKLE_SINGLE = "pytorch_model.bin"
PICKLE_INDEX = "pytorch_model.bin.index.json"
_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt")
_OF_A_TRAINER = ("optimizer", "scheduler", "training_args", "rng_state", "scaler", "random_states")
"""What the names of files begin with that hold the state of a training, and no weights."""
_SAVE_AGAIN = "Save the model as safetensors on a machine where you trust it."


class PickledFiles:
    """The tensors of `pytorch_model.bin`, or of its shards, read by torch's `weights_only` loader, which
    builds tensors and plain containers and runs no code."""

    def __init__(self, directory: Path) -> None:
        """Raises `ModelError` where a file is missing, broken or holds anything but tensors by name."""
        index = directory / PICKLE_INDEX
        files = sorted(set(read_weight_map(index).values())) if index.is_file() else [PICKLE_SINGLE]
        self._tensors: dict[str, Tensor] = {}
        for file in files:
            self._tensors.update(_tensors_in(directory / file))

    @property
    def names(self) -> Sequence[str]:
        return sorted(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._tensors[name].shape)

    def dtype(self, name: str) -> str:
        return dtype_name(self._tensors[name].dtype)

    def tensor(self, name: str) -> Tensor:
        return self._tensors[name]

    def n_elements(self) -> int:
        return sum(tensor.numel() for tensor in self._tensors.values())

    def digest(self, names: Iterable[str] | None = None, hashed: Hashed | None = None) -> str:
        import torch

        content = hashlib.sha256()
        for name in sorted(self._tensors if names is None else names):
            stop_if_cancelled()
            tensor = self._tensors[name].contiguous()
            content.update(caption(name, dtype_name(tensor.dtype), tuple(tensor.shape)))
            content.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
        return content.hexdigest()[:32]


def pickled_weights(directory: Path) -> list[str]:
    """The names of pickled files in `directory` that may hold weights; those of a trainer's state do not."""
    return sorted(
        file.name
        for file in directory.iterdir()
        if file.suffix in _SUFFIXES and not file.name.startswith(_OF_A_TRAINER)
    )


def _tensors_in(file: Path) -> dict[str, Tensor]:
    """The tensors of one file by name; raises `ModelError` that says what else it holds."""
    import torch

    if not file.is_file():
        raise _missing(file)
    try:
        mapped = zipfile.is_zipfile(file)
        loaded: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # a stranger's pickle: torch raises UnpicklingError, RuntimeError, EOFError …
        raise ModelError(
            f"{file.name} cannot be read as tensors only: {' '.join(str(error).split())[:200]}", hint=_SAVE_AGAIN
        ) from error
    if not isinstance(loaded, dict):
        raise ModelError(f"{file.name} holds a {type(loaded).__name__}, and no tensors by name", hint=_SAVE_AGAIN)
    found = {name: value.detach() for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    if strange := [name for name in found if not isinstance(name, str)]:
        raise ModelError(
            f"{file.name} holds tensors by {type(strange[0]).__name__} ({strange[0]!r} …), and not by name",
            hint=_SAVE_AGAIN,
        )
    if packed := [name for name, tensor in found.items() if not _is_dense(tensor)]:
        raise ModelError(f"{packed[0]} in {file.name} is sparse, quantised or without numbers", hint=_SAVE_AGAIN)
    if not found:
        raise _nothing_at_the_top(file.name, loaded)
    return found


def _is_dense(tensor: Tensor) -> bool:
    """Whether all numbers of the tensor are there, one after the other."""
    import torch

    return tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized


def _nothing_at_the_top(name: str, loaded: dict[Any, Any]) -> ModelError:
    """Why a dictionary is no checkpoint, with the key under which tensors lie, if there is one."""
    nested = [key for key, value in loaded.items() if isinstance(value, dict) and value]
    if nested:
        return ModelError(
            f"{name} is a training checkpoint: its tensors, if any, lie under the key {nested[0]!r}",
            hint=f"Save what is under {nested[0]!r} as model.safetensors.",
        )
    return ModelError(f"{name} holds no tensors ({len(loaded):,} other entries)", hint="Get the weights themselves.")


def _missing(file: Path) -> ModelError:
    others = [name for name in pickled_weights(file.parent) if name != file.name]
    if others and file.name == PICKLE_SINGLE:
        own = " (the original format of Llama)" if others[0].startswith("consolidated.") else ""
        return ModelError(
            f"pickled weights are read from {PICKLE_SINGLE}, and {file.parent.name} has {others[0]}{own}",
            hint="Convert it to the Hugging Face format (save_pretrained).",
        )
    return ModelError(f"{file.name} is missing in {file.parent}", hint="Download the missing shard.")
