"""A checkpoint's embedding matrices and head bias, straight out of its files, without building the model.

Which tensors they are is asked of the architecture itself: the model is built on torch's `meta` device,
where it takes no memory, and its input and output modules are looked up by name in the checkpoint.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from explorer.engine.models.abilities import Embeddings
from explorer.engine.models.checkpoints.tokenizer_files import read_json
from explorer.engine.models.checkpoints.weight_files import WeightFiles
from explorer.engine.models.errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

_OTHER_HEAD_NAMES = ("lm_head.weight", "embed_out.weight", "output.weight", "head.weight")
"""What checkpoints call the head where the architecture's module is named otherwise (GPT-NeoX: `embed_out`)."""


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


@dataclass(frozen=True)
class _Skeleton:
    """What the architecture says of its matrices."""

    input: str
    shape: tuple[int, ...]
    output: str | None
    biases: tuple[str, ...]
    """Every name of the head's bias."""
    tied: bool
    base_prefix: str


def read_config(directory: Path) -> PreTrainedConfig:
    """The model configuration in `directory`.

    Raises `ModelError` where there is none, where it asks for code of its own (never run), and where
    transformers does not know the model type.
    """
    if not directory.is_dir():
        raise ModelError(f"there is no directory {directory}", hint="Check the path; a hub id has the form org/name.")
    if not (directory / "config.json").is_file():
        raise ModelError(
            f"{directory} has no config.json", hint="A Hugging Face model directory is needed (save_pretrained)."
        )
    plain = read_json(directory / "config.json")
    if "auto_map" in plain:
        raise ModelError(
            f"{directory.name} asks for code of its own (auto_map in config.json), which is never run",
            hint="Use a model whose architecture transformers itself knows.",
        )
    from transformers import AutoConfig

    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            str(directory), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # a stranger's file meets many validators, each with an error of its own
        raise _unusable(directory.name, plain.get("model_type"), error) from error
    return config


def _unusable(name: str, model_type: object, error: Exception) -> ModelError:
    from transformers import CONFIG_MAPPING

    if isinstance(model_type, str) and model_type not in CONFIG_MAPPING:
        return ModelError(
            f"{name}: the installed transformers knows no model_type {model_type[:40]!r}",
            hint="A newer transformers may know it.",
        )
    said = shorten(str(error), 200, placeholder=" …")
    return ModelError(f"config.json of {name} cannot be used: {said}", hint="Correct it, or get it again.")


def architecture_class(config: PreTrainedConfig) -> type[PreTrainedModel]:
    """The transformers class that the configuration names, else the causal language model of its type."""
    import transformers

    for name in config.architectures or ():
        found = getattr(transformers, name, None)
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
            return found
    for mapping in (transformers.MODEL_FOR_CAUSAL_LM_MAPPING, transformers.MODEL_MAPPING):
        if type(config) in mapping:
            known: Any = mapping[type(config)]
            chosen: type[PreTrainedModel] = known[0] if isinstance(known, tuple) else known
            return chosen
    raise ModelError(
        f"transformers has no model for {config.architectures or config.model_type}",
        hint="A newer transformers may know it.",
    )


def find_embeddings(config: PreTrainedConfig, names: Sequence[str]) -> EmbeddingNames:
    """Which of the checkpoint's tensor `names` are the matrices; raises `ModelError` when unsure."""
    return _find(_skeleton(config), names)


def _find(skeleton: _Skeleton, names: Sequence[str]) -> EmbeddingNames:
    stored = frozenset(names)
    found_input = _match([skeleton.input], stored, skeleton.base_prefix)
    found_output = None
    if skeleton.output is not None:
        found_output = _match([skeleton.output], stored, skeleton.base_prefix) or _other_head(stored)
        if skeleton.tied:
            found_input, found_output = found_input or found_output, found_output or found_input
    if found_input is None:
        raise ModelError(f"no input embedding in the checkpoint: {skeleton.input} is not there")
    if skeleton.output is not None and found_output is None:
        raise ModelError(
            f"no output embedding in the checkpoint: {skeleton.output} is not there, and the config does not tie it",
            hint="The weights of a base model without its head? Set tie_word_embeddings if they are tied.",
        )
    bias = _match(skeleton.biases, stored, skeleton.base_prefix)
    if skeleton.biases and bias is None:
        raise ModelError(f"the head's bias {skeleton.biases[0]} is not in the checkpoint")
    return EmbeddingNames(input=found_input, output=found_output, output_bias=bias)


