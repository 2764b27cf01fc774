"""The tensors in a checkpoint directory, read one at a time and only when asked for.

The safetensors header is read here directly (https://huggingface.co/docs/safetensors: eight bytes of
length, then JSON), so that sizes, truncation and digests cost no torch and no weights.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec

from explorer.base.errors import one_line
from explorer.engine.control import stop_if_cancelled
from explorer.engine.models.checkpoints.limits import MOST_TENSORS, check_file, refuse_more
from explorer.engine.models.checkpoints.typed_json import read_typed
from explorer.engine.models.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_NUMBERED = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.safetensors")
_GREATEST_HEADER = 100_000_000
_CHUNK = 1 << 23

Hashed = Callable[[int, int], None]
"""Told the bytes hashed so far and their total."""


@dataclass(frozen=True)
class StoredTensor:
    """Where one tensor lies in a safetensors or GGUF file."""

    file: Path
    dtype: str
    """As the format writes it: `F32`, `BF16`, `Q8_0`."""
    shape: tuple[int, ...]
    """Slowest side first, as torch counts."""
    begin: int
    """First byte in the file; `end` is one after the last."""
    end: int


def read_header(file: Path) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file by name; raises `ModelError` where it is cut short or no such file."""
    check_file(file)
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(size - 8, _GREATEST_HEADER):
                raise ModelError(
                    f"{file.name} is cut short or no safetensors file: {size:,} bytes", hint="Download it again."
                )
            raw = msgspec.json.decode(stream.read(length), type=dict[str, msgspec.Raw])
        raw.pop("__metadata__", None)
        refuse_more(len(raw), MOST_TENSORS, f"{file.name} holds {{}} tensors")
        start = 8 + length
        tensors = {name: _stored(file, start, msgspec.json.decode(entry, type=_Entry)) for name, entry in raw.items()}
    except FileNotFoundError as error:
        raise ModelError(f"{file.name} is missing in {file.parent}", hint="Download the missing shard.") from error
    except (OSError, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise ModelError(f"{file.name} has a broken header: {one_line(error)}", hint="Download it again.") from error
    needed = max((tensor.end for tensor in tensors.values()), default=start)
    if needed > size:
        raise ModelError(f"{file.name} is cut short: {size:,} of {needed:,} bytes are there", hint="Download it again.")
    return tensors


class _Entry(msgspec.Struct):
    """What a safetensors header says of one tensor."""

    dtype: str
    shape: tuple[Annotated[int, msgspec.Meta(ge=0)], ...]
    data_offsets: tuple[Annotated[int, msgspec.Meta(ge=0)], Annotated[int, msgspec.Meta(ge=0)]]


def _stored(file: Path, start: int, entry: _Entry) -> StoredTensor:
    """Where the tensor lies, if its numbers begin before they end; raises `ValueError`."""
    begin, end = entry.data_offsets
    if end < begin:
        raise ValueError(f"a tensor ends at byte {end:,}, before it begins at {begin:,}")
    return StoredTensor(file=file, dtype=entry.dtype, shape=entry.shape, begin=start + begin, end=start + end)


class WeightFiles(Protocol):
    """The tensors of a checkpoint by name."""

    @property
    def names(self) -> Sequence[str]: ...

    def shape(self, name: str) -> tuple[int, ...]: ...

    def dtype(self, name: str) -> str:
        """As safetensors writes it: `F32`, `U32`."""

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
        self._where = self._find_tensors()

    def _find_tensors(self) -> dict[str, str]:
        """The file of each tensor. An index is left over from other files where the whole file stands beside it (which
        transformers takes too), or where its shards are not here and a full set of others is."""
        if not (self._directory / SINGLE).is_file():
            where = read_weight_map(self._directory / INDEX) if (self._directory / INDEX).is_file() else {}
            here = where and all((self._directory / file).is_file() for file in set(where.values()))
            shards = [] if here else numbered_shards(self._directory)
            if not shards:
                return where
            return {name: file for file in shards for name in self._header(file)}
        return dict.fromkeys(self._header(SINGLE), SINGLE)

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

    def dtype(self, name: str) -> str:
        return self.stored(name).dtype

    def tensor(self, name: str) -> Tensor:
        from safetensors import SafetensorError, safe_open

        file = self.stored(name).file
        try:
            with safe_open(file, "pt") as tensors:
                found: Tensor = tensors.get_tensor(name)
        except SafetensorError as error:
            raise ModelError(f"{file.name} cannot be read: {one_line(error)}", hint="Download it again.") from error
        return found

    def n_elements(self) -> int:
        return sum(math.prod(self.shape(name)) for name in self._where)

    def digest(self, names: Iterable[str] | None = None, hashed: Hashed | None = None) -> str:
        return digest_stored({name: self.stored(name) for name in (self._where if names is None else names)}, hashed)

    def _header(self, file: str) -> dict[str, StoredTensor]:
        if file not in self._headers:
            self._headers[file] = read_header(self._directory / file)
        return self._headers[file]


def has_safetensors(directory: Path) -> bool:
    """Whether `SafetensorsFiles` can be tried there."""
    return any((directory / name).is_file() for name in (INDEX, SINGLE)) or bool(numbered_shards(directory))


def numbered_shards(directory: Path) -> list[str]:
    """The files of a full set `model-00001-of-00004.safetensors` …; empty where there is none, or more than one."""
    sets: dict[tuple[str, str], set[int]] = {}
    for file in directory.glob("*.safetensors"):
        if (numbered := _NUMBERED.fullmatch(file.name)) is not None:
            name, number, total = numbered.groups()
            sets.setdefault((name, total), set()).add(int(number))
    full = [(name, total) for (name, total), numbers in sets.items() if numbers == set(range(1, int(total) + 1))]
    if len(full) != 1:
        return []
    name, total = full[0]
    return [f"{name}-{number:05}-of-{total}.safetensors" for number in range(1, int(total) + 1)]


def weights_digest(directory: Path, *, hashed: Hashed | None = None) -> str:
    """SHA-256 of a safetensors checkpoint's content (see `WeightFiles.digest`), whatever its sharding."""
    return SafetensorsFiles(directory).digest(hashed=hashed)


def digest_stored(tensors: Mapping[str, StoredTensor], hashed: Hashed | None = None) -> str:
    """The digest of tensors in files, by name (see `WeightFiles.digest`)."""
    total = sum(tensor.end - tensor.begin for tensor in tensors.values())
    content, done = hashlib.sha256(), 0
    for name in sorted(tensors):
        tensor = tensors[name]
        content.update(caption(name, tensor.dtype, tensor.shape))
        for chunk in _pieces(tensor):
            content.update(chunk)
            done += len(chunk)
            stop_if_cancelled()
            if hashed is not None:
                hashed(done, total)
    return content.hexdigest()[:32]


class _Index(msgspec.Struct):
    weight_map: dict[str, str] | None = None


def read_weight_map(index: Path) -> dict[str, str]:
    """Tensor name → file name of a sharded checkpoint's index."""
    where = read_typed(index, _Index).weight_map
    if not where:
        raise ModelError(f"{index.name} lists no weights", hint="Download it again.")
    refuse_more(len(where), MOST_TENSORS, f"{index.name} lists {{}} tensors")
    for file in set(where.values()):
        if Path(file).name != file:
            raise ModelError(f"{index.name} names a file outside its directory: {file!r}")
    return where


def caption(name: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    return json.dumps([name, dtype, list(shape)]).encode() + b"\n"


def dtype_name(dtype: torch.dtype) -> str:
    """As safetensors writes it: `F32`, `BF16`, `I64`."""
    name = str(dtype).removeprefix("torch.")
    kinds = (("bfloat", "BF"), ("float", "F"), ("uint", "U"), ("int", "I"), ("bool", "BOOL"))
    return next((short + name.removeprefix(long) for long, short in kinds if name.startswith(long)), name)


def _pieces(tensor: StoredTensor) -> Iterator[memoryview]:
    """The bytes of a tensor, each piece overwritten by the next: not mapped, for what is read once would then count as
    memory held."""
    buffer = memoryview(bytearray(min(_CHUNK, tensor.end - tensor.begin)))
    with tensor.file.open("rb", buffering=0) as stream:
        stream.seek(tensor.begin)
        left = tensor.end - tensor.begin
        while left:
            count = stream.readinto(buffer[:left])
            if not count:
                raise ModelError(f"{tensor.file.name} is cut short", hint="Download it again.")
            yield buffer[:count]
            left -= count
