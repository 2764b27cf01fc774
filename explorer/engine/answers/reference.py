"""The reference tokens of a model: where untrained rows lie by them, and which of them look trained after all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from explorer.base.records.vocabulary import BYTE, CHOSEN, MARKED, NAME, PADDING_ROW, TWIN, UnusedReference
from explorer.engine.core.reference import find_centre

LOOKS_TRAINED = ", looks trained"
_KINDS: tuple[tuple[tuple[str, ...], str], ...] = (
    ((BYTE,), "bytes never in UTF-8"),
    ((TWIN,), "identical rows"),
    ((NAME, MARKED, PADDING_ROW), "named and padding rows"),
)
"""Kinds of reference tokens, the surest first: a byte that stands in no text; rows that training never told apart;
what only somebody's naming or a row's place promises."""


@dataclass(frozen=True)
class Reference:
    """What indicators measure against, and what is to be said of it."""

    tokens: tuple[UnusedReference, ...]
    token_ids: tuple[int, ...]
    """Those of them that do not look trained."""
    centre: Float[Tensor, " d_model"] | None = None
    """None: the mean of `token_ids`."""
    words: str = ""
    weakness: str = ""
    """Why it is not to be relied on; empty where nothing speaks against it."""
    notes: tuple[str, ...] = ()


def judge_reference(
    matrix: Float[Tensor, "vocab d_model"] | None,
    tokens: tuple[UnusedReference, ...],
    candidates: Bool[np.ndarray, " vocab"],
) -> Reference:
    """What the reference `tokens` say in `matrix`, and which of them look trained (`core.reference.find_centre`).

    Tokens that the user chose are taken as they are, and their mean, as in "Fishing for Magikarp".
    """
    ids = tuple(entry.token_id for entry in tokens)
    if matrix is None or not tokens or tokens[0].reason == CHOSEN:
        return Reference(tokens, ids, words=f"{len(ids):,} chosen reference tokens")
    kinds = [_ids_of(tokens, reasons) for reasons, _ in _KINDS]
    centre = find_centre(matrix, kinds, candidates)
    if centre is None:
        return Reference(tokens, ids)
    trained = frozenset(centre.trained)
    marked = tuple(
        msgspec.structs.replace(entry, reason=entry.reason + LOOKS_TRAINED) if entry.token_id in trained else entry
        for entry in tokens
    )
    used = kinds[centre.kind]
    weakness = "" if centre.agrees else "one reference token" if len(used) == 1 else "reference tokens look trained"
    note = f"{len(trained):,} of {len(ids):,} reference tokens look trained."
    return Reference(
        marked,
        tuple(token_id for token_id in ids if token_id not in trained),
        centre.row,
        f"{len(set(used) - trained):,} {_KINDS[centre.kind][1]}",
        weakness,
        (note,) if trained else (),
    )


def _ids_of(tokens: Sequence[UnusedReference], reasons: tuple[str, ...]) -> list[int]:
    return [entry.token_id for entry in tokens if entry.reason.startswith(reasons)]
