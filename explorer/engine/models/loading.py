"""From a resolved directory to a model in memory."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import torch

from explorer.base.records.models import ModelInfo
from explorer.engine.models.abilities import Embeddings
from explorer.engine.models.checkpoints.architecture import Architecture, causal_architecture, named_architecture
from explorer.engine.models.checkpoints.directory import EmbeddingNames, read_config, read_embeddings
from explorer.engine.models.checkpoints.opening import open_weights
from explorer.engine.models.checkpoints.weight_files import Hashed, WeightFiles
from explorer.engine.models.describing import describe_checkpoint, describe_matrices, describe_running, spell_dtype
from explorer.engine.models.errors import ModelError
from explorer.engine.models.filling import fill_model
from explorer.engine.models.local import EmbeddingsOnly, LocalModel, ModelFiles
from explorer.engine.models.placement import devices_of
from explorer.engine.models.source import OWN_TOKENIZER, Progress, TokenizerChoice
from explorer.engine.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DtypeChoice = Literal["auto", "float32", "bfloat16", "float16"]
_ONLY_WEIGHTS = "Its geometry can be explored: put 'weights:' before the source, as in weights:{}."
AT_ONCE = 1 << 28
"""Bytes of a model that are filled in when it is loaded, and not when it first runs: a fault is then told at once, and
it takes less than a second."""
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


class DirectoryFiles:
    """The files of a Hugging Face directory. Implements `ModelFiles`.

    Every part raises `ModelError` for the faults that it meets when it is first read (see `read_config`,
    `open_weights`, `read_embeddings`, `load_tokenizer`).
    """

    def __init__(
        self, directory: Path, source: str, *, runs: bool, allow_pickle: bool, choice: TokenizerChoice
    ) -> None:
        """`runs`: it must be a causal language model with its head, not only matrices."""
        self.directory = directory
        self._source = source
        self._runs = runs
        self._allow_pickle = allow_pickle
        self._choice = choice

    @cached_property
    def architecture(self) -> Architecture:
        if self._runs:
            return _causal(self.directory, self._source)
        return named_architecture(read_config(self.directory))

    @cached_property
    def weights(self) -> WeightFiles:
        return open_weights(self.directory, allow_pickle=self._allow_pickle)

    @cached_property
    def matrices(self) -> tuple[Embeddings, EmbeddingNames]:
        """The matrices, and what they are called."""
        found = read_embeddings(self.architecture, self.weights, needs_head=self._runs)
        if self._runs and found[0].output is None:
            hint = _ONLY_WEIGHTS.format(self._source)
            raise ModelError(f"{self.directory.name} has no language-model head", hint=hint)
        return found

    @property
    def embeddings(self) -> Embeddings:
        return self.matrices[0]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary.from_directory(self.directory, self.embeddings.input.shape[0], self._choice)

    def fill(self, dtype: torch.dtype) -> PreTrainedModel:
        """See `ModelFiles`."""
        return fill_model(self.architecture, self.weights, dtype, self.directory.name)

    def describe(self, *, name: str, revision: str) -> ModelInfo:
        """What config, matrices and tokenizer tell."""
        text_config = self.architecture.config.get_text_config()
        contexts = (getattr(text_config, key, None) for key in _CONTEXT_KEYS)
        layers = getattr(text_config, "num_hidden_layers", None)
        return describe_checkpoint(
            self.embeddings,
            self.vocabulary,
            name=name,
            source=self._source,
            revision=revision,
            architecture=self.architecture.name,
            n_layers=layers if isinstance(layers, int) else 0,
            context=next((length for length in contexts if isinstance(length, int) and length > 0), 0),
        )


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
    """The causal language model in `directory`, ready to run, or nearly (see `begin_model`).

    Raises `ModelError` for every fault of the directory (see `DirectoryFiles`), for encoders, for weights that leave
    parts of the model unset, and where memory runs out.
    """
    files = DirectoryFiles(directory, source, runs=True, allow_pickle=allow_pickle, choice=choice)
    base = files.describe(name=name, revision=revision)
    digest = files.weights.digest(hashed=told_as_bytes(progress))
    is_packed = getattr(files.architecture.config, "quantization_config", None) is not None
    skeleton = None if is_packed else files.architecture.skeleton.model
    return begin_model(files, base, digest, skeleton, dtype, device)


def begin_model(
    files: ModelFiles, base: ModelInfo, digest: str, skeleton: PreTrainedModel | None, dtype: DtypeChoice, device: str
) -> LocalModel:
    """The model of `files`, filled with its weights, unless that takes long enough for it to wait until it is needed.

    What waits: more than `AT_ONCE` bytes in float32 on the CPU. Any other dtype becomes torch's default while
    transformers builds, so that nothing else may run meanwhile. `skeleton`: None where it does not tell the size.
    """
    spread_over = devices_of(device)
    chosen_device = choose_device(spread_over[0])
    chosen_dtype = choose_dtype(dtype, chosen_device)
    spelled = str(chosen_device) if len(spread_over) == 1 else device
    base = msgspec.structs.replace(base, weights_digest=digest, dtype=spell_dtype(chosen_dtype), device=spelled)
    if skeleton is not None and chosen_dtype == torch.float32 and chosen_device.type == "cpu":
        info = describe_running(base, skeleton, chosen_dtype, spelled)
        if info.memory_bytes > AT_ONCE:
            return LocalModel(files, info)
    return LocalModel(files, base).fill()


def told_as_bytes(progress: Progress | None) -> Hashed | None:
    """`progress` as what is told of bytes hashed."""
    return None if progress is None else lambda done, total: progress(done, total, "bytes hashed")


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
    files = DirectoryFiles(directory, source, runs=False, allow_pickle=allow_pickle, choice=choice)
    base = files.describe(name=name, revision=revision)
    names = files.matrices[1].needed
    held = [files.weights.tensor(part) for part in names]
    return EmbeddingsOnly(files, describe_matrices(base, held, files.weights.digest(names)))


def _causal(directory: Path, source: str) -> Architecture:
    """The causal language model in `directory`; raises `ModelError` for models that do not continue a text."""
    config = read_config(directory)
    if (causal := causal_architecture(config)) is not None:
        return causal
    raise ModelError(
        f"{directory.name} is not a causal language model ({named_architecture(config).name}), so it cannot be run",
        hint=_ONLY_WEIGHTS.format(source),
    )
