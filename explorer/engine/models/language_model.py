"""The protocol every model speaks, whatever it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from jaxtyping import Float, Int

from explorer.base.errors import ExplorerError

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.base.records.models import ModelInfo
    from explorer.engine.models.vocabulary import Vocabulary


class ModelError(ExplorerError):
    """A model could not be found, loaded or run; the engine answers it as a Failure."""


class OutOfMemory(ModelError):
    """The device has no memory left for a batch; a smaller one may fit. The model stays usable."""


@dataclass(frozen=True)
class Embeddings:
    """A model's raw matrices, exactly as in the checkpoint (no folding, no centring), in their stored dtype."""

    input: Float[Tensor, "vocab d_model"]
    """W_E."""
    output: Float[Tensor, "vocab d_model"] | None
    """W_U transposed: one row a token. The same tensor as `input` where tied; None for encoders without a head."""
    output_bias: Float[Tensor, " vocab"] | None
    tied: bool


class Decoding(Protocol):
    """A batch of sequences in the middle of being continued, with its key-value cache.

    Use: read `logits`, choose one id a row, `push` them, read again. Nothing runs between the calls, so a
    caller may stop at any of them.
    """

    @property
    def logits(self) -> Float[Tensor, "batch vocab"]:
        """Next-token logits of every row, float32 on the CPU or the model's device."""

    def push(self, token_ids: Int[Tensor, " batch"]) -> None:
        """Append one id to each row and run the model on it."""


class LanguageModel(Protocol):
    """A loaded model with its vocabulary."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    def embeddings(self) -> Embeddings:
        """The raw matrices."""

    def start(self, prompts: Sequence[Sequence[int]]) -> Decoding:
        """Run the model on a batch of prompts (any lengths ≥ 1) and be ready to continue each.

        Raises `ModelError` for an empty prompt, an id outside the vocabulary, a prompt longer than the
        context, a model that has only embeddings (`weights:`), and when memory runs out (the model stays usable).
        """


class Prefix(Protocol):
    """The beginning that many prompts share, read once."""

    @property
    def ids(self) -> tuple[int, ...]: ...


@runtime_checkable
class SharesPrefix(Protocol):
    """A language model that can read the shared beginning of many prompts once."""

    def read_prefix(self, ids: Sequence[int]) -> Prefix | None:
        """Read `ids` once, to be begun with many times; None where the model keeps no cache that can be copied.

        Raises `ModelError` as `LanguageModel.start` does.
        """

    def start_after(self, prefix: Prefix, rests: Sequence[Sequence[int]]) -> Decoding:
        """Like `LanguageModel.start` of prompts that are `prefix.ids` + each of `rests`, which are equally long."""
