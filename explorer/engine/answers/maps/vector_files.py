"""Vectors from a file that a user names: read without running anything that it holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from explorer.base.errors import UsageError, one_line
from explorer.base.text import visible
from explorer.engine.models.checkpoints.weight_files import read_header
from explorer.engine.models.errors import ModelError

MOST_VECTORS = 50
MOST_BYTES = 1 << 26
MOST_LABEL = 60
"""Characters."""
_NPY_HEADER = 10_000
_HINT = "Give a .safetensors or .npy file of floating-point numbers, one row or tensor a vector."


def read_vectors(file: Path, width: int) -> tuple[list[str], Float[Tensor, "n width"]]:
    """The vectors with their labels, float64. Raises `UsageError` where there is no such file, or it does not hold 1
    to `MOST_VECTORS` finite vectors of `width` numbers."""
    if not file.is_file():  # a pipe or a device might never end
        raise UsageError(f"there is no file {file.name}", hint=_HINT)
    if file.stat().st_size > MOST_BYTES:
        raise UsageError(f"{file.name} is larger than {MOST_BYTES >> 20} MiB", hint=_HINT)
    readers = {".npy": _read_npy, ".safetensors": _read_safetensors}
    if file.suffix.lower() not in readers:
        raise UsageError(f"{file.name} is no form of vectors", hint=_HINT)
    try:
        found = list(readers[file.suffix.lower()](file, width))
    except (ValueError, OSError, EOFError, TypeError) as error:
        raise UsageError(f"{file.name} cannot be read: {one_line(error)}", hint=_HINT) from error
    except ModelError as error:
        raise UsageError(error.message, hint=_HINT) from error
    rows = [(name, row) for name, rows in found for name, row in _named(name, rows)]
    if not 0 < len(rows) <= MOST_VECTORS:
        raise UsageError(f"{file.name} holds {len(rows):,} vectors: 1 to {MOST_VECTORS} are possible", hint=_HINT)
    vectors = torch.stack([row for _, row in rows])
    if not torch.isfinite(vectors).all():
        raise UsageError(f"{file.name} holds NaN or an infinity", hint=_HINT)
    return [name for name, _ in rows], vectors


def _named(name: str, rows: Float[Tensor, "n width"]) -> Iterator[tuple[str, Float[Tensor, " width"]]]:
    label = visible(name, spaces=False)
    label = label if len(label) <= MOST_LABEL else f"{label[: MOST_LABEL - 1]}…"
    for place, row in enumerate(rows):
        yield (label if len(rows) == 1 else f"{label}[{place}]"), row


def _check_shape(what: str, shape: tuple[int, ...], width: int) -> None:
    """Before anything is reserved for it. Raises `ValueError`."""
    if len(shape) not in (1, 2) or shape[-1] != width:
        sides = " × ".join(f"{side:,}" for side in shape) or "one number"
        raise ValueError(f"{what} is {sides}, and a row of this model has {width:,} numbers")
    if math.prod(shape[:-1]) > MOST_VECTORS:
        raise ValueError(f"{what} holds {shape[0]:,} vectors: 1 to {MOST_VECTORS} are possible")


def _read_npy(file: Path, width: int) -> Iterator[tuple[str, Float[Tensor, "n width"]]]:
    with file.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream, max_header_size=_NPY_HEADER)
        if dtype.kind != "f":
            raise ValueError(f"its numbers are {dtype}, not floating-point ones")
        _check_shape("the array", shape, width)
        stream.seek(0)
        array = np.lib.format.read_array(stream, allow_pickle=False)
    yield file.stem, torch.from_numpy(array.reshape(-1, width).astype(np.float64))


def _read_safetensors(file: Path, width: int) -> Iterator[tuple[str, Float[Tensor, "n width"]]]:
    from safetensors import SafetensorError, safe_open

    header = read_header(file)
    if len(header) > MOST_VECTORS:
        raise ValueError(f"it holds {len(header):,} tensors: 1 to {MOST_VECTORS} are possible")
    for name, stored in header.items():
        _check_shape(visible(name, spaces=False)[:MOST_LABEL], stored.shape, width)
    try:
        with safe_open(file, "pt") as tensors:
            for name in header:
                yield name, _floating(tensors.get_tensor(name)).reshape(-1, width).double()
    except SafetensorError as error:
        raise ValueError(one_line(error)) from error


def _floating(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        raise ValueError(f"its numbers are {tensor.dtype}, not floating-point ones")
    return tensor
