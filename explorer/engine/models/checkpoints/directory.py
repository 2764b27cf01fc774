"""A checkpoint's embedding matrices and head bias, straight out of its files, without building the model.

Which tensors they are is asked of the architecture itself: the model is built on torch's `meta` device,
where it takes no memory, and its input and output modules are looked up by name in the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import msgspec

from explorer.engine.models.abilities import Embeddings
from explorer.engine.models.checkpoints.architecture import Architecture
from explorer.engine.models.checkpoints.folders import refuse_pointers, without_config
from explorer.engine.models.checkpoints.limits import check_folder, refuse_many_parts
from explorer.engine.models.checkpoints.tokenizer_files import read_json
from explorer.engine.models.checkpoints.typed_json import as_typed
from explorer.engine.models.checkpoints.weight_files import WeightFiles
from explorer.engine.models.errors import ModelError
from explorer.engine.models.first_import import MODELLING, import_heard

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig


class ConfigFile(msgspec.Struct):
    """What is read of config.json here; the rest is transformers' own business."""

    model_type: str | None = None
    architectures: list[str] | None = None
    auto_map: dict[str, Any] | None = None
    quantization_config: dict[str, Any] | None = None
    text_config: dict[str, Any] | None = None
    """The parts of a multimodal config are typed as it is itself (`read_config`)."""


@dataclass(frozen=True)
class EmbeddingNames:
    """The names of the matrices in the checkpoint."""

    input: str
    output: str | None
    """The same as `input` where tied; None where the architecture has no head."""
    output_bias: str | None

    @property
    def needed(self) -> frozenset[str]:
        return frozenset(name for name in (self.input, self.output, self.output_bias) if name is not None)


def read_config(directory: Path) -> PreTrainedConfig:
    """The model configuration in `directory`.

    Code of its own (`auto_map`) is never run: transformers' own class of that model type is taken. Raises `ModelError`
    where there is no config, where transformers does not know the model type, and where its values are of wrong types.
    """
    if not directory.is_dir():
        raise ModelError(f"there is no directory {directory}", hint="Check the path; a hub id has the form org/name.")
    if not (directory / "config.json").is_file():
        raise without_config(directory)
    check_folder(directory)
    refuse_pointers(directory)
    values = read_json(directory / "config.json")
    plain = as_typed(values, ConfigFile, directory / "config.json")
    if plain.text_config is not None:
        as_typed(plain.text_config, ConfigFile, directory / "config.json")
    refuse_many_parts(values, "config.json")
    import_heard(MODELLING)
    from transformers import AutoConfig

    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            str(directory), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # a stranger's file meets many validators, each with an error of its own
        raise _unusable(directory.name, plain, error) from error
    return config


def _unusable(name: str, plain: ConfigFile, error: Exception) -> ModelError:
    from transformers import CONFIG_MAPPING

    if plain.model_type is not None and plain.model_type not in CONFIG_MAPPING:
        if plain.auto_map:
            return ModelError(
                f"{name} asks for code of its own (auto_map in config.json), which is never run, and the installed "
                f"transformers knows no model_type {plain.model_type[:40]!r}",
                hint="Use a model whose architecture transformers itself knows.",
            )
        return ModelError(
            f"{name}: the installed transformers knows no model_type {plain.model_type[:40]!r}",
            hint="A newer transformers may know it.",
        )
    said = shorten(str(error), 200, placeholder=" …")
    return ModelError(f"config.json of {name} cannot be used: {said}", hint="Correct it, or get it again.")


def find_embeddings(architecture: Architecture, names: Sequence[str], *, needs_head: bool = True) -> EmbeddingNames:
    """Which of the checkpoint's tensor `names` are the matrices; raises `ModelError` when unsure.

    Without `needs_head` a checkpoint that lacks the head's matrix or bias is one of which only the input is known.
    """
    skeleton = architecture.skeleton
    stored = {parameter: name for name, parameter in skeleton.rename(names).items()}
    found_input = _first(skeleton.inputs, stored)
    found_output = None if skeleton.output is None else stored.get(skeleton.output)
    if skeleton.tied:
        found_input, found_output = found_input or found_output, found_output or found_input
    if found_input is None:
        raise ModelError(
            f"no input embedding in the checkpoint: {skeleton.inputs[0]} is not there",
            hint=f"Config and weights are of different models: config.json says {architecture.name}.",
        )
    if needs_head and skeleton.output is not None and found_output is None:
        raise ModelError(
            f"no output embedding in the checkpoint: {skeleton.output} is not there, and the config does not tie it",
            hint="The weights of a base model without its head? Set tie_word_embeddings if they are tied; "
            "its geometry can be explored with weights:.",
        )
    bias = _first(skeleton.biases, stored) if found_output is not None else None
    if needs_head and skeleton.biases and bias is None:
        raise ModelError(f"the head's bias {skeleton.biases[0]} is not in the checkpoint")
    return EmbeddingNames(input=found_input, output=found_output, output_bias=bias)


