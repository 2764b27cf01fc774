"""What models can do, one protocol an ability.

A model says in `ModelInfo.abilities` what it can do, and implements the protocols of these abilities; an answer takes
its model as the protocol that it needs. No logits and no tensors over a vocabulary leave a model: what is wanted of a
next-token distribution is reduced where the logits are (`explorer.engine.models.prediction`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeGuard, cast, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from explorer.engine.models.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel

    from explorer.base.records.models import Ability, ModelInfo
    from explorer.base.servers import Server
    from explorer.engine.models.prediction import Prediction, Wanted
    from explorer.engine.models.vocabulary import Vocabulary


class HasVocabulary(Protocol):
    """`vocabulary`: every model has one."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def vocabulary(self) -> Vocabulary: ...


@dataclass(frozen=True)
class Embeddings:
    """A model's raw matrices, exactly as in the checkpoint (no folding, no centring), in their stored dtype."""

    input: Float[Tensor, "vocab d_model"]
    """W_E."""
    output: Float[Tensor, "vocab d_out"] | None
    """W_U transposed: one row a token. The same tensor as `input` where tied; None for encoders without a head."""
    output_bias: Float[Tensor, " vocab"] | None
    tied: bool
    input_rows: int | None = None
    """How many rows the checkpoint's W_E has, where W_U has more: the rest of `input` is NaN. None: all of them."""
    output_rows: int | None = None
    """Likewise of `output`: a token without a row of its own is never predicted."""


@runtime_checkable
class HasWeights(HasVocabulary, Protocol):
    """`weights`: the raw matrices are here."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the weights, such as '3 rows of W_E hold NaN or infinity'."""

    def embeddings(self) -> Embeddings:
        """The raw matrices."""


class Continuation(Protocol):
    """A batch of sequences in the middle of being continued.

    Use: `read` what is wanted of the next token, choose one id a row, `push` them, read again. `read` may be called
    any number of times at one place. Nothing runs between the calls, so a caller may stop at any of them.
    """

    def read(self, wanted: Wanted) -> Prediction:
        """What the model predicts next. Raises `ModelError` where its logits hold NaN (see `Wanted.strict`)."""

    def push(self, token_ids: Sequence[int]) -> None:
        """Append one id to each row and run the model on it. Raises `ModelError` beyond the context, `OutOfMemory`."""


@runtime_checkable
class PredictsTokens(HasVocabulary, Protocol):
    """`next_tokens`: log-probabilities of what comes next after prompts of ids."""

    def start(self, prompts: Sequence[Sequence[int]]) -> Continuation:
        """Run the model on a batch of prompts (any lengths ≥ 1) and be ready to continue each.

        Raises `ModelError` for an empty prompt, an id outside the vocabulary, a prompt longer than the context, and
        when memory runs out (the model stays usable).
        """


class GeneratesReplies(PredictsTokens, Protocol):
    """`generation`: its continuations also choose the next id (`Wanted.choice`)."""


@runtime_checkable
class HasHidden(PredictsTokens, HasWeights, Protocol):
    """`hidden`: residual streams, hooks and gradients, on the transformers model itself."""

    @property
    def hf(self) -> PreTrainedModel:
        """The model in its raw form; whoever hooks or folds it does so on a copy."""

    @property
    def directory(self) -> Path:
        """Where its files are."""

    def check_prompts(self, prompts: Sequence[Sequence[int]]) -> None:
        """Raise `ModelError` for no prompt, an empty one, one beyond the context, an id outside the vocabulary."""


class Prefix(Protocol):
    """The beginning that many prompts share, read once."""

    @property
    def ids(self) -> tuple[int, ...]: ...


@runtime_checkable
class SharesPrefix(Protocol):
    """A model that can read the shared beginning of many prompts once."""

    def read_prefix(self, ids: Sequence[int]) -> Prefix | None:
        """Read `ids` once, to be begun with many times; None where the model keeps no cache that can be copied.

        Raises `ModelError` as `PredictsTokens.start` does.
        """

    def start_after(self, prefix: Prefix, rests: Sequence[Sequence[int]]) -> Continuation:
        """Like `PredictsTokens.start` of prompts that are `prefix.ids` + each of `rests`, which are equally long."""


@runtime_checkable
class JoinsBatches(Protocol):
    """A model that can read prompts in several calls and continue all of them in one."""

    def join(self, parts: Sequence[Continuation]) -> Continuation:
        """One continuation of the rows of `parts`, in that order; the parts must not be used any more.

        Raises `ModelError` when memory runs out.
        """