def read_embeddings(config: PreTrainedConfig, weights: WeightFiles) -> tuple[Embeddings, EmbeddingNames]:
    """The raw matrices in their stored dtype, memory-mapped on the CPU, and what they are called.

    Where the config ties them but the checkpoint holds two different ones, they are untied, as transformers
    loads them. Raises `ModelError` where they cannot be told or have another shape than the config says.
    """
    import torch

    skeleton = _skeleton(config)
    names = _find(skeleton, weights.names)
    matrix = _checked(weights, names.input, skeleton.shape)
    output: torch.Tensor | None = None
    if names.output is not None:
        output = matrix
        if names.output != names.input:
            output = _checked(weights, names.output, skeleton.shape)
            if skeleton.tied and torch.equal(output, matrix):
                output, names = matrix, replace(names, output=names.input)
    bias = None if names.output_bias is None else _checked(weights, names.output_bias, skeleton.shape[:1])
    return Embeddings(input=matrix, output=output, output_bias=bias, tied=output is matrix), names


def _skeleton(config: PreTrainedConfig) -> _Skeleton:
    """Build the architecture on the meta device and look at its two ends."""
    import torch

    model_class = architecture_class(config)
    try:
        with torch.device("meta"):
            model = model_class(config)
        embedding = model.get_input_embeddings()
        shape = tuple(embedding.weight.shape)
    except Exception as error:  # the numbers in a stranger's config can break a model in any way
        raise ModelError(
            f"a {model_class.__name__} cannot be built from this config: {' '.join(str(error).split())[:300]}",
            hint="Compare config.json with the original.",
        ) from error
    head = model.get_output_embeddings()
    modules = {id(module): name for name, module in model.named_modules()}
    parameters = list(model.named_parameters(remove_duplicate=False))
    bias = getattr(head, "bias", None)
    return _Skeleton(
        input=f"{modules[id(embedding)]}.weight",
        shape=shape,
        output=None if head is None else f"{modules[id(head)]}.weight",
        biases=tuple(name for name, parameter in parameters if bias is not None and parameter is bias),
        tied=head is not None and head.weight is embedding.weight,
        base_prefix=model.base_model_prefix,
    )


def _match(candidates: Sequence[str], stored: Collection[str], base_prefix: str) -> str | None:
    """The stored name of a parameter that the architecture knows as any of `candidates`: the same name, or
    with or without the base model's prefix, or the only one with the same tail."""
    spelled = [*candidates]
    if base_prefix:
        spelled += [name.removeprefix(f"{base_prefix}.") for name in candidates]
        spelled += [f"{base_prefix}.{name}" for name in candidates]
    for name in spelled:
        if name in stored:
            return name
    tails = {key for name in candidates for key in stored if key.endswith(f".{name}") or name.endswith(f".{key}")}
    return tails.pop() if len(tails) == 1 else None


def _other_head(stored: Collection[str]) -> str | None:
    found = [name for name in _OTHER_HEAD_NAMES if name in stored]
    return found[0] if len(found) == 1 else None


def _checked(weights: WeightFiles, name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The tensor, if it has the shape that the config gives it and floating-point numbers."""
    stored = weights.shape(name)
    if stored != shape:
        raise ModelError(
            f"{name} has shape {list(stored)} in the weights but {list(shape)} by config.json",
            hint="Config and weights are of different models.",
        )
    tensor = weights.tensor(name)
    if not tensor.is_floating_point():
        raise ModelError(f"{name} holds {tensor.dtype}: quantised embeddings are not supported")
    return tensor
