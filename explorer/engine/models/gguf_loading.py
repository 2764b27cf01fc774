"""From GGUF files to a model in memory: what `explorer.engine.models.loading` is for Hugging Face directories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from explorer.base.records.models import ModelInfo
from explorer.engine.models.abilities import Embeddings
from explorer.engine.models.checkpoints.architecture import Architecture, causal_architecture
from explorer.engine.models.checkpoints.gguf_config import GEOMETRY, is_new_style, read_gguf_config
from explorer.engine.models.checkpoints.gguf_files import INPUT, OUTPUT, OUTPUT_BIAS, GgufFiles
from explorer.engine.models.checkpoints.gguf_model import convert_tensors, divide_frequencies, load_by_transformers
from explorer.engine.models.checkpoints.gguf_tokenizer import read_gguf_tokenizer
from explorer.engine.models.describing import describe_checkpoint, describe_matrices, describe_running
from explorer.engine.models.errors import ModelError
from explorer.engine.models.filling import ONE_BUILD_AT_A_TIME, fill_with
from explorer.engine.models.loading import DtypeChoice, check_same, choose_device, choose_dtype
from explorer.engine.models.local import EmbeddingsOnly, LocalModel
from explorer.engine.models.out_of_memory import out_of_memory_as_failure
from explorer.engine.models.source import OWN_TOKENIZER, Progress, TokenizerChoice
from explorer.engine.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_WITHOUT_HEAD = frozenset({"clip", "t5encoder", "wavtokenizer-dec"})
"""Architectures that give no next token, beside every kind of `bert`. Of others without `output.weight` the
head is the input embedding, as in llama.cpp."""


def load_gguf(
    files: Sequence[Path],
    *,
    name: str,
    source: str,
    revision: str = "",
    dtype: DtypeChoice = "auto",
    device: str = "auto",
    choice: TokenizerChoice = OWN_TOKENIZER,
    progress: Progress | None = None,
) -> LocalModel:
    """The causal language model in GGUF files, dequantised and ready to run. Raises `ModelError` for every fault of the
    files, for architectures that transformers does not load from GGUF files, and where memory runs out."""
    weights = _open(files)
    architecture = _causal(weights)
    chosen_device = choose_device(device)
    chosen_dtype = choose_dtype(dtype, chosen_device)
    matrices = _read_matrices(weights)
    embeddings = _embeddings(weights, matrices)
    if embeddings.output is None:
        raise ModelError(f"{weights.header.file.name} has no language-model head", hint=GEOMETRY)
    vocabulary = _read_vocabulary(weights, choice)
    digest = weights.digest(hashed=(lambda done, total: progress(done, total, "bytes hashed")) if progress else None)
    with out_of_memory_as_failure(chosen_device, f"the weights of {name}"):
        hf = _fill(weights, architecture, chosen_dtype, matrices).to(chosen_device).eval()
    check_same(hf, embeddings)
    base = _describe(
        weights, embeddings, vocabulary, name=name, source=source, revision=revision, architecture=type(hf).__name__
    )
    info = describe_running(base, hf, chosen_dtype, chosen_device, digest)
    return LocalModel(hf, vocabulary, embeddings, info, weights.header.file.parent).probed()


def load_gguf_embeddings(
    files: Sequence[Path], *, name: str, source: str, revision: str = "", choice: TokenizerChoice = OWN_TOKENIZER
) -> EmbeddingsOnly:
    """Only the matrices and the vocabulary in GGUF files, of any architecture; nothing else is dequantised.

    `info.weights_digest` is of the bytes of these matrices alone.
    """
    weights = _open(files)
    matrices = _read_matrices(weights)
    embeddings = _embeddings(weights, matrices)
    vocabulary = _read_vocabulary(weights, choice)
    base = _describe(weights, embeddings, vocabulary, name=name, source=source, revision=revision)
    info = describe_matrices(base, list(matrices.values()), weights.digest(matrices))
    return EmbeddingsOnly(vocabulary, embeddings, info)


def _causal(weights: GgufFiles) -> Architecture:
    """The causal language model in the files; raises `ModelError` for those that do not continue a text."""
    config = read_gguf_config(weights)
    if (found := causal_architecture(config)) is not None:
        return found
    raise ModelError(
        f"{weights.header.file.name} is not a causal language model ({config.model_type}), so it cannot be run",
        hint=GEOMETRY,
    )


def _fill(
    weights: GgufFiles, architecture: Architecture, dtype: torch.dtype, matrices: dict[str, torch.Tensor]
) -> PreTrainedModel:
    if is_new_style(weights.header):
        with ONE_BUILD_AT_A_TIME:
            return load_by_transformers(weights, architecture, dtype)
    tensors = convert_tensors(weights, architecture, dtype, matrices)
    model = fill_with(architecture, tensors, dtype, weights.header.file.name)
    divide_frequencies(weights, model)
    return model


def gguf_size(files: Sequence[Path], dtype: torch.dtype) -> int:
    """Bytes that the model takes once it is dequantised to `dtype`."""
    return GgufFiles(files).n_elements() * dtype.itemsize


def gguf_matrices_size(files: Sequence[Path]) -> int:
    """Bytes that the matrices take once they are dequantised to float32; those that are not quantised stay on disk."""
    weights = _open(files)
    return 4 * sum(math.prod(weights.shape(name)) for name in _matrix_names(weights) if weights.is_quantised(name))


def _matrix_names(weights: GgufFiles) -> list[str]:
    return [name for name in (INPUT, OUTPUT, OUTPUT_BIAS) if name in weights.tensors]


def _open(files: Sequence[Path]) -> GgufFiles:
    """The tensors; raises `ModelError` where they are no language model's, or the matrices do not fit each other."""
    weights = GgufFiles(files)
    if INPUT not in weights.tensors:
        raise ModelError(
            f"{weights.header.file.name} has no {INPUT}: it holds no language model",
            hint="Take the model's own GGUF file, not an adapter's or an image encoder's.",
        )
    shape = weights.shape(INPUT)
    for name, wanted in ((INPUT, shape), (OUTPUT, shape), (OUTPUT_BIAS, shape[:1])):
        if name in weights.tensors and (len(shape) != 2 or weights.shape(name) != wanted):
            raise ModelError(f"{name} has shape {list(weights.shape(name))}, and {INPUT} {list(shape)}")
    return weights


