"""From GGUF files to a model in memory: what `explorer.engine.models.loading` is for Hugging Face directories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
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
from explorer.engine.models.describing import describe_checkpoint, describe_matrices
from explorer.engine.models.errors import ModelError
from explorer.engine.models.filling import ONE_BUILD_AT_A_TIME, fill_with
from explorer.engine.models.loading import DtypeChoice, begin_model, told_as_bytes
from explorer.engine.models.local import EmbeddingsOnly, LocalModel
from explorer.engine.models.out_of_memory import out_of_memory_as_failure
from explorer.engine.models.source import OWN_TOKENIZER, Progress, TokenizerChoice
from explorer.engine.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_WITHOUT_HEAD = frozenset({"clip", "t5encoder", "wavtokenizer-dec"})
"""Architectures that give no next token, beside every kind of `bert`. Of others without `output.weight` the
head is the input embedding, as in llama.cpp."""


class GgufModelFiles:
    """GGUF files of one model. Implements `ModelFiles`; every part raises `ModelError` for the faults that it meets."""

    def __init__(self, files: Sequence[Path], source: str, *, runs: bool, choice: TokenizerChoice) -> None:
        """`runs`: it must be a causal language model with its head, not only matrices."""
        self._files = files
        self._source = source
        self._runs = runs
        self._choice = choice

    @property
    def directory(self) -> Path:
        return self._files[0].parent

    @cached_property
    def weights(self) -> GgufFiles:
        return _open(self._files)

    @cached_property
    def architecture(self) -> Architecture:
        return _causal(self.weights)

    @cached_property
    def matrices(self) -> dict[str, torch.Tensor]:
        """See `_read_matrices`."""
        return _read_matrices(self.weights)

    @cached_property
    def embeddings(self) -> Embeddings:
        found = _embeddings(self.weights, self.matrices)
        if self._runs and found.output is None:
            raise ModelError(f"{self._files[0].name} has no language-model head", hint=GEOMETRY)
        return found

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return _read_vocabulary(self.weights, self._choice)

    def fill(self, dtype: torch.dtype) -> PreTrainedModel:
        """See `ModelFiles`."""
        return _fill(self.weights, self.architecture, dtype, self.matrices)

    def describe(self, *, name: str, revision: str) -> ModelInfo:
        """What metadata, matrices and tokenizer tell."""
        header = self.weights.header
        return describe_checkpoint(
            self.embeddings,
            self.vocabulary,
            name=name,
            source=self._source,
            revision=revision,
            architecture=self.architecture.name if self._runs else header.architecture,
            n_layers=header.of_architecture("block_count"),
            context=header.of_architecture("context_length"),
            quantisation=self.weights.quantisation(),
        )


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
    """The causal language model in GGUF files, dequantised and ready to run, or nearly (see `begin_model`). Raises
    `ModelError` for every fault of the files, for architectures that transformers does not load from GGUF files, and
    where memory runs out."""
    opened = GgufModelFiles(files, source, runs=True, choice=choice)
    architecture = opened.architecture  # before the matrices are dequantised
    base = opened.describe(name=name, revision=revision)
    digest = opened.weights.digest(hashed=told_as_bytes(progress))
    skeleton = None if is_new_style(opened.weights.header) else architecture.skeleton.model
    return begin_model(opened, base, digest, skeleton, dtype, device)


def load_gguf_embeddings(
    files: Sequence[Path], *, name: str, source: str, revision: str = "", choice: TokenizerChoice = OWN_TOKENIZER
) -> EmbeddingsOnly:
    """Only the matrices and the vocabulary in GGUF files, of any architecture; nothing else is dequantised.

    `info.weights_digest` is of the bytes of these matrices alone.
    """
    opened = GgufModelFiles(files, source, runs=False, choice=choice)
    base = opened.describe(name=name, revision=revision)
    held = list(opened.matrices.values())
    return EmbeddingsOnly(opened, describe_matrices(base, held, opened.weights.digest(opened.matrices)))


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
