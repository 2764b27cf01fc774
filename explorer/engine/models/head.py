"""The head of a model, the product of hidden states with the unembedding, apart from its blocks.

However few rows there are, a head reads all its weights from memory (Gemma 3 270M's: 671 MB in float32). So blocks
leave hidden states, and the head runs once for all rows, when something is read of them. Where the likeliest id and a
few log-probabilities are all that is wanted, it runs slice by slice of the vocabulary and whole logits are never held:
slices stay in the processor's cache. Measured on a CPU at 12 and 32 rows of that model: 9.6 and 5.9 ms a row, against
11.7 and 7.3 by whole logits.

Some models change logits after the product (a soft cap, a scale); which do is found out by `find_head`, not listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from explorer.engine.models.prediction import UNKNOWN, Prediction, Wanted, refuse_nan

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SLICE = {"cpu": 1536, "cuda": 2**17}
"""Tokens a slice. On a CPU, of 512 to 32,768 the quickest at 4 to 96 rows; a multiple of the columns that its matrix
products take at once, so that tokens with identical rows get identical logits wherever they stand."""
PROBED_SPREAD = 100.0
"""Standard deviation of the logits at which `find_head` looks for changes after the product: caps are at 15 to 50."""


@dataclass(frozen=True)
class Head:
    """The last product of a model, and the module that leaves the states for it."""

    body: nn.Module
    product: nn.Linear

    def logits(self, states: Float[Tensor, "rows d_model"]) -> Float32[Tensor, "rows vocab"]:
        """Whole logits."""
        found: Float32[Tensor, "rows vocab"] = self.product(states).to(torch.float32)
        return found

    def predict(self, states: Float[Tensor, "rows d_model"], wanted: Wanted) -> Prediction:
        """What `prediction.predict` tells of the logits of all rows, for a `wanted` that `is_sliceable`."""
        found = _Reduced(states, wanted.targets)
        for first, part in self._slices(states):
            found.take(first, part)
        if wanted.strict:
            refuse_nan(found.norm)
        own = found.logprobs()
        return Prediction(
            logprobs=own,
            exact=np.ones(own.shape, dtype=np.bool_),
            ranks=np.full(own.shape, UNKNOWN, dtype=np.int64),
            top_ids=np.zeros((len(own), 0), dtype=np.int64),
            top_logprobs=np.zeros((len(own), 0), dtype=np.float32),
            chosen=found.best_ids.cpu().numpy() if wanted.choice else None,
            chosen_logprobs=(-found.norm).cpu().numpy() if wanted.choice else None,
        )

    def _slices(self, states: Float[Tensor, "rows d_model"]) -> Iterator[tuple[int, Float32[Tensor, "rows slice"]]]:
        """In ascending order. The last slice reaches back over tokens that were in the one before, and leaves them out:
        a narrower product sums the same numbers in another order."""
        weight, bias = self.product.weight, self.product.bias
        step = SLICE["cuda" if states.is_cuda else "cpu"]
        for first in range(0, len(weight), step):
            begin = max(0, min(first, len(weight) - step))
            part = slice(begin, begin + step)
            found = nn.functional.linear(states, weight[part], None if bias is None else bias[part])
            yield first, found[:, first - begin :].float()


def is_sliceable(wanted: Wanted) -> bool:
    """Whether nothing is wanted but log-probabilities of some ids and the likeliest one."""
    drawn = wanted.choice is not None and wanted.choice.temperature > 0
    return not (drawn or wanted.ranks or wanted.top or wanted.entropy)


class _Reduced:
    """Log-softmax and the likeliest id of each row, slice after slice of the vocabulary, in ascending order."""

    def __init__(self, states: Float[Tensor, "rows d_model"], targets: Any) -> None:
        rows, device = len(states), states.device
        ids = np.zeros((rows, 0), dtype=np.int64) if targets is None else np.asarray(targets, dtype=np.int64)
        self._targets: Int64[Tensor, "rows targets"] = torch.from_numpy(ids).to(device)
        self._own = torch.full(ids.shape, -torch.inf, device=device)
        self._total = torch.zeros(rows, device=device)
        """Sum of exp(logit − best)."""
        self.best = torch.full((rows,), -torch.inf, device=device)
        self.best_ids: Int64[Tensor, " rows"] = torch.zeros(rows, dtype=torch.int64, device=device)

    def take(self, first: int, part: Float32[Tensor, "rows slice"]) -> None:
        """Add the logits of the tokens from `first` on; writes over them."""
        top, place = part.max(dim=-1)  # NaN is the greatest, as for argmax; of equals the first
        better = (top > self.best) | (top.isnan() & ~self.best.isnan())
        best = torch.maximum(self.best, top)
        offset = self._targets - first
        here = (offset >= 0) & (offset < part.shape[1])
        self._own = torch.where(here, part.gather(1, offset.clamp(0, part.shape[1] - 1)), self._own)
        shift = best.masked_fill(best == -torch.inf, 0.0)  # else −inf less −inf, for tokens that are just impossible
        new = part.sub_(shift[:, None]).exp_().sum(dim=-1)
        self._total = self._total * (self.best - shift).exp() + new
        self.best, self.best_ids = best, torch.where(better, place + first, self.best_ids)

    @property
    def norm(self) -> Float32[Tensor, " rows"]:
        """By how much the log-probability of the best is below 0; NaN where the row is no distribution."""
        return self.best - self.best + self._total.log()

    def logprobs(self) -> Float32[np.ndarray, "rows targets"]:
        """Of the targets; minus infinity for ids beyond the head's rows."""
        found: Float32[np.ndarray, "rows targets"]
        found = ((self._own - self.best[:, None]) - self.norm[:, None]).cpu().numpy()
        return found


@torch.no_grad()
def find_head(model: PreTrainedModel, ids: Sequence[int], tolerance: float) -> Head | None:
    """The head of `model` where its logits are the bare product of what its blocks leave; else None.

    Found out with the prompt `ids`: its states are enlarged on their way to the head, so that a cap shows.
    `tolerance`: how far logits may differ, as a share of their standard deviation.
    """
    body, product = model.base_model, model.get_output_embeddings()
    if body is model or type(product) is not nn.Linear:
        return None
    head = Head(body, product)
    given = {"input_ids": torch.tensor([list(ids)], device=model.device), "use_cache": False}
    try:
        left, enlarged, logits = _enlarge(model, head, given)
        alone = body(**given).last_hidden_state[0]
    except Exception:  # a stranger's architecture: no body of its own, or one that is called otherwise
        return None
    same = _agree(alone, left, tolerance) and _agree(head.logits(enlarged), logits, tolerance)
    return head if same else None


def _enlarge(model: PreTrainedModel, head: Head, given: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """What the blocks leave, the same enlarged, and the logits that the model makes of the latter; a row a position."""
    seen: list[Tensor] = []

    def enlarge(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        states = output.last_hidden_state
        larger = states * (PROBED_SPREAD / head.logits(states[0]).std()).to(states.dtype)
        seen.extend((states[0], larger[0]))
        output.last_hidden_state = larger
        return output

    hook = head.body.register_forward_hook(enlarge)
    try:
        logits: Tensor = model(**given).logits[0]
    finally:
        hook.remove()
    left, enlarged = seen
    return left, enlarged, logits.float()


def _agree(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether they are of one shape and nowhere further apart than the share `tolerance` of their spread."""
    return one.shape == other.shape and bool(((one - other).abs() <= tolerance * other.float().std()).all())
