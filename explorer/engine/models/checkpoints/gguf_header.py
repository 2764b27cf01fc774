"""The head of a GGUF file: its metadata and where its tensors lie.

Read here and not by the `gguf` package: that trusts every count in the file, and takes ten seconds of processor time
for the 262,144 tokens of Gemma. The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from explorer.base.errors import one_line
from explorer.engine.models.checkpoints.gguf_place import MAGIC
from explorer.engine.models.checkpoints.limits import MOST_TENSORS, MOST_TOKENS, check_file, refuse_more
from explorer.engine.models.checkpoints.weight_files import StoredTensor
from explorer.engine.models.errors import ModelError

Value = int | float | bool | str | list[str] | npt.NDArray[np.generic]
"""What metadata hold: arrays of numbers as NumPy arrays, arrays of strings as lists."""

_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_NUMBERS = {0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8", 12: "<f8"}
_LONGEST_STRING = 1 << 24
_MOST_ENTRIES = 4 * MOST_TOKENS
"""Of one array: a vocabulary has more merges than tokens."""
_MOST_DIMENSIONS = 4
_LEAST_ENTRY = 8 + 4 + 1
"""Bytes of the shortest piece of metadata: the key's length, the type, a number."""
_LEAST_TENSOR = 8 + 4 + 4 + 8
_FORMAT = "https://github.com/ggml-org/llama.cpp converts models to GGUF version 3."
_AGAIN = "Download it again."


@dataclass(frozen=True)
class GgufHeader:
    """What stands before the tensors of a GGUF file."""

    file: Path
    metadata: dict[str, Value]
    tensors: dict[str, StoredTensor]

    @property
    def architecture(self) -> str:
        """llama.cpp's name of it: `llama`, `gemma3`; cut where it is absurdly long."""
        return self.text("general.architecture")[:40]

    def text(self, key: str) -> str:
        """A string, or an empty one where there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int | None:
        """A whole number, or None where there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, key: str) -> bool | None:
        """A truth value, or None where there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, bool) else None

    def strings(self, key: str) -> list[str]:
        """An array of strings, or an empty one where there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, list) else []

    def numbers(self, key: str) -> npt.NDArray[np.generic]:
        """An array of numbers, or an empty one where there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, np.ndarray) else np.zeros(0)

    def of_architecture(self, key: str) -> int:
        """The architecture's own whole number, such as its `block_count`; 0 where there is none."""
        return self.number(f"{self.architecture}.{key}") or 0


def read_gguf_header(file: Path) -> GgufHeader:
    """The metadata and tensors of a GGUF file.

    Raises `ModelError` where it is no GGUF file of version 2 or 3 in little-endian order, where a count, a length or
    an offset points beyond the file, and where a name stands twice.
    """
    check_file(file)
    try:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return _read(file, mapped)
    except FileNotFoundError as error:
        raise ModelError(f"there is no file {file}", hint="Check the path.") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{file.name} cannot be read: {one_line(error)}", hint=_AGAIN) from error


def _read(file: Path, mapped: mmap.mmap) -> GgufHeader:
    cursor = _Cursor(file.name, mapped)
    n_tensors, n_entries = _read_counts(cursor)
    metadata: dict[str, Value] = {}
    for _ in range(n_entries):
        key = cursor.string()
        if key in metadata:
            raise cursor.broken(f"{key[:60]!r} stands twice")
        metadata[key] = cursor.value(cursor.unpack("<I"))
    if not isinstance(metadata.get("general.architecture"), str):
        raise cursor.broken("it names no architecture")
    return GgufHeader(file, metadata, _read_tensors(file, cursor, n_tensors, metadata.get("general.alignment", 32)))


def _read_counts(cursor: _Cursor) -> tuple[int, int]:
    """How many tensors and pieces of metadata there are, after the magic number and the version."""
    if cursor.take(4) != MAGIC:
        raise ModelError(f"{cursor.name} is no GGUF file: it does not begin with GGUF", hint=_FORMAT)
    version = cursor.unpack("<I")
    if version not in _VERSIONS:
        order = "in big-endian order" if version and version & 0xFFFF == 0 else f"of version {version}"
        raise ModelError(f"{cursor.name} is a GGUF file {order}, which is not read", hint=_FORMAT)
    n_tensors, n_entries = cursor.unpack("<Q"), cursor.unpack("<Q")
    if n_tensors * _LEAST_TENSOR + n_entries * _LEAST_ENTRY > cursor.left:
        raise ModelError(
            f"{cursor.name} is cut short or broken: {cursor.size:,} bytes cannot hold the {n_tensors:,} tensors and"
            f" {n_entries:,} pieces of metadata that it counts",
            hint=_AGAIN,
        )
    refuse_more(n_tensors, MOST_TENSORS, f"{cursor.name} holds {{}} tensors")
    return n_tensors, n_entries