@dataclass(frozen=True)
class Scored:
    """A reply that was chosen greedily, and what its places gave the target."""

    ids: tuple[int, ...]
    """With the end of text, where that was chosen; what may follow it means nothing."""
    logprobs: tuple[float, ...]
    """Of the target, at each of these places; −inf for a probability of 0."""
    exact: tuple[bool, ...] = ()
    """Of each place, whether that is more than an upper bound; empty: all are."""


@dataclass(frozen=True)
class Unasked:
    """The server refuses this prompt, whoever asks it."""

    why: str
    """Its status and its own words."""


@runtime_checkable
class ScoresReplies(Protocol):
    """A model that can be asked for greedy replies and one token's log-probability in them, without the rest.

    Only the answers of a server are so: a whole distribution is a megabyte a place.
    """

    @property
    def gives_scores(self) -> bool:
        """Whether it can."""

    def score_replies(
        self, prompts: Sequence[Sequence[int]], targets: Sequence[int], places: int
    ) -> Iterator[list[tuple[int, Scored | Unasked]]]:
        """Each prompt's number with its reply of at most `places` ids: what came since the last time, in whatever
        order. Raises `ModelError` as `PredictsTokens.start` does, after all that was answered before was given."""


@runtime_checkable
class BehindServer(HasVocabulary, Protocol):
    """A model that a server runs: it may become another one while it is loaded, and asking it may cost money."""

    @property
    def server(self) -> Server:
        """Where it is, and what the settings say of it."""

    @property
    def seconds_a_request(self) -> float:
        """How long a short request took when the model was loaded."""

    @property
    def in_flight(self) -> int:
        """Requests that may be on their way at once, to all servers of the model."""

    @property
    def rows_at_once(self) -> int:
        """Prompts that keep all its servers busy."""

    @property
    def how(self) -> str:
        """Who answers: '2 of 3 servers (127.0.0.1:8002 left: no connection)'."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Which servers take no part, and why."""

    def count_requests(self, prompts: int, places: int) -> int:
        """How many requests `ScoresReplies.score_replies` makes of so many prompts, at most."""

    def check_unchanged(self) -> None:
        """Raise `ModelError` where no server of it is there, or all answer as other models than the one loaded."""


@runtime_checkable
class Closes(Protocol):
    """A model that holds something open."""

    def close(self) -> None:
        """Close it; the model cannot be asked any more."""


_GIVES: dict[Ability, str] = {
    "vocabulary": "vocabulary",
    "weights": "embedding matrices",
    "next_tokens": "next-token log-probabilities",
    "generation": "replies",
    "hidden": "hidden states",
}


def has_weights(model: HasVocabulary) -> TypeGuard[HasWeights]:
    """Whether the model says that its matrices are here. To ask it for them would read them."""
    return "weights" in model.info.abilities


def has_hidden(model: HasVocabulary) -> TypeGuard[HasHidden]:
    """Whether the model says that it can be looked into. To ask it for `hf` would fill it with its weights."""
    return "hidden" in model.info.abilities


def weights_of(model: HasVocabulary) -> HasWeights:
    """The model as one with matrices; raises `ModelError` where it has none."""
    if has_weights(model):
        return model
    raise lacks(model.info, frozenset({"weights"}))


def running(model: HasVocabulary) -> GeneratesReplies:
    """The model as one that predicts and replies; raises `ModelError` where it does not."""
    if "next_tokens" in model.info.abilities:
        return cast(GeneratesReplies, model)
    raise lacks(model.info, frozenset({"next_tokens"}))


def lacks(info: ModelInfo, missing: frozenset[Ability], advice: str = "") -> ModelError:
    """Why a model cannot answer what needs the `missing` abilities, in one line; `advice` is the hint, if given."""
    if info.source.startswith("weights:"):
        return ModelError(
            f"{info.name} has only its embedding matrices here, so it cannot answer",
            hint=advice or f"Load {info.source.removeprefix('weights:')} without 'weights:' to run it.",
        )
    if info.reach is not None and "weights" in missing and not advice:
        advice = "Name them when you load it: --tokenizer weights:SOURCE, of the model that is served."
    wanted = " and no ".join(words for ability, words in _GIVES.items() if ability in missing)
    return ModelError(f"{info.name} gives no {wanted}, so it cannot answer this", hint=advice or "Ask another model.")
