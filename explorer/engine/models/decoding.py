"""Continuing a batch of token sequences on a transformers model, one token at a time, with its cache."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.engine.models.activations import fuse_activations
from explorer.engine.models.caches import has_plain_cache, join_layers
from explorer.engine.models.errors import ModelError
from explorer.engine.models.head import Head, is_sliceable
from explorer.engine.models.out_of_memory import is_out_of_memory, out_of_memory_as_failure
from explorer.engine.models.prediction import Prediction, Wanted, predict

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_READ_OTHERS = "Leave out special tokens, such as an image's place."


class Decoding(Protocol):
    """A `Continuation` of a local model: inside this room its whole logits can be read."""

    @property
    def logits(self) -> Float[Tensor, "batch vocab"]:
        """Next-token logits of every row, float32 on the model's device."""

    def read(self, wanted: Wanted) -> Prediction: ...

    def push(self, token_ids: Sequence[int] | Int[Tensor, " batch"]) -> None: ...


@dataclass(frozen=True)
class CachedPrefix:
    """The shared beginning of many prompts with its key-value cache, of batch size 1. Implements `Prefix`."""

    ids: tuple[int, ...]
    cache: Any

    def cache_for(self, rows: int) -> Any:
        """A copy of the cache for a batch of `rows`; this one stays as it is."""
        repeated = copy.deepcopy(self.cache)
        repeated.batch_repeat_interleave(rows)
        return repeated


class Runner:
    """Runs one transformers model on ids, in the ways that its `forward` allows."""

    def __init__(self, model: PreTrainedModel, context: int, vocab: int = 0) -> None:
        """`context`: longest sequence in tokens, 0 where no limit is known. `vocab`: as many logits are told; tokens
        beyond the model's own get minus infinity."""
        accepted = inspect.signature(model.forward).parameters
        fuse_activations(model)
        self.model = model
        self.context = context
        self._vocab = vocab
        self.caches = "past_key_values" in accepted
        """False (some recurrent models): every step reads the whole sequence again."""
        self.pads = (
            self.caches
            and {"attention_mask", "position_ids"} <= accepted.keys()
            and not getattr(model, "_is_stateful", False)
        )
        """Whether unequal prompts may be padded on the left without changing any row."""
        self._keeps_last = "logits_to_keep" in accepted
        self.head: Head | None = None
        """Where it is known: the blocks run alone, and it once for all rows, when something is read of them."""

    def start(self, prompts: Sequence[Sequence[int]]) -> Decoding:
        """Read the prompts, none empty or beyond the context; rows of unequal length go through padded where
        that is safe, else by length."""
        if self.pads or len({len(prompt) for prompt in prompts}) == 1:
            return Batch(self, prompts)
        return GroupedBatches.by_length(self, prompts)

    def read_prefix(self, ids: Sequence[int]) -> CachedPrefix | None:
        """Read `ids` once for many prompts that begin with them; None where the cache is not one of plain keys and
        values, which alone can be copied for every row (recurrent and quantised states are kept out)."""
        if not self.pads:
            return None
        _, cache = self.forward(torch.tensor([list(ids)], device=self.model.device))
        return CachedPrefix(tuple(ids), cache) if cache is not None and has_plain_cache(cache) else None

    def check_length(self, length: int) -> None:
        """Raise `ModelError` where `length` tokens do not fit the context."""
        if self.context and length > self.context:
            raise ModelError(
                f"{length:,} tokens do not fit the model's context of {self.context:,}",
                hint="Take a shorter prompt or fewer new tokens.",
            )

    @torch.no_grad()
    def forward(self, ids: Int[Tensor, "batch new"], **extra: Any) -> tuple[Float[Tensor, "batch width"], Any]:
        """What stands at the last position, and the cache: hidden states where the head is known, else logits."""
        if self._keeps_last and self.head is None:
            extra["logits_to_keep"] = 1
        what = f"a batch of {ids.shape[0]} x {ids.shape[1]} tokens"
        with out_of_memory_as_failure(ids.device, what), self.as_refusal():
            run = self.model if self.head is None else self.head.body
            output = run(input_ids=ids, use_cache=self.caches, **extra)
            cache = getattr(output, "past_key_values", None)
            self.caches = cache is not None  # some take a cache but keep their state elsewhere
            if self.head is not None:
                return output.last_hidden_state[:, -1].clone(), cache
            return output.logits[:, -1].to(torch.float32, copy=True), cache

    @torch.no_grad()
    def logits_of(self, last: Float[Tensor, "batch width"]) -> Float[Tensor, "batch vocab"]:
        """Next-token logits, float32, from what `forward` told."""
        with out_of_memory_as_failure(last.device, f"the logits of {len(last)} rows"):
            logits = last if self.head is None else self.head.logits(last)
            if (lacking := self._vocab - logits.shape[1]) > 0:
                logits = torch.nn.functional.pad(logits, (0, lacking), value=-torch.inf)
            return logits

    @torch.no_grad()
    def predict(self, last: Float[Tensor, "batch width"], wanted: Wanted) -> Prediction:
        """What is wanted of what `forward` told; the head is asked about the wanted rows alone."""
        if wanted.rows is not None:
            last, wanted = last[list(wanted.rows)], replace(wanted, rows=None)
        if self.head is None or not is_sliceable(wanted):
            return predict(self.logits_of(last), wanted)
        with out_of_memory_as_failure(last.device, f"the head of {len(last)} rows"):
            return self.head.predict(last, wanted)

    @contextmanager
    def as_refusal(self, hint: str = _READ_OTHERS) -> Iterator[None]:
        """Turn what an architecture raises inside on tokens that it cannot read (an image's place, an id without a row)
        into a `ModelError`."""
        try:
            yield
        except Exception as error:  # a stranger's architecture and config raise anything
            if isinstance(error, ModelError) or is_out_of_memory(error) or "CUDA" in str(error):
                raise  # after a CUDA error nothing on the device can be trusted
            raise ModelError(
                f"{type(self.model).__name__} cannot read these tokens: {' '.join(str(error).split())[:200]}",
                hint=hint,
            ) from error


