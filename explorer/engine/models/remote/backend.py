"""What every kind of server is asked, whatever its API."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from explorer.base.records.models import Keyed, Reads, Same, TargetsBy
from explorer.base.servers import ServerKind
from explorer.engine.models.abilities import Scored, Unasked
from explorer.engine.models.errors import ModelError
from explorer.engine.models.prediction import Choice
from explorer.engine.models.remote.checks import BadAnswer
from explorer.engine.models.remote.client import Asks
from explorer.engine.models.vocabulary import Vocabulary


@dataclass(frozen=True)
class About:
    """What a server says of itself and of the model it serves."""

    model: str
    """The served model's id."""
    version: str = ""
    vocab_size: int = 0
    """0 where it does not say."""
    context: int = 0
    dtype: str = ""
    """How its weights are stored; empty where it does not say."""
    n_parameters: int = 0
    d_model: int = 0


@dataclass(frozen=True)
class Likeliest:
    """The likeliest ids after a prompt, the likeliest first, equals by id."""

    ids: Int64[np.ndarray, " k"]
    logprobs: Float32[np.ndarray, " k"]
    unnamed: tuple[float, ...] = ()
    """Log-probabilities that were told of tokens which cannot be told from others by what they were called."""
    chosen: int = -1
    """The likeliest id, where that is told by the choice of it."""

    @property
    def count(self) -> int:
        """How many log-probabilities were told."""
        return len(self.ids) + len(self.unnamed)

    @property
    def sure(self) -> int:
        """How many of the first ids are the likeliest ones. Where something is unnamed, that is but the chosen one: of
        several tokens with one text some servers tell but one number."""
        if not self.unnamed:
            return len(self.ids)
        return int(len(self.ids) > 0 and self.ids[0] == self.chosen)

    @property
    def at_most(self) -> float:
        """The greatest log-probability that an id may have which is not named: the smaller of the least named and of
        what is left of 1. Where something is unnamed, it may be that, or another of the same text that is not told."""
        if not self.count:
            return 0.0 if self.chosen < 0 else math.log(0.5)  # another one is at least as likely
        told = np.array([*self.logprobs.tolist(), *self.unnamed])
        # What is left of 1 is a difference of rounded numbers: below 1e-6 it says nothing.
        rest = math.log(max(1.0 - float(np.exp(told).sum()), 1e-6))
        return max(rest, *self.unnamed) if self.unnamed else min(float(told.min()), rest)


class Backend(ABC):
    """One kind of server. All methods raise `ModelError`: `BadAnswer` where an answer is not what was asked for."""

    kind: ServerKind
    targets_by: TargetsBy = "request"
    """How `score` has a target's log-probability; "none" once it was seen not to have it."""
    reads: Reads = "ids"
    keyed: Keyed = "id"
    bounds_scores = False
    """Whether `score` tells bounds where it does not know a target's log-probability."""

    def __init__(self, asks: Asks, model: str) -> None:
        """`model`: the served model's id; empty: the only one."""
        self._asks, self._model = asks, model
        self.vocab_size = 0
        """Set once it is known."""
        self.top = 0
        """Likeliest ids that it names; set once it is known."""

    def use_vocabulary(self, vocabulary: Vocabulary) -> None:  # noqa: B027 not all need it
        """Read answers with the tokenizer at hand. Asks nothing."""

    def do_as(self, known: Backend) -> None:
        """Ask this server as another one of the same model was found to answer. Asks nothing."""
        self.vocab_size, self.top, self.targets_by = known.vocab_size, known.top, known.targets_by
        self.reads, self.keyed = known.reads, known.keyed

    def prompts_of(self, texts: Sequence[str], vocabulary: Vocabulary) -> tuple[tuple[int, ...], ...]:
        """Prompts that the server takes, one a text."""
        return tuple(tuple(vocabulary.encode(text)) or (0,) for text in texts)

    @abstractmethod
    async def about(self) -> About:
        """What it serves; raises `ModelError` where it does not serve the model that is wanted."""

    @abstractmethod
    async def check_tokens(self, vocabulary: Vocabulary, texts: Sequence[str]) -> Same:
        """How it was seen that its tokens are those of `vocabulary`; raises `ModelError` where they are not."""

    @abstractmethod
    async def whole(self, prompt: Sequence[int]) -> Float32[np.ndarray, " vocab"]:
        """Log-probabilities of every id after `prompt`, as the server gives them."""

    @abstractmethod
    async def likeliest(self, prompt: Sequence[int], count: int, temperature: float = 0.0) -> Likeliest:
        """At most `count` of the likeliest ids after `prompt`; `temperature` only chooses, and changes no number."""

    @abstractmethod
    async def score(
        self, prompts: Sequence[Sequence[int]], targets: Sequence[int], places: int
    ) -> Sequence[Scored | Unasked]:
        """For each prompt the greedy reply of at most `places` ids, and the log-probability of its target there."""

    async def target_logprob(self, prompt: Sequence[int], target: int) -> float:
        """The log-probability of `target` after `prompt`, as a target's is had; raises `BadAnswer` where none is."""
        (scored,) = await self.score([prompt], [target], 1)
        if isinstance(scored, Unasked) or not all(scored.exact):
            raise BadAnswer("the target's log-probability is missing")
        return scored.logprobs[0]

    @abstractmethod
    async def sample(self, prompt: Sequence[int], choice: Choice, draw: float) -> tuple[int, float]:
        """An id drawn by the server, and its log-probability; `draw` in [0, 1) becomes its seed."""

    def parts(self, count: int) -> int:
        """How many prompts `score` should be given at once; 1 where each goes on by itself."""
        return 1


def in_order(ids: Sequence[int], logprobs: Sequence[float]) -> Likeliest:
    """The likeliest first, equals by id."""
    keys = np.asarray(ids, dtype=np.int64)
    values = np.asarray(logprobs, dtype=np.float32)
    order = np.lexsort((keys, -values))
    return Likeliest(keys[order], values[order])


def seed_of(draw: float) -> int:
    """A seed of 31 bits for a draw in [0, 1)."""
    return int(draw * 2**31)


def choose_model(served: Sequence[str], wanted: str) -> str:
    """The id of the model that is wanted, or of the only one; raises `ModelError` where that is not served."""
    if wanted in served or (not wanted and len(served) == 1):
        return wanted or served[0]
    names = ", ".join(served[:8]) or "no model"
    said = f"the server does not serve {wanted}" if wanted else f"the server serves {len(served)} models"
    raise ModelError(said, hint=f"It serves {names}. Write its name after '#'.")


def wrong_tokenizer(how: str) -> ModelError:
    """What is raised where the server's tokens are seen to be others."""
    return ModelError(
        f"this tokenizer is not the one of the server's model: {how}",
        hint="Name the tokenizer of the model that is served, by --tokenizer or in the settings.",
    )


def compare_ids(text: str, theirs: Sequence[int], mine: Sequence[int]) -> None:
    """Raise `ModelError` where a text was read as other ids than the tokenizer's."""
    if list(mine) != list(theirs):
        raise wrong_tokenizer(f"it reads {text.split()[0]!r}… as {list(theirs[:6])}, the tokenizer as {list(mine[:6])}")
