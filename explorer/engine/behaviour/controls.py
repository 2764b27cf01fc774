"""Ordinary tokens to ask the same of, so that "cannot repeat it" can be told from "cannot repeat anything"."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from explorer.base.records.tokens import CATEGORIES

if TYPE_CHECKING:
    from explorer.engine.models.vocabulary import Vocabulary


def draw_controls(
    vocabulary: Vocabulary, token_id: int, count: int, seed: int, trained: npt.NDArray[np.bool_] | None = None
) -> tuple[int, ...]:
    """Up to `count` ordinary ids like `token_id`, drawn by `seed`: never the token itself nor a special one.

    Ordinary is category `ok` (text that its tokenizer turns back into the same id) and, where `trained`
    [vocab] is given, a token that no indicator suspects. Alike is, first, beginning
    with a space or not, then the number of bytes: the draw is among those of equal length, and goes to
    the next nearest lengths when they run out. Fewer come back where the vocabulary has no more.
    """
    if count == 0:
        return ()
    ordinary = np.flatnonzero(vocabulary.categories == CATEGORIES.index("ok"))
    if trained is not None:
        ordinary = ordinary[trained[ordinary]]
    candidates = np.setdiff1d(ordinary, [token_id, *vocabulary.special_ids])
    joined, offsets = vocabulary.blob()
    begins_with_space = joined[offsets[candidates]] == ord(" ")
    subject = vocabulary.token_bytes(token_id)
    unlike_start = begins_with_space != subject.startswith(b" ")
    unlike_length = np.abs(np.diff(offsets)[candidates] - len(subject))
    # The second number of the key keeps this draw apart from those of the samples, which have one.
    draw = np.random.default_rng(np.random.SeedSequence(seed % 2**64, spawn_key=(0, 1)))
    order = np.lexsort((draw.permutation(len(candidates)), unlike_length, unlike_start))
    return tuple(int(candidate) for candidate in candidates[order[:count]])
