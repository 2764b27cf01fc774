"""A checked question about a model's unembedding, and where its answers are on disk."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from explorer.base.errors import ExplorerError
from explorer.base.records.speakability import (
    SpeakabilityMode,
)
from explorer.engine.answers.speakability.unembedding import Unembedding, Unembeddings
from explorer.engine.core.speakability.geometry import Ground
from explorer.engine.core.speakability.questions import Question
from explorer.engine.models.abilities import HasWeights


@dataclass(frozen=True)
class Asked:
    """A checked question about a model's unembedding."""

    model: HasWeights
    mode: SpeakabilityMode
    found: Unembedding
    question: Question | None
    """None for `own_direction`."""
    digest: str
    ground: Ground

    def path(self, cache: Path, mode: str) -> Path:
        """The file of this question, or of `own_direction` about the same numbers."""
        return cache / self.digest / f"{mode}.sqlite"

    def places(self, token_ids: Sequence[int]) -> Int64[np.ndarray, " n"]:
        """Rows of tokens. Raises `ExplorerError` for one that has none."""
        ids = np.array([max(-1, min(one, 2**62)) for one in token_ids], dtype=np.int64)
        places = np.searchsorted(self.found.token_ids, ids)
        inside = places < len(self.found.token_ids)
        inside[inside] = self.found.token_ids[places[inside]] == ids[inside]
        if not inside.all():
            raise ExplorerError(
                f"token {token_ids[int(inside.argmin())]} of {self.model.info.name} is padding or out of range",
                hint=f"Name ids from 0 to {self.model.info.tokenizer_size - 1}.",
            )
        return np.asarray(places)

    @property
    def words(self) -> str:
        """Which x are admissible."""
        width = self.found.rows.shape[1]
        if self.question is None:
            return "x is the token's own row: who wins there (the post's list of tokens hard to speak)"
        if self.mode == "cone":
            return "any x at all, without a bias: is the token's row a vertex of the hull of all rows"
        if self.mode == "box":
            return "every entry of x at most 1 in size: the post's linear program"
        held = ", its entries summing to 0: what a LayerNorm delivers" if self.question.mean_zero else ""
        return f"x no longer than sqrt({width}) = {self.question.radius:.4g}{held}"

    def device(self) -> str:
        """Where matrix products are done."""
        return self.model.info.device if self.model.info.device.startswith("cuda") else "cpu"


def ask(
    model: HasWeights, mode: SpeakabilityMode, *, bias: bool, folded: bool, kept: Unembeddings | None = None
) -> Asked:
    """Check a question; what `kept` knows of the model is used and added to.

    Raises `ExplorerError` where it makes no sense of this model.
    """
    if mode == "cone" and bias:
        raise ExplorerError("the cone has no bias: with any x at all, a bias can be outgrown", hint="Use --no-bias.")
    known = (kept or Unembeddings()).of(model, folded=folded, bias=bias)
    found = known.found
    question = None
    if mode != "own_direction":
        radius = math.sqrt(found.rows.shape[1]) if mode == "ball" else 1.0
        question = Question(mode, radius, bias, mean_zero=mode == "ball" and found.mean_zero)
    digest = hashlib.sha256(f"{known.digest} {model.info.tokenizer_digest} {bias}".encode()).hexdigest()[:32]
    return Asked(model, mode, found, question, digest, known.ground)
