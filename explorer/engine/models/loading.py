"""From a resolved directory to a model in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from explorer.base.records.models import ModelInfo
from explorer.engine.models.abilities import Embeddings
from explorer.engine.models.checkpoints.architecture import Architecture, causal_architecture, named_architecture
from explorer.engine.models.checkpoints.directory import read_config, read_embeddings
from explorer.engine.models.checkpoints.opening import open_weights
from explorer.engine.models.describing import describe_checkpoint, describe_matrices, describe_running
from explorer.engine.models.errors import ModelError
from explorer.engine.models.filling import fill_model
from explorer.engine.models.local import EmbeddingsOnly, LocalModel
from explorer.engine.models.out_of_memory import out_of_memory_as_failure
from explorer.engine.models.source import OWN_TOKENIZER, Progress, TokenizerChoice
from explorer.engine.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DtypeChoice = Literal["auto", "float32", "bfloat16", "float16"]
_ONLY_WEIGHTS = "Its geometry can be explored: put 'weights:' before the source, as in weights:{}."
_ROWS_COMPARED = 64
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length", "context_length")


def choose_device(device: str) -> torch.device:
    """The torch device for `auto`, `cpu`, `cuda` or `cuda:N`; raises `ModelError` where it is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"{device!r} is not a device", hint="Use auto, cpu, cuda or cuda:N.") from error
    if chosen.type not in ("cpu", "cuda"):
        raise ModelError(f"device {device!r} is not supported", hint="Use auto, cpu, cuda or cuda:N.")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ModelError(
            f"device {device!r} is not there: torch sees {torch.cuda.device_count()} CUDA devices",
            hint="Use --device cpu, or install torch with CUDA.",
        )
    return chosen


def choose_dtype(dtype: DtypeChoice, device: torch.device) -> torch.dtype:
    """The dtype to run in; `auto`: float32 on the CPU, bfloat16 on CUDA, float16 where it has no bfloat16."""
    if dtype == "auto":
        if device.type == "cpu":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    chosen = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}.get(dtype)
    if chosen is None:
        raise ModelError(f"{dtype!r} is not a dtype", hint="Use auto, float32, bfloat16 or float16.")
    return chosen


def load_model(
    directory: Path,
    *,
    name: str,
    source: str,
    revision: str = "",
    dtype: DtypeChoice = "auto",
    device: str = "auto",
    allow_pickle: bool = False,
    choice: TokenizerChoice = OWN_TOKENIZER,
    progress: Progress | None = None,
) -> LocalModel:
    """The causal language model in `directory`, ready to run. Raises `ModelError` for every fault of the
    directory (see `read_config`, `open_weights`, `load_tokenizer`), for encoders, for weights that leave parts
    of the model unset, and where memory runs out."""
    architecture = _causal(directory, source)
    weights = open_weights(directory, allow_pickle=allow_pickle)
    chosen_device = choose_device(device)
    chosen_dtype = choose_dtype(dtype, chosen_device)
    embeddings, _ = read_embeddings(architecture, weights)
    if embeddings.output is None:
        raise ModelError(f"{directory.name} has no language-model head", hint=_ONLY_WEIGHTS.format(source))
    vocabulary = Vocabulary.from_directory(directory, embeddings.input.shape[0], choice)
    digest = weights.digest(hashed=(lambda done, total: progress(done, total, "bytes hashed")) if progress else None)
    with out_of_memory_as_failure(chosen_device, f"the weights of {name}"):
        hf = fill_model(architecture, weights, chosen_dtype, name)
        hf = hf.to(chosen_device).eval()
    check_same(hf, embeddings)
    base = _describe(architecture, embeddings, vocabulary, name=name, source=source, revision=revision)
    info = describe_running(base, hf, chosen_dtype, chosen_device, digest)
    return LocalModel(hf, vocabulary, embeddings, info, directory).probed()


def load_embeddings_only(
    directory: Path,
    *,
    name: str,
    source: str,
    revision: str = "",
    allow_pickle: bool = False,
    choice: TokenizerChoice = OWN_TOKENIZER,
) -> EmbeddingsOnly:
    """Only the matrices and the vocabulary of the checkpoint in `directory`, of any architecture.

    `info.weights_digest` is of these matrices alone: hashing all of a 70B checkpoint takes minutes.
    """
    architecture = named_architecture(read_config(directory))
    weights = open_weights(directory, allow_pickle=allow_pickle)
    embeddings, names = read_embeddings(architecture, weights, needs_head=False)
    vocabulary = Vocabulary.from_directory(directory, embeddings.input.shape[0], choice)
    held = [weights.tensor(part) for part in names.needed]
    base = _describe(architecture, embeddings, vocabulary, name=name, source=source, revision=revision)
    info = describe_matrices(base, held, weights.digest(names.needed))
    return EmbeddingsOnly(vocabulary, embeddings, info)


def check_same(hf: PreTrainedModel, embeddings: Embeddings) -> None:
    """Raise `ModelError` unless the matrices found in the checkpoint are those that the model runs with."""
    for found, module in (
        (embeddings.input, hf.get_input_embeddings()),
        (embeddings.output, hf.get_output_embeddings()),
    ):
        if found is None:
            continue
        used = module.weight[:_ROWS_COMPARED]
        wanted = found[:_ROWS_COMPARED].to(used)
        if not torch.equal(used.nan_to_num(), wanted.nan_to_num()):
            raise ModelError("the embedding matrices in the checkpoint are not the ones that the model runs with")


def _causal(directory: Path, source: str) -> Architecture:
    """The causal language model in `directory`; raises `ModelError` for models that do not continue a text."""
    config = read_config(directory)
    if (causal := causal_architecture(config)) is not None:
        return causal
    raise ModelError(
        f"{directory.name} is not a causal language model ({named_architecture(config).name}), so it cannot be run",
        hint=_ONLY_WEIGHTS.format(source),
    )


def _describe(
    architecture: Architecture,
    embeddings: Embeddings,
    vocabulary: Vocabulary,
    *,
    name: str,
    source: str,
    revision: str,
) -> ModelInfo:
    text_config = architecture.config.get_text_config()
    contexts = (getattr(text_config, key, None) for key in _CONTEXT_KEYS)
    layers = getattr(text_config, "num_hidden_layers", None)
    return describe_checkpoint(
        embeddings,
        vocabulary,
        name=name,
        source=source,
        revision=revision,
        architecture=architecture.name,
        n_layers=layers if isinstance(layers, int) else 0,
        context=next((length for length in contexts if isinstance(length, int) and length > 0), 0),
    )
