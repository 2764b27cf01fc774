"""A token's neighbourhood: exact nearest neighbours, their place in the plane, and likeness of meaning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from explorer.base.errors import ExplorerError
from explorer.base.records.neighbours import FindNeighbours, Neighbour, Neighbourhood
from explorer.base.records.tokens import CATEGORIES
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.maps.kept import Telling
from explorer.engine.answers.maps.source import read_source
from explorer.engine.answers.meaning import read_encoder
from explorer.engine.answers.neighbours_there import add_neighbours_there
from explorer.engine.answers.vocabulary import Read
from explorer.engine.control import Control
from explorer.engine.core.neighbours import nearest
from explorer.engine.core.projection import pca_plane
from explorer.engine.models.abilities import HasWeights
from explorer.engine.queue import Work, until_cancelled


def answer(engine: Holdings, request: FindNeighbours, control: Control) -> Work:
    """The nearest tokens of one token. Raises `ExplorerError` as `find_neighbours` does."""
    return (yield from until_cancelled(_find_both(engine, request), control))


def _find_both(engine: Holdings, request: FindNeighbours) -> Telling[Neighbourhood]:
    source = yield from read_source(engine, request.model, request.space)
    found = find_neighbours(source.model, source.read, request)
    if not request.other:
        return found
    other = yield from read_source(engine, request.other, request.space)
    return (yield from add_neighbours_there(source, other, found, request.k))


def find_neighbours(model: HasWeights, read: Read, request: FindNeighbours) -> Neighbourhood:
    """Answer `request`. Raises `ExplorerError` for an id out of range, k < 1, or a matrix that is not there."""
    vocabulary, matrix = model.vocabulary, _matrix(model, request)
    eligible = np.arange(vocabulary.size) < vocabulary.tokenizer_size
    try:
        found = nearest(matrix, request.token_id, request.k, request.metric, eligible)
    except ValueError as error:
        raise ExplorerError(str(error)) from error
    everyone = [request.token_id, *found.token_ids.tolist()]
    points, variance = pca_plane(matrix[torch.tensor(everyone)].double().cpu().numpy())
    meanings = _meanings(request.encoder, [vocabulary.text(one) for one in everyone])
    neighbours = [
        Neighbour(
            token=vocabulary.ref(token_id),
            category=CATEGORIES[int(vocabulary.categories[token_id])],
            distance=distance,
            x=float(x),
            y=float(y),
            indicators=read.columns.row(token_id).indicators,
            meaning=meaning,
        )
        for token_id, distance, (x, y), meaning in zip(
            everyone, [found.own_distance, *found.distances.tolist()], points, meanings, strict=True
        )
    ]
    return Neighbourhood(
        model=model.info.name,
        metric=request.metric,
        space=request.space,
        subject=neighbours[0],
        neighbours=tuple(neighbours[1:]),
        variance=variance,
        indicator_ranges=_ranges(read),
    )


def _matrix(model: HasWeights, request: FindNeighbours) -> torch.Tensor:
    embeddings = model.embeddings()
    if request.space == "input":
        return embeddings.input
    if embeddings.output is None:
        raise ExplorerError(f"{model.info.name} has no output embeddings", hint="Look in the input embeddings (W_E).")
    return embeddings.output


def _ranges(read: Read) -> dict[str, tuple[float, float, float]]:
    ranges = {}
    for name in read.sent.indicators:
        values = read.columns.values(name)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, middle, high = np.percentile(finite, (5, 50, 95))
            ranges[name] = (float(low), float(middle), float(high))
    return ranges


def _meanings(encoder: str, texts: Sequence[str]) -> list[float | None]:
    """Cosine of each text's sentence embedding with the first text's; Nones where no encoder was given."""
    if not encoder:
        return [None] * len(texts)
    vectors = read_encoder(encoder).encode([text.strip() or text for text in texts], normalize_embeddings=True)
    return [float(value) for value in np.asarray(vectors, dtype=np.float64) @ np.asarray(vectors[0], dtype=np.float64)]