def _read_matrices(weights: GgufFiles) -> dict[str, torch.Tensor]:
    """The matrices and the head's bias by llama.cpp's names, as far as they are there."""
    with out_of_memory_as_failure(torch.device("cpu"), "the dequantised matrices"):
        return {name: weights.tensor(name) for name in _matrix_names(weights)}


def _embeddings(weights: GgufFiles, matrices: dict[str, torch.Tensor]) -> Embeddings:
    """The matrices; tied where the file has no `output.weight`, as llama.cpp takes it."""
    matrix = matrices[INPUT]
    output = matrices.get(OUTPUT)
    if output is None:
        output = matrix if _has_head(weights.header.architecture) else None
    elif output.dtype == matrix.dtype and torch.equal(output, matrix):
        output = matrix
    return Embeddings(input=matrix, output=output, output_bias=matrices.get(OUTPUT_BIAS), tied=output is matrix)


def _has_head(architecture: str) -> bool:
    return architecture not in _WITHOUT_HEAD and "bert" not in architecture


def _read_vocabulary(weights: GgufFiles, choice: TokenizerChoice) -> Vocabulary:
    rows = weights.shape(INPUT)[0]
    if choice.directory is not None:
        return Vocabulary.from_directory(choice.directory, rows, choice)
    found = read_gguf_tokenizer(weights.header)
    vocabulary = Vocabulary(found.tokenizer, rows, found.eos_ids, choice.day, pieces=found.pieces)
    vocabulary.notes += found.notes
    vocabulary.marked_unused = found.unused
    return vocabulary


def _describe(
    weights: GgufFiles,
    embeddings: Embeddings,
    vocabulary: Vocabulary,
    *,
    name: str,
    source: str,
    revision: str,
    architecture: str = "",
) -> ModelInfo:
    header = weights.header
    return describe_checkpoint(
        embeddings,
        vocabulary,
        name=name,
        source=source,
        revision=revision,
        architecture=architecture or header.architecture,
        n_layers=header.of_architecture("block_count"),
        context=header.of_architecture("context_length"),
        quantisation=weights.quantisation(),
    )
