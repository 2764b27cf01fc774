"""A token's neighbours in another model, beside those that it has in the first."""

from __future__ import annotations

import msgspec
import numpy as np

from explorer.base.errors import UsageError
from explorer.base.records.neighbours import Metric, Neighbourhood, NeighboursThere, NeighbourThere
from explorer.base.records.record import Progress
from explorer.base.records.tokens import CATEGORIES, TokenRef
from explorer.engine.answers.maps.kept import Telling
from explorer.engine.answers.maps.pairs import Shared, find_pair_axis, share_tokens
from explorer.engine.answers.maps.source import Source
from explorer.engine.core.neighbours import nearest


def add_neighbours_there(source: Source, other: Source, found: Neighbourhood, count: int) -> Telling[Neighbourhood]:
    """`found` with the `count` neighbours that the token with the subject's bytes has in `other`."""
    yield Progress(done=0, total=0, what=f"matching the tokens of {source.model.info.name} and {other.model.info.name}")
    shared = share_tokens(source, other)
    token_id = found.subject.token.token_id
    name, own = other.model.info.name, np.flatnonzero(shared.ours == token_id)
    if not len(own):
        return msgspec.structs.replace(found, there=NeighboursThere(model=name))
    twin = int(shared.theirs[own[0]])
    neighbours = _nearest_there(other, twin, count, found.metric)
    moved, more_than = yield from _moved(source, other, shared, token_id)
    there = NeighboursThere(
        model=name,
        token=other.model.vocabulary.ref(twin),
        neighbours=neighbours,
        absent=_absent([entry.token for entry in found.neighbours], other),
        absent_here=_absent([entry.token for entry in neighbours], source),
        moved=moved,
        moved_more_than=more_than,
    )
    return msgspec.structs.replace(found, there=there)


def _nearest_there(other: Source, twin: int, count: int, metric: Metric) -> tuple[NeighbourThere, ...]:
    vocabulary = other.model.vocabulary
    eligible = np.arange(vocabulary.size) < vocabulary.tokenizer_size
    found = nearest(other.matrix, twin, count, metric, eligible)
    return tuple(
        NeighbourThere(
            token=vocabulary.ref(token_id),
            category=CATEGORIES[int(vocabulary.categories[token_id])],
            distance=distance,
        )
        for token_id, distance in zip(found.token_ids.tolist(), found.distances.tolist(), strict=True)
    )


def _absent(tokens: list[TokenRef], model: Source) -> tuple[int, ...]:
    """The ids of the tokens whose bytes are none of the model's."""
    known = set(model.read.columns.byte_strings)
    strings = {token.token_id: bytes.fromhex(token.token_bytes).decode("latin-1") for token in tokens}
    return tuple(token_id for token_id, string in strings.items() if string not in known)


def _moved(source: Source, other: Source, shared: Shared, token_id: int) -> Telling[tuple[float | None, float | None]]:
    """How far the token moved, and the share of the shared ones that moved less; Nones where too few are shared."""
    try:
        kept = yield from find_pair_axis(source, other, shared, "moved")
    except UsageError:
        return None, None
    values = kept.values.numpy()
    known = values[~np.isnan(values)]
    return float(values[token_id]), float((known < values[token_id]).mean())