def read_embeddings(
    architecture: Architecture, weights: WeightFiles, *, needs_head: bool = True
) -> tuple[Embeddings, EmbeddingNames]:
    """The raw matrices in their stored dtype, memory-mapped on the CPU, and what they are called.

    Where the config ties them but the checkpoint holds two different ones, they are untied, as transformers
    loads them. Where one has more rows than the other, the other gets rows of NaN for the tokens that it lacks.
    Raises `ModelError` as `find_embeddings` does, and where they have another shape than the config says.
    """
    import torch

    skeleton = architecture.skeleton
    names = find_embeddings(architecture, weights.names, needs_head=needs_head)
    matrix = _checked(weights, names.input, skeleton.input_shape)
    output: torch.Tensor | None = None
    if names.output is not None:
        output = matrix
        if names.output != names.input:
            output = _checked(weights, names.output, skeleton.output_shape or ())
            if skeleton.tied and torch.equal(output, matrix):
                output, names = matrix, replace(names, output=names.input)
    bias = None
    if names.output_bias is not None:
        bias = _checked(weights, names.output_bias, (skeleton.output_shape or ())[:1])
    tied = output is matrix
    if output is not None and not tied:
        return _level(matrix, output, bias), names
    return Embeddings(input=matrix, output=output, output_bias=bias, tied=tied), names


def _level(matrix: torch.Tensor, output: torch.Tensor, bias: torch.Tensor | None) -> Embeddings:
    """As many rows of both: NaN, and a bias of minus infinity, for tokens that one of the matrices lacks."""
    inputs, outputs = len(matrix), len(output)
    rows = max(inputs, outputs)
    return Embeddings(
        input=_with_rows(matrix, rows, math.nan),
        output=_with_rows(output, rows, math.nan),
        output_bias=None if bias is None else _with_rows(bias, rows, -math.inf),
        tied=False,
        input_rows=inputs if inputs < rows else None,
        output_rows=outputs if outputs < rows else None,
    )


def _first(candidates: Sequence[str], stored: Mapping[str, str]) -> str | None:
    return next((stored[name] for name in candidates if name in stored), None)


def _with_rows(matrix: torch.Tensor, rows: int, filling: float) -> torch.Tensor:
    """The matrix, or vector, with rows of `filling` added up to `rows`; itself where it has as many."""
    import torch

    lacking = rows - len(matrix)
    return matrix if not lacking else torch.cat([matrix, matrix.new_full((lacking, *matrix.shape[1:]), filling)])


def _checked(weights: WeightFiles, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The tensor, if it has the shape that the config gives it and floating-point numbers."""
    stored = weights.shape(name)
    if beside := _packed_beside(weights.names, name):
        raise ModelError(
            f"{name} is packed ({weights.dtype(name)}, {beside} beside it): quantised embeddings are not supported",
            hint="Take the original checkpoint, or one whose embeddings are not quantised.",
        )
    if math.prod(stored) == 0:
        raise ModelError(
            f"{name} is empty in the weights: an empty placeholder, as DeepSpeed ZeRO-3 leaves them where it saves "
            "only its own part",
            hint="Gather the weights with DeepSpeed's zero_to_fp32.py, then save them again.",
        )
    if stored != shape:
        raise ModelError(
            f"{name} has shape {list(stored)} in the weights but {list(shape)} by config.json",
            hint="Config and weights are of different models.",
        )
    tensor = weights.tensor(name)
    if not tensor.is_floating_point():
        raise ModelError(f"{name} holds {weights.dtype(name)}: quantised embeddings are not supported")
    return tensor.bfloat16() if tensor.dtype.itemsize == 1 else tensor  # float8 fits bfloat16 exactly


def _packed_beside(names: Sequence[str], name: str) -> str | None:
    """What stands beside a packed matrix to unpack it: its scales. None for a plain one."""
    base = name.removesuffix(".weight")
    found = [other for other in names if other.startswith(f"{base}.") and "scale" in other[len(base) :]]
    return found[0][len(base) :] if found else None
