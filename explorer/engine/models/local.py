"""Models that run in this process on plain transformers, and models of which only the matrices are here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from explorer.base.records.models import ModelInfo
from explorer.engine.models.abilities import Continuation, Embeddings, Prefix
from explorer.engine.models.decoding import Batch, CachedPrefix, Decoding, GroupedBatches, Runner, join_batches
from explorer.engine.models.errors import ModelError
from explorer.engine.models.probing import ordinary_ids, probe
from explorer.engine.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ROWS_AT_ONCE = 8_192


class _Held:
    """What every model has: its vocabulary and its matrices."""

    def __init__(self, vocabulary: Vocabulary, embeddings: Embeddings, info: ModelInfo) -> None:
        self._vocabulary = vocabulary
        self._embeddings = embeddings
        self._info = info
        self.notes: tuple[str, ...] = (*_quantised(info), *vocabulary.notes, *notes_on(embeddings))
        """Remarks on the vocabulary and the weights, such as '3 rows of W_E hold NaN or infinity'."""

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    def embeddings(self) -> Embeddings:
        """The matrices as the checkpoint has them, in its dtype and on the CPU, whatever the model runs in."""
        return self._embeddings


class LocalModel(_Held):
    """A causal language model with its vocabulary. Implements every ability, `SharesPrefix` and `JoinsBatches`.

    `hf` is the transformers model itself, in its raw form; whoever hooks or folds it does so on a copy
    (`explorer.engine.models.lens`).
    """

    def __init__(
        self, hf: PreTrainedModel, vocabulary: Vocabulary, embeddings: Embeddings, info: ModelInfo, directory: Path
    ) -> None:
        super().__init__(vocabulary, embeddings, info)
        self.hf = hf
        self.directory = directory
        """Where its files are."""
        self._runner = Runner(hf, info.context, vocabulary.size)

    def probed(self) -> LocalModel:
        """Itself, once it was asked what it does rightly (see `probing.probe`, which may refuse it)."""
        rows = min(self._embeddings.input_rows or self.info.vocab_size, self.info.tokenizer_size)
        ids = ordinary_ids(rows, self._vocabulary.special_ids, self.hf.config)
        probe(self._runner, ids[: self.info.context or None])
        return self

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
                self._vocabulary.token_bytes(token_id)  # refuses ids outside the vocabulary
            self._runner.check_length(len(prompt))
            if max(prompt) >= (self._embeddings.input_rows or self.info.vocab_size):
                raise ModelError(f"token {max(prompt)} has no row in the input embedding", hint="It cannot be read.")


class EmbeddingsOnly(_Held):
    """The vocabulary and matrices of a `weights:` source. Implements `HasWeights`, and does not run."""


def _quantised(info: ModelInfo) -> tuple[str, ...]:
    """What is said beside numbers that come from quantised weights."""
    return (f"quantised weights ({info.quantisation}), dequantised for every number",) * bool(info.quantisation)


def notes_on(embeddings: Embeddings) -> tuple[str, ...]:
    """Remarks on matrices with numbers that are none; reads them once."""
    matrices = {"W_E": (embeddings.input, embeddings.input_rows)}
    if embeddings.output is not None and not embeddings.tied:
        matrices["W_U"] = (embeddings.output, embeddings.output_rows)
    notes = []
    for name, (whole, present) in matrices.items():
        if present is not None:
            notes.append(f"{len(whole) - present:,} tokens, from id {present:,} on, have no row of {name}")
        matrix = whole[:present]
        slices = (matrix[first : first + _ROWS_AT_ONCE] for first in range(0, len(matrix), _ROWS_AT_ONCE))
        broken = sum(int((~rows.isfinite().all(dim=1)).sum()) for rows in slices)
        if broken:
            rows, hold = ("row", "holds") if broken == 1 else ("rows", "hold")
            notes.append(f"{broken:,} {rows} of {name} {hold} NaN or infinity")
    return tuple(notes)
