"""The tensors of a model in one or several GGUF files, dequantised one at a time and only when asked for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from gguf.constants import GGMLQuantizationType

from explorer.engine.models.checkpoints.gguf_header import GgufHeader, read_gguf_header
from explorer.engine.models.checkpoints.weight_files import Hashed, StoredTensor, digest_stored
from explorer.engine.models.errors import ModelError
from explorer.engine.models.first_import import TRANSFORMERS, import_heard

if TYPE_CHECKING:
    import torch
    from torch import Tensor

INPUT, OUTPUT, OUTPUT_BIAS = "token_embd.weight", "output.weight", "output.bias"
"""llama.cpp's names of the matrices and of the head's bias."""
_PLAIN = ("F32", "F16", "BF16", "F64")
_WHOLE_NUMBERS = ("I8", "I16", "I32", "I64")
_CHUNK = 1 << 20
"""Numbers dequantised at once: 4 MiB of float32."""


class GgufFiles:
    """The tensors of a GGUF model by llama.cpp's names. Implements `WeightFiles`."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Raises `ModelError` as `read_gguf_header` does, and where two files hold a tensor of the same name."""
        headers = [read_gguf_header(file) for file in files]
        self.header: GgufHeader = headers[0]
        """Of the first file, which alone has the metadata of a split model."""
        self.tensors: dict[str, StoredTensor] = {}
        for header in headers:
            if twice := self.tensors.keys() & header.tensors.keys():
                raise ModelError(f"{header.file.name} holds {min(twice)[:60]!r}, which another of its files holds too")
            self.tensors |= header.tensors
        counted = self.header.number("split.tensors.count")
        if counted is not None and counted != len(self.tensors):
            raise ModelError(
                f"{self.header.file.name} speaks of {counted:,} tensors, but there are {len(self.tensors):,}",
                hint="Name the first of the model's files, and keep all of them in one folder.",
            )

    @property
    def names(self) -> Sequence[str]:
        return sorted(self.tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name].shape

    def kind(self, name: str) -> str:
        """How the numbers of a tensor are written: `Q8_0`, `F16`."""
        return self.tensors[name].dtype

    def is_quantised(self, name: str) -> bool:
        """Whether a tensor must be dequantised, and is not mapped from the disk as it stands."""
        return self.kind(name) not in _PLAIN

    def tensor(self, name: str) -> Tensor:
        """The tensor on the CPU: in its own dtype where it is not quantised, else dequantised to float32, by blocks of
        rows. Raises `ModelError` for kinds that cannot be dequantised here."""
        stored = self.tensors[name]
        if not self.is_quantised(name):
            return _read_plain(stored)
        if stored.dtype in _WHOLE_NUMBERS:
            raise ModelError(f"{name} holds whole numbers ({stored.dtype}), which are not read")
        return _dequantise(stored)

    def n_elements(self) -> int:
        """Numbers in all tensors together, once dequantised."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())

    def digest(self, names: Iterable[str] | None = None, hashed: Hashed | None = None) -> str:
        """See `WeightFiles.digest`; of the bytes as they stand in the file."""
        return digest_stored({name: self.tensors[name] for name in (self.tensors if names is None else names)}, hashed)

    def quantisation(self) -> str:
        """How the weights are quantised: 'embeddings Q8_0, blocks Q4_1'; empty where nothing is.

        Of the blocks only matrices count, the kind of most numbers first.
        """
        ends = [self.kind(name) for name in (INPUT, OUTPUT) if name in self.tensors]
        sizes: Counter[str] = Counter()
        for name, tensor in self.tensors.items():
            if name not in (INPUT, OUTPUT) and len(tensor.shape) > 1:
                sizes[tensor.dtype] += math.prod(tensor.shape)
        blocks = [kind for kind, _ in sizes.most_common()]
        if set(ends + blocks) <= set(_PLAIN):
            return ""
        parts = (("embeddings", dict.fromkeys(ends)), ("blocks", blocks))
        return ", ".join(f"{part} {' '.join(kinds)}" for part, kinds in parts if kinds)


def _mapped(stored: StoredTensor) -> npt.NDArray[np.uint8]:
    """The bytes of a tensor, one row of bytes for each row of numbers, not read yet; a change stays in memory."""
    flat = np.memmap(stored.file, np.uint8, "c", stored.begin, (stored.end - stored.begin,))
    return flat.reshape(math.prod(stored.shape[:-1]), -1)


def _read_plain(stored: StoredTensor) -> Tensor:
    import torch

    dtype = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}[stored.dtype]
    return torch.from_numpy(_mapped(stored)).reshape(-1).view(dtype).reshape(stored.shape)


def _dequantise(stored: StoredTensor) -> Tensor:
    """The numbers in float32, a few rows at a time, so that nothing else of their size is held."""
    import torch

    import_heard(TRANSFORMERS)
    kind = GGMLQuantizationType[stored.dtype]
    rows, width = math.prod(stored.shape[:-1]), stored.shape[-1]
    row_bytes = (stored.end - stored.begin) // rows
    numbers = torch.empty(rows, width)
    step = max(1, _CHUNK // width)
    with stored.file.open("rb") as stream:  # and not mapped: what is read once would count as memory held
        stream.seek(stored.begin)
        for first in range(0, rows, step):
            count = min(step, rows - first)
            raw = np.fromfile(stream, np.uint8, count * row_bytes).reshape(count, row_bytes)
            numbers[first : first + count] = dequantise_rows(raw, kind)
    return numbers.reshape(stored.shape)


def dequantise_rows(rows: npt.NDArray[np.uint8], kind: GGMLQuantizationType) -> torch.Tensor:
    """Rows of bytes as rows of float32 numbers; raises `ModelError` for a kind that no library here dequantises.

    transformers' functions are six times as fast as gguf's and give the same numbers, but know fewer kinds.
    """
    import gguf
    import torch
    from transformers.integrations.gguf import dequant

    if int(kind) in dequant.GGML_BLOCK:
        values: torch.Tensor = dequant.dequantize(torch.from_numpy(rows).reshape(-1), int(kind))
        return values.reshape(len(rows), -1)
    try:
        return torch.from_numpy(gguf.dequantize(rows, kind)).reshape(len(rows), -1)
    except NotImplementedError as error:
        raise ModelError(
            f"weights of type {kind.name} cannot be read: the gguf package does not dequantise them",
            hint="Take a file quantised another way, such as Q8_0 or Q4_K_M.",
        ) from error
