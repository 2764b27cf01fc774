"""Continuing a batch of token sequences on a transformers model, one token at a time, with its cache."""

from __future__ import annotations

import copy
import gc
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explorer.engine.models.activations import fuse_activations
from explorer.engine.models.errors import ModelError, OutOfMemory
from explorer.engine.models.memory import describe_free, free_memory
from explorer.engine.models.prediction import Prediction, Wanted, predict

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_CPU_OUT_OF_MEMORY = "DefaultCPUAllocator"


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

    def __init__(self, model: PreTrainedModel, context: int) -> None:
        """`context`: longest sequence in tokens, 0 where no limit is known."""
        accepted = inspect.signature(model.forward).parameters
        fuse_activations(model)
        self.model = model
        self.context = context
        self.caches = "past_key_values" in accepted
        """False (some recurrent models): every step reads the whole sequence again."""
        self.pads = (
            self.caches
            and {"attention_mask", "position_ids"} <= accepted.keys()
            and not getattr(model, "_is_stateful", False)
        )
        """Whether unequal prompts may be padded on the left without changing any row."""
        self._keeps_last = "logits_to_keep" in accepted

    def start(self, prompts: Sequence[Sequence[int]]) -> Decoding:
        """Read the prompts, none empty or beyond the context; rows of unequal length go through padded where
        that is safe, else by length."""
        if self.pads or len({len(prompt) for prompt in prompts}) == 1:
            return Batch(self, prompts)
        return GroupedBatches(self, prompts)

    def read_prefix(self, ids: Sequence[int]) -> CachedPrefix | None:
        """Read `ids` once for many prompts that begin with them; None where the cache is not one of plain keys and
        values, which alone can be copied for every row (recurrent and quantised states are kept out)."""
        from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

        if not self.pads:
            return None
        _, cache = self.forward(torch.tensor([list(ids)], device=self.model.device))
        plain = type(cache) is DynamicCache and all(
            type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers
        )
        return CachedPrefix(tuple(ids), cache) if plain else None

    def check_length(self, length: int) -> None:
        """Raise `ModelError` where `length` tokens do not fit the context."""
        if self.context and length > self.context:
            raise ModelError(
                f"{length:,} tokens do not fit the model's context of {self.context:,}",
                hint="Take a shorter prompt or fewer new tokens.",
            )

    @torch.no_grad()
    def forward(self, ids: Int[Tensor, "batch new"], **extra: Any) -> tuple[Float[Tensor, "batch vocab"], Any]:
        """Logits of the last position, float32, and the cache."""
        if self._keeps_last:
            extra["logits_to_keep"] = 1
        with out_of_memory_as_failure(ids.device, f"a batch of {ids.shape[0]} x {ids.shape[1]} tokens"):
            output = self.model(input_ids=ids, use_cache=self.caches, **extra)
            logits = output.logits[:, -1].to(torch.float32, copy=True)
            cache = getattr(output, "past_key_values", None)
            self.caches = cache is not None  # some take a cache but keep their state elsewhere
            return logits, cache


class Batch:
    """Sequences that run together, of equal length or padded on the left. Implements `Decoding`.

    After a `prefix` the prompts are what follows it, and must be of equal length: padding stands on the left.
    """

    def __init__(self, runner: Runner, prompts: Sequence[Sequence[int]], prefix: CachedPrefix | None = None) -> None:
        self._runner = runner
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
        return self._logits

    def read(self, wanted: Wanted) -> Prediction:
        return predict(self._logits, wanted)

    def push(self, token_ids: Sequence[int] | Int[Tensor, " batch"]) -> None:
        self._runner.check_length(self._length + 1)
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
        self._logits, self._cache = self._runner.forward(new, **extra)
        self._failed = False


class GroupedBatches:
    """Sequences of unequal length on a model that cannot be padded: one batch for each length. A `Decoding`."""

    def __init__(self, runner: Runner, prompts: Sequence[Sequence[int]]) -> None:
        by_length: dict[int, list[int]] = {}
        for row, prompt in enumerate(prompts):
            by_length.setdefault(len(prompt), []).append(row)
        self._rows = [torch.tensor(rows) for rows in by_length.values()]
        self._batches = [Batch(runner, [prompts[row] for row in rows]) for rows in by_length.values()]

    @property
    def logits(self) -> Float[Tensor, "batch vocab"]:
        back = torch.cat(self._rows).argsort()
        joined = torch.cat([batch.logits for batch in self._batches])
        return joined[back.to(joined.device)]

    def read(self, wanted: Wanted) -> Prediction:
        return predict(self.logits, wanted)

    def push(self, token_ids: Sequence[int] | Int[Tensor, " batch"]) -> None:
        new = torch.as_tensor(token_ids)
        for rows, batch in zip(self._rows, self._batches, strict=True):
            batch.push(new[rows.to(new.device)])


@contextmanager
def out_of_memory_as_failure(device: torch.device, what: str) -> Iterator[None]:
    """Turn running out of memory inside into an `OutOfMemory` with numbers, with the memory given back."""
    problem: str | None = None
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        problem = str(error)
    if problem is not None:  # outside the handler: the traceback no longer holds the tensors of the attempt
        release_memory()
        raise OutOfMemory(
            f"{device} has no memory left for {what}; {describe_free(free_memory(str(device)))}",
            hint="Take fewer samples or a shorter prompt, or unload a model.",
        )


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch, on any device, or Python had no memory left."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or _CPU_OUT_OF_MEMORY in str(error)


def release_memory() -> None:
    """Give back what nothing refers to any more, to the device too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
