"""The tensors in a checkpoint directory, read one at a time and only when asked for.

The safetensors header is read here directly (https://huggingface.co/docs/safetensors: eight bytes of
length, then JSON), so that sizes, truncation and digests cost no torch and no weights.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from explorer.engine.models.checkpoints.tokenizer_files import read_json
from explorer.engine.models.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLE_SINGLE = "pytorch_model.bin"
PICKLE_INDEX = "pytorch_model.bin.index.json"
_GREATEST_HEADER = 100_000_000
_CHUNK = 1 << 26

Hashed = Callable[[int, int], None]
"""Told the bytes hashed so far and their total."""


@dataclass(frozen=True)
class StoredTensor:
    """Where one tensor lies in a safetensors file."""

    file: Path
    dtype: str
    """As safetensors writes it: `F32`, `BF16`."""
    shape: tuple[int, ...]
    begin: int
    """First byte in the file; `end` is one after the last."""
    end: int


def read_header(file: Path) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file by name; raises `ModelError` where it is cut short or no such file."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(size - 8, _GREATEST_HEADER):
                raise ModelError(
                    f"{file.name} is cut short or no safetensors file: {size:,} bytes", hint="Download it again."
                )
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        start = 8 + length
        tensors = {
            name: StoredTensor(
                file=file,
                dtype=str(entry["dtype"]),
                shape=tuple(int(side) for side in entry["shape"]),
                begin=start + int(entry["data_offsets"][0]),
                end=start + int(entry["data_offsets"][1]),
            )
            for name, entry in header.items()
        }
    except FileNotFoundError as error:
        raise ModelError(f"{file.name} is missing in {file.parent}", hint="Download the missing shard.") from error
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ModelError(f"{file.name} has a broken header: {error}", hint="Download it again.") from error
    needed = max((tensor.end for tensor in tensors.values()), default=start)
    if needed > size:
        raise ModelError(f"{file.name} is cut short: {size:,} of {needed:,} bytes are there", hint="Download it again.")
    return tensors


class WeightFiles(Protocol):
    """The tensors of a checkpoint by name."""

    @property
    def names(self) -> Sequence[str]: ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def tensor(self, name: str) -> Tensor:
        """The tensor on the CPU in its stored dtype, memory-mapped where the file allows it."""

    def n_elements(self) -> int:
        """Numbers in all tensors together."""

    def digest(self, names: Iterable[str] | None = None, hashed: Hashed | None = None) -> str:
        """SHA-256 of the tensors (all, or the named ones): name, dtype, shape and bytes of each, by name;
        first 32 hexadecimal digits."""


class SafetensorsFiles:
    """The tensors of `model.safetensors`, or of the shards that `model.safetensors.index.json` lists."""

    def __init__(self, directory: Path) -> None:
        """Raises `ModelError` where there is no such file or the index names a file outside the directory.
        Shards of an index are not opened before they are needed, so they need not all be there."""
        self._directory = directory
        self._headers: dict[str, dict[str, StoredTensor]] = {}
        if (directory / INDEX).is_file():
            self._where = read_weight_map(directory / INDEX)
        else:
            self._where = dict.fromkeys(self._header(SINGLE), SINGLE)

    @property
    def names(self) -> Sequence[str]:
        return sorted(self._where)

    def file_of(self, name: str) -> str:
        """The file that holds a tensor."""
        return self._where[name]

    def stored(self, name: str) -> StoredTensor:
        """Where a tensor lies."""
        try:
            return self._header(self._where[name])[name]
        except KeyError as error:
            raise ModelError(
                f"the index lists {name} but {self._where[name]} does not hold it", hint="Download the model again."
            ) from error

    def shape(self, name: str) -> tuple[int, ...]:
        return self.stored(name).shape

    def tensor(self, name: str) -> Tensor:
        from safetensors import SafetensorError, safe_open

        file = self.stored(name).file
        try:
            with safe_open(file, "pt") as tensors:
                found: Tensor = tensors.get_tensor(name)
        except SafetensorError as error:
            raise ModelError(f"{file.name} cannot be read: {error}", hint="Download it again.") from error
        return found

    def n_elements(self) -> int:
        return sum(math.prod(self.shape(name)) for name in self._where)

    def digest(self, names: Iterable[str] | None = None, hashed: Hashed | None = None) -> str:
        stored = {name: self.stored(name) for name in (self._where if names is None else names)}
        total = sum(tensor.end - tensor.begin for tensor in stored.values())
        content, done = hashlib.sha256(), 0
        for name in sorted(stored):
            tensor = stored[name]
            content.update(_caption(name, tensor.dtype, tensor.shape))
            for chunk in _mapped(tensor):
                content.update(chunk)
                done += len(chunk)
                if hashed is not None:
                    hashed(done, total)
                chunk.release()
        return content.hexdigest()[:32]

    def _header(self, file: str) -> dict[str, StoredTensor]:
        if file not in self._headers:
            self._headers[file] = read_header(self._directory / file)
        return self._headers[file]


class PickledFiles:
    """The tensors of `pytorch_model.bin`, or of its shards, read by torch's `weights_only` loader, which
    builds tensors and plain containers and runs no code."""

    def __init__(self, directory: Path) -> None:
        """Raises `ModelError` where a file is missing, broken or holds anything but tensors."""
        import torch

        index = directory / PICKLE_INDEX
        files = sorted(set(read_weight_map(index).values())) if index.is_file() else [PICKLE_SINGLE]
        self._tensors: dict[str, Tensor] = {}
        for file in files:
            try:
                mapped = zipfile.is_zipfile(directory / file)
                loaded: Any = torch.load(directory / file, map_location="cpu", weights_only=True, mmap=mapped)
            except Exception as error:  # a stranger's pickle: torch raises UnpicklingError, RuntimeError, EOFError …
                raise ModelError(
                    f"{file} cannot be read as tensors only: {' '.join(str(error).split())[:200]}",
                    hint="Save the model as safetensors on a machine where you trust it.",
                ) from error
            self._tensors.update({name: value for name, value in loaded.items() if isinstance(value, torch.Tensor)})

    @property
    def names(self) -> Sequence[str]:
        return sorted(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._tensors[name].shape)

    def tensor(self, name: str) -> Tensor:
        return self._tensors[name]

    def n_elements(self) -> int:
        return sum(tensor.numel() for tensor in self._tensors.values())

    def digest(self, names: Iterable[str] | None = None, hashed: Hashed | None = None) -> str:
        import torch

        content = hashlib.sha256()
        for name in sorted(self._tensors if names is None else names):
            tensor = self._tensors[name].contiguous()
            content.update(_caption(name, _dtype_name(tensor.dtype), tuple(tensor.shape)))
            content.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
        return content.hexdigest()[:32]


def open_weights(directory: Path, *, allow_pickle: bool = False) -> SafetensorsFiles | PickledFiles:
    """The weights in `directory`; raises `ModelError` where there are none or only pickles not allowed."""
    if (directory / INDEX).is_file() or (directory / SINGLE).is_file():
        return SafetensorsFiles(directory)
    pickles = sorted(file.name for file in directory.iterdir() if file.suffix in (".bin", ".pt", ".pth", ".ckpt"))
    if not pickles:
        raise ModelError(
            f"{directory} has a config but no weights", hint=f"{SINGLE}, or {INDEX} with its shards, is needed."
        )
    if not allow_pickle:
        raise ModelError(
            f"{directory} has only pickled weights ({pickles[0]}), which can run code when opened",
            hint="Convert them to safetensors, or allow them with --allow-pickle (tensors only, no code).",
        )
    return PickledFiles(directory)


def weights_digest(directory: Path, *, hashed: Hashed | None = None) -> str:
    """SHA-256 of a safetensors checkpoint's content (see `WeightFiles.digest`), whatever its sharding."""
    return SafetensorsFiles(directory).digest(hashed=hashed)


def read_weight_map(index: Path) -> dict[str, str]:
    """Tensor name → file name of a sharded checkpoint's index."""
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not where:
        raise ModelError(f"{index.name} lists no weights", hint="Download it again.")
    for file in set(where.values()):
        if not isinstance(file, str) or Path(file).name != file:
            raise ModelError(f"{index.name} names a file outside its directory: {file!r}")
    return where


def _caption(name: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    return json.dumps([name, dtype, list(shape)]).encode() + b"\n"


def _dtype_name(dtype: torch.dtype) -> str:
    """As safetensors writes it: `F32`, `BF16`, `I64`."""
    name = str(dtype).removeprefix("torch.")
    kinds = (("bfloat", "BF"), ("float", "F"), ("uint", "U"), ("int", "I"), ("bool", "BOOL"))
    return next((short + name.removeprefix(long) for long, short in kinds if name.startswith(long)), name)


def _mapped(tensor: StoredTensor) -> Iterator[memoryview]:
    """The bytes of a tensor in chunks, without copying them."""
    if tensor.begin == tensor.end:
        return
    with (
        tensor.file.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as whole,
    ):
        for start in range(tensor.begin, tensor.end, _CHUNK):
            yield whole[start : min(start + _CHUNK, tensor.end)]
