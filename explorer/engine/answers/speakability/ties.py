"""Tokens that score exactly as much as another one at every x: neither is ever ahead, and yet one of them is said."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from jaxtyping import Int64

from explorer.base.records.speakability import SpeakabilityRow
from explorer.engine.answers.speakability.asked import Asked
from explorer.engine.answers.speakability.unembedding import Unembedding


def tell_ties(asked: Asked, rows: Sequence[SpeakabilityRow]) -> list[SpeakabilityRow]:
    """The rows, each unspeakable one with the other tokens of the same row and bias. One pass over all rows, where
    there is one that is unspeakable."""
    lost = [row.token.token_id for row in rows if row.verdict == "unspeakable"]
    if not lost:
        return list(rows)
    ref, ids = asked.model.vocabulary.ref, asked.found.token_ids
    ties = {
        token_id: tuple(ref(int(ids[place])) for place in same)
        for token_id, same in zip(lost, _same(asked.found, asked.places(lost)), strict=True)
    }
    return [msgspec.structs.replace(row, tied=ties.get(row.token.token_id, ())) for row in rows]


def _same(found: Unembedding, places: Int64[np.ndarray, " n"]) -> list[list[int]]:
    """For each place, the others whose row and bias are equal to the last bit, in rising order."""
    wanted = found.rows[places]
    same: list[list[int]] = [[] for _ in places]
    for part, rows in found.rows.parts():
        for at, place in enumerate(places.tolist()):
            near = np.flatnonzero(rows[:, 0] == wanted[at, 0])  # most rows differ in their first number
            equal = near[(rows[near] == wanted[at]).all(axis=1)] + part.start
            if found.bias is not None:
                equal = equal[found.bias[equal] == found.bias[place]]
            same[at] += equal[equal != place].tolist()
    return same