class Batch:
    """Sequences that run together, of equal length or padded on the left. Implements `Decoding`.

    After a `prefix` the prompts are what follows it, and must be of equal length: padding stands on the left.
    """

    def __init__(self, runner: Runner, prompts: Sequence[Sequence[int]], prefix: CachedPrefix | None = None) -> None:
        self.runner = runner
        device = runner.model.device
        longest = max(len(prompt) for prompt in prompts)
        padding = torch.tensor([longest - len(prompt) for prompt in prompts])
        self._ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
        self._real: Int[Tensor, "batch seen"] | None = None
        if padding.any():
            if prefix is not None:
                raise ValueError("prompts that follow a prefix must be equally long")
            self._real = (torch.arange(longest) >= padding[:, None]).long().to(device)
        self._length = longest
        self._cache: Any = None
        if prefix is not None:
            self._length += len(prefix.ids)
            with out_of_memory_as_failure(device, f"{len(prompts)} copies of {len(prefix.ids)} tokens"):
                self._cache = prefix.cache_for(len(prompts))
        self._failed = False
        self._run(self._ids)

    @property
    def logits(self) -> Float[Tensor, "batch vocab"]:
        return self.runner.logits_of(self.last)

    def read(self, wanted: Wanted) -> Prediction:
        return self.runner.predict(self.last, wanted)

    def push(self, token_ids: Sequence[int] | Int[Tensor, " batch"]) -> None:
        self.runner.check_length(self._length + 1)
        if self._failed:
            raise ModelError("this reply stopped for lack of memory and cannot continue", hint="Ask again.")
        new = torch.as_tensor(token_ids).to(self._ids.device, torch.long).reshape(-1, 1)
        self._length += 1
        if self._real is not None:
            self._real = torch.cat([self._real, torch.ones_like(new)], dim=1)
        if self._cache is None:
            self._ids = new = torch.cat([self._ids, new], dim=1)
        self._run(new)

    def _run(self, new: Int[Tensor, "batch new"]) -> None:
        extra: dict[str, Any] = {}
        if self._cache is not None:
            extra["past_key_values"] = self._cache
        if self._real is not None:
            positions = (self._real.cumsum(dim=1) - 1).clamp(min=0)
            extra["attention_mask"] = self._real
            extra["position_ids"] = positions[:, -new.shape[1] :]
        self._failed = True  # until it has gone well: a step that breaks off leaves half a cache
        self.last, self._cache = self.runner.forward(new, **extra)
        self._failed = False

    @property
    def rows(self) -> int:
        """How many sequences run."""
        return len(self._ids)

    def can_join(self, other: Batch) -> bool:
        """Whether one batch of the rows of both is the same: equally long, not padded, with a cache that can be cut."""
        padded = self._real is not None or other._real is not None
        failed = self._failed or other._failed
        caches = {has_plain_cache(batch._cache) for batch in (self, other)}
        equal = self._length == other._length and (self._cache is None) == (other._cache is None)
        return equal and not padded and not failed and caches == {True}

    def take_rows(self, others: Sequence[Batch]) -> None:
        """Continue the rows of `others`, all of which `can_join`, after one's own; they must not be used any more."""
        batches = (self, *others)
        rows = sum(batch.rows for batch in batches)
        with out_of_memory_as_failure(self._ids.device, f"{rows} x {self._length} tokens"):
            self._failed = True  # until all layers are joined
            self._ids = torch.cat([batch._ids for batch in batches])
            self.last = torch.cat([batch.last for batch in batches])
            if self._cache is not None:
                join_layers([batch._cache for batch in batches])
            self._failed = False


