"""Models that run in this process on plain transformers, and models of which only the matrices are here."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import torch

from explorer.base.records.models import ModelInfo
from explorer.engine.core.indicators import finite_rows
from explorer.engine.models.abilities import Continuation, Embeddings, Prefix
from explorer.engine.models.decoding import Batch, CachedPrefix, Decoding, GroupedBatches, Runner, join_batches
from explorer.engine.models.describing import describe_running
from explorer.engine.models.errors import ModelError
from explorer.engine.models.hearing import fill_heard
from explorer.engine.models.memory import free_memory, refuse_misfit, together
from explorer.engine.models.out_of_memory import out_of_memory_as_failure
from explorer.engine.models.placement import devices_of, put
from explorer.engine.models.probing import ordinary_ids, probe
from explorer.engine.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ROWS_COMPARED = 64


class ModelFiles(Protocol):
    """A model's files: each part is read when it is first asked for, and kept."""

    @property
    def directory(self) -> Path: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def embeddings(self) -> Embeddings: ...

    def fill(self, dtype: torch.dtype) -> PreTrainedModel:
        """The transformers model with the weights in it, on the CPU. Raises `ModelError` where they do not fit it."""


class Held:
    """What every model has: its vocabulary and its matrices, read at first use."""

    def __init__(self, files: ModelFiles, info: ModelInfo) -> None:
        self.files = files
        self.kept_as = ""
        """The key under which things computed of it may be kept on disk (`explorer.engine.kept`); empty: none may."""
        self._info = info

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def vocabulary(self) -> Vocabulary:
        return self.files.vocabulary

    def embeddings(self) -> Embeddings:
        """The matrices as the checkpoint has them, in its dtype and on the CPU, whatever the model runs in."""
        return self.files.embeddings

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the vocabulary and the weights, such as '3 rows of W_E hold NaN or infinity'."""
        return (*_quantised(self.info), *self.vocabulary.notes, *notes_on(self.embeddings()))


class LocalModel(Held):
    """A causal language model with its vocabulary. Implements every ability, `SharesPrefix` and `JoinsBatches`.

    `hf` is the transformers model itself, in its raw form; whoever hooks or folds it does so on a copy
    (`explorer.engine.models.lens`). It is filled with the weights when it is first needed: geometry needs none of it.
    """

    def __init__(self, files: ModelFiles, info: ModelInfo) -> None:
        super().__init__(files, info)
        self._filling = threading.Lock()
        self._filled: Runner | None = None

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self.files.directory

    @property
    def hf(self) -> PreTrainedModel:
        """See `HasHidden`."""
        return self._runner.model

    @property
    def is_filled(self) -> bool:
        """Whether the weights are in memory, so that it can run at once."""
        return self._filled is not None

    def fill(self) -> LocalModel:
        """Itself, ready to run: filled with the weights and asked what it does rightly (see `probing.probe`).

        Raises `ModelError` where the weights do not fit the model or the memory, and for models that do not predict
        the next token from those before it; `Stopped`, and nothing is filled, where the request at work is cancelled.
        """
        with self._filling:
            if self._filled is None:
                runner = fill_heard(self._fill)
                self._info = describe_running(
                    self.info, runner.model, getattr(torch, self.info.dtype), self.info.device
                )
                self._filled = runner
        return self

    def _fill(self) -> Runner:
        device, dtype = self.info.device, getattr(torch, self.info.dtype)
        rooms = {each: free_memory(each) for each in devices_of(device)}
        refuse_misfit(together(rooms.values()), self.info.memory_bytes, self.info.name, self.info.dtype, device)
        with out_of_memory_as_failure(torch.device(next(iter(rooms))), f"the weights of {self.info.name}"):
            hf = put(self.files.fill(dtype), device, {each: room.free for each, room in rooms.items()}).eval()
        return self._probed(hf)

    def _probed(self, hf: PreTrainedModel) -> Runner:
        check_same(hf, self.embeddings())
        runner = Runner(hf, self.info.context, self.info.vocab_size)
        rows = min(self.embeddings().input_rows or self.info.vocab_size, self.info.tokenizer_size)
        ids = ordinary_ids(rows, self.vocabulary.special_ids, hf.config)
        probe(runner, ids[: self.info.context or None])
        return runner

    @property
    def _runner(self) -> Runner:
        if self._filled is None:
            self.fill()
        assert self._filled is not None, "fill() raises or fills"
        return self._filled

    def start(self, prompts: Sequence[Sequence[int]]) -> Decoding:
        self.check_prompts(prompts)
        return self._runner.start(prompts)

    def read_prefix(self, ids: Sequence[int]) -> CachedPrefix | None:
        """See `SharesPrefix`."""
        self.check_prompts([ids])
        return self._runner.read_prefix(ids)

    def start_after(self, prefix: Prefix, rests: Sequence[Sequence[int]]) -> Decoding:
        """See `SharesPrefix`."""
        assert isinstance(prefix, CachedPrefix), "a prefix belongs to the model that read it"
        self.check_prompts(rests)
        self._runner.check_length(len(prefix.ids) + max(len(rest) for rest in rests))
        return Batch(self._runner, rests, prefix)

    def join(self, parts: Sequence[Continuation]) -> Decoding:
        """See `JoinsBatches`."""
        assert all(isinstance(part, Batch | GroupedBatches) for part in parts), (
            "parts belong to the model they began on"
        )
        return join_batches(cast(Sequence[Batch | GroupedBatches], parts))

    def check_prompts(self, prompts: Sequence[Sequence[int]]) -> None:
        """Raise `ModelError` for no prompt, an empty one, one beyond the context, an id outside the vocabulary."""
        if not prompts:
            raise ModelError("there is no prompt to run")
        for prompt in prompts:
            if not len(prompt):
                raise ModelError("the prompt is empty", hint="A prompt needs at least one token.")
            for token_id in (min(prompt), max(prompt)):
                self.vocabulary.token_bytes(token_id)  # refuses ids outside the vocabulary
            self._runner.check_length(len(prompt))
            if max(prompt) >= (self.embeddings().input_rows or self.info.vocab_size):
                raise ModelError(f"token {max(prompt)} has no row in the input embedding", hint="It cannot be read.")


class EmbeddingsOnly(Held):
    """The vocabulary and matrices of a `weights:` source. Implements `HasWeights`, and does not run."""


def _quantised(info: ModelInfo) -> tuple[str, ...]:
    """What is said beside numbers that come from quantised weights."""
    return (f"quantised weights ({info.quantisation}), dequantised for every number",) * bool(info.quantisation)


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


def notes_on(embeddings: Embeddings) -> tuple[str, ...]:
    """Remarks on matrices with numbers that are none; reads them once."""
    matrices = {"W_E": (embeddings.input, embeddings.input_rows)}
    if embeddings.output is not None and not embeddings.tied:
        matrices["W_U"] = (embeddings.output, embeddings.output_rows)
    notes = []
    for name, (whole, present) in matrices.items():
        if present is not None:
            notes.append(f"{len(whole) - present:,} tokens, from id {present:,} on, have no row of {name}")
        if broken := int((~finite_rows(whole[:present])).sum()):
            rows, hold = ("row", "holds") if broken == 1 else ("rows", "hold")
            notes.append(f"{broken:,} {rows} of {name} {hold} NaN or infinity")
    return tuple(notes)
