"""The unembedding that speakability asks about: W_U as it is or with the final norm folded in, and what x can be."""

from __future__ import annotations

import copy
import hashlib
import threading
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from explorer.base.errors import ExplorerError
from explorer.base.records.tokens import CATEGORIES
from explorer.engine.core.speakability.biases import bound_below
from explorer.engine.core.speakability.geometry import Ground
from explorer.engine.core.speakability.rows import Rows
from explorer.engine.models.abilities import HasHidden, HasWeights, has_hidden
from explorer.engine.models.lens import folded_unembedding
from explorer.engine.models.memory import free_memory

PADDING = CATEGORIES.index("padding")
KEPT_SHARE = 8
"""What was worked out about an unembedding is kept where it takes at most one in so many of the free bytes."""


@dataclass(frozen=True)
class Unembedding:
    """Token `token_ids[j]` scores rows[j]·(x + shift) + bias[j]."""

    token_ids: Int64[np.ndarray, " n"]
    """Ascending; rows of padding are left out."""
    rows: Rows
    bias: Float64[np.ndarray, " n"] | None
    shift: Float64[np.ndarray, " d_model"] | None
    mean_zero: bool
    """Whether the norm delivers only x whose entries sum to 0."""
    notes: tuple[str, ...] = ()

    def digest(self) -> str:
        """SHA-256 of all these numbers, first 32 hexadecimal digits."""
        sums = hashlib.sha256(str((self.rows.shape, self.mean_zero)).encode())
        sums.update(self.token_ids.tobytes())
        for _, rows in self.rows.parts():
            sums.update(np.ascontiguousarray(rows).data)
        for part in (self.bias, self.shift):
            sums.update(b"none" if part is None else np.ascontiguousarray(part).data)
        return sums.hexdigest()[:32]

    @property
    def total_bias(self) -> Float64[np.ndarray, " n"] | None:
        """Bias and shift together, as the post has it."""
        if self.shift is None:
            return self.bias
        moved = self.rows.along(self.shift)
        return np.asarray(moved if self.bias is None else moved + self.bias)


class StoredTensor:
    """A tensor whose rows are read where it lies (see `Stored`)."""

    def __init__(self, tensor: Float[Tensor, "stored d_model"]) -> None:
        self._tensor = tensor
        self.shape = tuple(tensor.shape)

    def __getitem__(self, places: slice | Int64[np.ndarray, " n"], /) -> Float64[np.ndarray, "n d_model"]:
        chosen = self._tensor[places if isinstance(places, slice) else torch.from_numpy(places)]
        return np.asarray(_numbers(chosen))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StoredTensor):
            return NotImplemented
        return self._tensor is other._tensor or torch.equal(self._tensor, other._tensor)

    def __hash__(self) -> int:
        return hash(self.shape)


def worked_out_bytes(vocab: int, d_model: int) -> int:
    """What a proof about one token takes and leaves: a few numbers a row, a few square matrices, some parts of rows."""
    return 8 * (16 * vocab + 16 * d_model**2)


@dataclass(frozen=True)
class Known:
    """An unembedding with what was worked out about it."""

    found: Unembedding
    digest: str
    ground: Ground


