"""What is told of a loaded model, whichever kind of checkpoint it came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import torch

from explorer.base.records.models import ABILITIES, ModelInfo
from explorer.engine.models.abilities import Embeddings
from explorer.engine.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def spell_dtype(dtype: torch.dtype) -> str:
    """'bfloat16'."""
    return str(dtype).removeprefix("torch.")


def describe_checkpoint(
    embeddings: Embeddings,
    vocabulary: Vocabulary,
    *,
    name: str,
    source: str,
    revision: str,
    architecture: str,
    n_layers: int,
    context: int,
    quantisation: str = "",
) -> ModelInfo:
    """What config or metadata, matrices and tokenizer tell; the rest is filled in by one of the functions below."""
    return ModelInfo(
        name=name,
        source=source,
        architecture=architecture,
        revision=revision,
        tokenizer_digest=vocabulary.digest(),
        dtype=spell_dtype(embeddings.input.dtype),
        quantisation=quantisation,
        device="cpu",
        vocab_size=vocabulary.size,
        tokenizer_size=vocabulary.tokenizer_size,
        d_model=embeddings.input.shape[1],
        n_layers=n_layers,
        context=context,
        tied=embeddings.tied,
        has_chat_template=vocabulary.has_chat_template,
        tokenizer=vocabulary.source,
        chat_day=vocabulary.chat_day,
    )


def describe_running(checkpoint: ModelInfo, hf: PreTrainedModel, dtype: torch.dtype, device: str) -> ModelInfo:
    """A model that runs in `dtype` on `device`; `hf` may be its skeleton, on the meta device and in another dtype."""
    tensors = [*hf.parameters(), *hf.buffers()]
    return msgspec.structs.replace(
        checkpoint,
        dtype=spell_dtype(dtype),
        device=device,
        n_parameters=sum(parameter.numel() for parameter in hf.parameters()),
        memory_bytes=sum(_bytes_held(tensor, dtype) for tensor in tensors),
        abilities=ABILITIES,
    )


def _bytes_held(tensor: torch.Tensor, dtype: torch.dtype) -> int:
    """What a tensor takes once it is loaded; one that waits on the meta device will be in `dtype`, if it is a float."""
    waits = tensor.is_meta and tensor.is_floating_point()
    return tensor.numel() * (dtype.itemsize if waits else tensor.element_size())


def describe_matrices(checkpoint: ModelInfo, matrices: Sequence[torch.Tensor], digest: str) -> ModelInfo:
    """Only the embedding matrices of a checkpoint; `digest` is of these alone."""
    return msgspec.structs.replace(
        checkpoint,
        weights_digest=digest,
        can_run=False,
        n_parameters=sum(tensor.numel() for tensor in matrices),
        memory_bytes=sum(tensor.nbytes for tensor in matrices),
        abilities=("vocabulary", "weights"),
    )
