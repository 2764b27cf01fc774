"""Some tokens side by side: their indicators, and how near they are to each other."""

from __future__ import annotations

import math
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from explorer.base.errors import UsageError
from explorer.base.records.compare import FEWEST, MOST, CompareTokens, TokenComparison, TokenPair
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.vocabulary import Read
from explorer.engine.control import Control
from explorer.engine.core.neighbours import distances_to
from explorer.engine.models.abilities import HasWeights, weights_of
from explorer.engine.queue import Work

Nearness = tuple[float | None, float | None]
"""(cosine, Euclidean distance)."""


def answer(engine: Holdings, request: CompareTokens, control: Control) -> Work:
    """The tokens side by side. Raises `UsageError` as `compare_tokens` does."""
    model = weights_of(engine.models.get(request.model))
    _check_ids(model, request.token_ids)
    return compare_tokens(model, (yield from engine.vocabularies.read(model, None)), request)


def compare_tokens(model: HasWeights, read: Read, request: CompareTokens) -> TokenComparison:
    """Answer `request`. Raises `UsageError` for ids that are not there, given twice, too few or too many."""
    ids = request.token_ids
    _check_ids(model, ids)
    embeddings = model.embeddings()
    inputs = nearness_of(embeddings.input[torch.tensor(ids)])
    outputs = None if embeddings.output is None else nearness_of(embeddings.output[torch.tensor(ids)])
    pairs = []
    for place, (one, other) in enumerate(combinations(ids, 2)):
        input_cosine, input_distance = inputs[place]
        output_cosine, output_distance = (None, None) if outputs is None else outputs[place]
        pairs.append(
            TokenPair(
                first=one, second=other, input_cosine=input_cosine, input_distance=input_distance,
                output_cosine=output_cosine, output_distance=output_distance,
            )
        )  # fmt: skip
    return TokenComparison(
        model=model.info.name,
        rows=tuple(read.columns.row(token_id) for token_id in ids),
        pairs=tuple(pairs),
        quantisation=model.info.quantisation,
    )


def nearness_of(rows: Float[Tensor, "n d_model"]) -> list[Nearness]:
    """Cosine and Euclidean distance of each two rows, in the order of `combinations`, as `neighbours` has them."""
    found: list[Nearness] = []
    for one in range(len(rows)):
        cosine = 1 - distances_to(rows, one, "cosine")
        euclidean = distances_to(rows, one, "euclidean")
        found += [(_number(cosine[other]), _number(euclidean[other])) for other in range(one + 1, len(rows))]
    return found


def _number(value: Tensor) -> float | None:
    return float(value) if math.isfinite(value) else None


def _check_ids(model: HasWeights, ids: tuple[int, ...]) -> None:
    size = model.vocabulary.size
    unknown = [token_id for token_id in ids if not 0 <= token_id < size]
    if unknown:
        raise UsageError(
            f"token id {unknown[0]} is out of range: {model.info.name} has 0 … {size - 1}",
            hint="Choose ids in that range.",
        )
    if not FEWEST <= len(set(ids)) == len(ids) <= MOST:
        raise UsageError(
            f"{len(set(ids))} tokens cannot be compared" if len(set(ids)) == len(ids) else "a token is given twice",
            hint=f"Name {FEWEST} to {MOST} different tokens.",
        )