class Unembeddings:
    """Keeps the one asked about last: a question about the next token takes milliseconds, not seconds.

    May be used from any thread; one reads at a time.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._model: HasWeights | None = None
        self._folded = False
        self._known: dict[bool, Known] = {}
        """By whether the bias counts."""

    def of(self, model: HasWeights, *, folded: bool, bias: bool) -> Known:
        """Raises `ExplorerError` as `unembedding` does."""
        with self._lock:
            return self._of(model, folded=folded, bias=bias)

    def _of(self, model: HasWeights, *, folded: bool, bias: bool) -> Known:
        if self._model is not model or self._folded != folded:
            self.forget()
        elif bias in self._known:
            return self._known[bias]
        found, ground = unembedding(model, folded=folded, bias=bias), Ground()
        for other in self._known.values():
            if found.rows.are(other.found.rows):
                found, ground = replace(found, rows=other.found.rows), other.ground
        known = Known(found, found.digest(), ground)
        if worked_out_bytes(*found.rows.shape) * KEPT_SHARE <= free_memory("cpu").free:
            self._model, self._folded = model, folded
            self._known[bias] = known
        return known

    def forget(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._model = None
            self._known = {}


@dataclass(frozen=True)
class _Norm:
    """A final norm: gain ∘ (x less its mean, or x) / size + beta."""

    gain: Float64[np.ndarray, " d_model"]
    beta: Float64[np.ndarray, " d_model"] | None
    mean_zero: bool


def unembedding(model: HasWeights, *, folded: bool, bias: bool) -> Unembedding:
    """The rows, with the biases where `bias`. Raises `ExplorerError` where the model has none, or no known norm."""
    output, own = model.embeddings().output, model.embeddings().output_bias
    if output is None:
        raise ExplorerError(f"{model.info.name} has no unembedding", hint="Choose a model that predicts tokens.")
    kept = np.flatnonzero(np.asarray(model.vocabulary.categories[: model.embeddings().output_rows]) != PADDING)
    if not len(kept):
        raise ExplorerError(f"all rows of {model.info.name} are padding", hint="Load it with its tokenizer.")
    head = None if own is None or not bias else _numbers(own)
    norm = final_norm(model) if has_hidden(model) else None
    if norm is None:
        return _without_norm(model, kept, output, head, folded=folded, bias=bias)
    beta = norm.beta if bias and norm.beta is not None and norm.beta.any() else None
    if not folded:
        rows = Rows(StoredTensor(output), kept)
        return _checked(model, Unembedding(kept, rows, None if head is None else head[kept], beta, False))
    if beta is not None and not norm.gain.all():
        # Where a gain is 0 no shift of x stands for beta.
        head, beta = Rows(StoredTensor(output)).along(beta) + (0.0 if head is None else head), None
    shift = None if beta is None else beta / norm.gain
    rows = Rows(StoredTensor(output), kept, norm.gain)
    return _checked(model, Unembedding(kept, rows, None if head is None else head[kept], shift, norm.mean_zero))


def _without_norm(
    model: HasWeights,
    kept: Int64[np.ndarray, " n"],
    output: Float[Tensor, "vocab d_model"],
    head: Float64[np.ndarray, " vocab"] | None,
    *,
    folded: bool,
    bias: bool,
) -> Unembedding:
    notes: tuple[str, ...] = ()
    if folded:
        if not has_hidden(model):
            raise ExplorerError(
                f"{model.info.name} has only its embedding matrices here, and no final norm to fold into them",
                hint="Ask about the raw weights (--raw, or weights: raw in this form), or load the model itself.",
            )
        output, level = folded_unembedding(model)
        head = _numbers(level) if bias else None
        notes = ("the final norm is not one known here: folded by TransformerLens, its bias into the head's, and x "
                 "not held to a mean of 0",)  # fmt: skip
    elif bias:
        notes = ("the final norm is not known here: only the head's own bias counts",)
    rows = Rows(StoredTensor(output), kept)
    return _checked(model, Unembedding(kept, rows, None if head is None else head[kept], None, False, notes))


def _checked(model: HasWeights, found: Unembedding) -> Unembedding:
    if found.bias is not None and (forbidden := int(np.isneginf(found.bias).sum())):
        bias = bound_below(found.bias, float(found.rows.lengths.max()), found.shift, found.rows.shape[1])
        note = f"tokens with a bias of minus infinity, which nothing can make the model say: {forbidden:,}"
        found = replace(found, bias=bias, notes=(*found.notes, note))
    rest = (part for part in (found.bias, found.shift) if part is not None)
    if not (found.rows.are_finite and all(np.isfinite(part).all() for part in rest)):
        raise ExplorerError(
            f"the unembedding of {model.info.name} holds NaN or infinity",
            hint="No proof can be given about such weights.",
        )
    return found


def _numbers(values: Float[Tensor, "*axes"]) -> Any:
    return values.detach().to(device="cpu", dtype=torch.float64).numpy()


def final_norm(model: HasHidden) -> _Norm | None:
    """The norm whose output the head reads, found by running one token; None where there is none that is known."""
    head = model.hf.get_output_embeddings()
    outputs: list[tuple[torch.nn.Module, Tensor]] = []
    read: list[Tensor] = []
    hooks = [
        module.register_forward_hook(lambda module, given, made: outputs.append((module, made)))
        for module in model.hf.modules()
        if "norm" in type(module).__name__.lower()
    ]
    hooks.append(head.register_forward_pre_hook(lambda module, given: read.append(given[0])))
    try:
        with torch.no_grad():
            model.hf(input_ids=torch.zeros((1, 1), dtype=torch.int64, device=model.hf.device))
    finally:
        for hook in hooks:
            hook.remove()
    for module, made in reversed(outputs):
        if read and isinstance(made, Tensor) and torch.equal(made.reshape(-1)[-read[0].shape[-1] :],
                                                           read[0].reshape(-1)[-read[0].shape[-1] :]):  # fmt: skip
            return _probed(module, read[0].shape[-1])
    return None


def _probed(module: torch.nn.Module, width: int) -> _Norm | None:
    """The norm as numbers, if on a random x it does what a LayerNorm or RMSNorm with them does."""
    norm = copy.deepcopy(module).cpu().double()
    weight, bias = getattr(norm, "weight", None), getattr(norm, "bias", None)
    random = torch.Generator().manual_seed(0)
    x = 1000 * torch.randn(2, width, generator=random, dtype=torch.float64) + 500  # epsilon does not count here
    with torch.no_grad():
        there, back = norm(x), norm(-x)
    odd = _numbers((there - back) / 2)
    gains = [np.ones(width)] if weight is None else [_numbers(weight), 1 + _numbers(weight)]
    plain = _numbers(x)
    for mean_zero in (False, True):
        rest = plain - plain.mean(axis=1, keepdims=True) if mean_zero else plain
        unit = rest / np.sqrt((rest**2).mean(axis=1, keepdims=True))
        for gain in gains:
            if np.allclose(odd, gain * unit, rtol=1e-4, atol=1e-4):
                return _Norm(gain, None if bias is None else _numbers(bias), mean_zero)
    return None