class GroupedBatches:
    """Sequences that cannot run as one batch, as several. A `Decoding`."""

    def __init__(self, batches: Sequence[Batch], rows: Sequence[Sequence[int]]) -> None:
        """`rows`: for each batch, where its rows stand."""
        self._rows = [torch.tensor(list(places)) for places in rows]
        self._batches = list(batches)

    @classmethod
    def by_length(cls, runner: Runner, prompts: Sequence[Sequence[int]]) -> GroupedBatches:
        """One batch for each length of prompt, for a model that cannot be padded."""
        found: dict[int, list[int]] = {}
        for row, prompt in enumerate(prompts):
            found.setdefault(len(prompt), []).append(row)
        batches = [Batch(runner, [prompts[row] for row in rows]) for rows in found.values()]
        return cls(batches, list(found.values()))

    @property
    def rows(self) -> int:
        """How many sequences run."""
        return sum(map(len, self._rows))

    def parts(self, after: int) -> list[tuple[Batch, list[int]]]:
        """Its batches with the places of their rows, where `after` rows stand before them."""
        return [(batch, (rows + after).tolist()) for batch, rows in zip(self._batches, self._rows, strict=True)]

    @property
    def logits(self) -> Float[Tensor, "batch vocab"]:
        return self._batches[0].runner.logits_of(self._last)

    def read(self, wanted: Wanted) -> Prediction:
        return self._batches[0].runner.predict(self._last, wanted)

    @property
    def _last(self) -> Float[Tensor, "batch width"]:
        back = torch.cat(self._rows).argsort()
        joined = torch.cat([batch.last for batch in self._batches])
        return joined[back.to(joined.device)]

    def push(self, token_ids: Sequence[int] | Int[Tensor, " batch"]) -> None:
        new = torch.as_tensor(token_ids)
        for rows, batch in zip(self._rows, self._batches, strict=True):
            batch.push(new[rows.to(new.device)])


def join_batches(parts: Sequence[Batch | GroupedBatches]) -> Batch | GroupedBatches:
    """The rows of all parts in that order: one batch where that is possible, else side by side."""
    first, *others = parts
    if isinstance(first, Batch) and all(isinstance(other, Batch) and first.can_join(other) for other in others):
        first.take_rows([other for other in others if isinstance(other, Batch)])
        return first
    batches: list[Batch] = []
    rows: list[list[int]] = []
    after = 0
    for part in parts:
        found = [(part, list(range(after, after + part.rows)))] if isinstance(part, Batch) else part.parts(after)
        batches += [batch for batch, _ in found]
        rows += [places for _, places in found]
        after += part.rows
    return GroupedBatches(batches, rows)