def _read_tensors(file: Path, cursor: _Cursor, count: int, alignment: Value) -> dict[str, StoredTensor]:
    """The table of tensors; their bytes begin at the next multiple of `alignment` after it."""
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
        raise cursor.broken("its alignment is no power of two")
    listed = [_read_tensor(cursor) for _ in range(count)]
    start = -(-cursor.at // alignment) * alignment
    tensors: dict[str, StoredTensor] = {}
    for name, kind, shape, offset, size in listed:
        if start + offset + size > cursor.size:
            raise ModelError(
                f"{cursor.name} is cut short: {cursor.size:,} of {start + offset + size:,} bytes are there", hint=_AGAIN
            )
        if name in tensors:
            raise cursor.broken(f"the tensor {name[:60]!r} stands twice")
        tensors[name] = StoredTensor(file, kind.name, shape, start + offset, start + offset + size)
    return tensors


def _read_tensor(cursor: _Cursor) -> tuple[str, GGMLQuantizationType, tuple[int, ...], int, int]:
    """Name, kind, shape, offset and size in bytes of one tensor."""
    name, n_dimensions = cursor.string(), cursor.unpack("<I")
    if n_dimensions > _MOST_DIMENSIONS:
        raise cursor.broken(f"the tensor {name[:60]!r} has {n_dimensions:,} dimensions")
    shape = tuple(cursor.unpack("<Q") for _ in range(n_dimensions))[::-1]
    code, offset = cursor.unpack("<I"), cursor.unpack("<Q")
    try:
        kind = GGMLQuantizationType(code)
    except ValueError as error:
        raise cursor.broken(
            f"the tensor {name[:60]!r} is of type {code}, which the installed gguf does not know"
        ) from error
    block, block_bytes = GGML_QUANT_SIZES[kind]
    if not shape or 0 in shape or shape[-1] % block:
        raise cursor.broken(f"the tensor {name[:60]!r} has shape {list(shape)}, which {kind.name} cannot hold")
    return name, kind, shape, offset, math.prod(shape) // block * block_bytes


class _Cursor:
    """A place in the mapped file that moves on as it is read, and never beyond the end."""

    def __init__(self, name: str, mapped: mmap.mmap) -> None:
        self.name = name
        self.size = len(mapped)
        self.at = 0
        self._mapped = mapped

    @property
    def left(self) -> int:
        return self.size - self.at

    def broken(self, what: str) -> ModelError:
        return ModelError(f"{self.name} is a broken GGUF file: {what}", hint=_AGAIN)

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise ModelError(
                f"{self.name} is cut short or broken: {length:,} more bytes are asked for at byte {self.at:,}"
                f" of {self.size:,}",
                hint=_AGAIN,
            )
        self.at += length
        return self._mapped[self.at - length : self.at]

    def unpack(self, form: str) -> int:
        """One whole number."""
        (number,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(number)

    def string(self) -> str:
        length = self.unpack("<Q")
        if length > _LONGEST_STRING:
            raise self.broken(f"a text of {length:,} bytes")
        return self.take(length).decode("utf-8", "replace")

    def value(self, code: int) -> Value:
        """One value of the type `code`."""
        if code == _STRING:
            return self.string()
        if code == _ARRAY:
            return self._array()
        number: int | float | bool = self._numbers(code, 1)[0].item()
        return number

    def _array(self) -> list[str] | npt.NDArray[np.generic]:
        code, count = self.unpack("<I"), self.unpack("<Q")
        refuse_more(count, _MOST_ENTRIES, f"{self.name} holds an array of {{}} entries")
        return self._strings(count) if code == _STRING else self._numbers(code, count)

    def _numbers(self, code: int, count: int) -> npt.NDArray[np.generic]:
        if code not in _NUMBERS:
            raise self.broken(f"metadata of type {code}")
        dtype = np.dtype(_NUMBERS[code])
        return np.frombuffer(self.take(count * dtype.itemsize), dtype=dtype)

    def _strings(self, count: int) -> list[str]:
        """Half a million of them in a vocabulary, so without a call for each part of each."""
        unpack, mapped, size, at = struct.Struct("<Q").unpack_from, self._mapped, self.size, self.at
        found: list[str] = []
        for _ in range(count):
            if at + 8 > size:
                self.take(size)
            end = at + 8 + unpack(mapped, at)[0]
            if end > size:
                self.take(size)
            found.append(mapped[at + 8 : end].decode("utf-8", "replace"))
            at = end
        self.at = at
        return found
