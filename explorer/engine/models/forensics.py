"""How a token came to be and what became of it: its merges from single bytes up, and the tokens that swallow it.

A BPE vocabulary keeps every step of its merges. A step whose every occurrence was at once merged further stands in no
tokenised text, so a model never learns it: ` SolidGoldMagik` and `InstoreAndOnline` are such leftovers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Int32

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from explorer.engine.models.vocabulary import Vocabulary

DEEPEST = 64


class _Model(msgspec.Struct):
    merges: list[str | tuple[str, str]] = []
    continuing_subword_prefix: str | None = None


class _Merges(msgspec.Struct):
    """Of a tokenizer's JSON, what tells its merges."""

    model: _Model


def read_merge_parents(tokenizer: Tokenizer, size: int) -> Int32[np.ndarray, "size 2"]:
    """The ids of the first merge that makes each token, -1 where there is none; for a vocabulary of `size` rows."""
    model = msgspec.json.decode(tokenizer.to_str(), type=_Merges).model
    ids = tokenizer.get_vocab(with_added_tokens=False)
    parents = np.full((size, 2), -1, dtype=np.int32)
    marker = len(model.continuing_subword_prefix or "")
    for merge in reversed(model.merges):  # of several that make a token the first stays
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        whole = ids.get(left + right[marker:], size)
        if whole < size and left in ids and right in ids:
            parents[whole] = ids[left], ids[right]
    return parents


class Merge(NamedTuple):
    """One merge on the way to a token."""

    token_id: int
    left: int
    right: int


def merge_path(vocabulary: Vocabulary, token_id: int) -> tuple[Merge, ...]:
    """Every merge that leads to the token, its own last, parts before wholes and each once; empty where it has none."""
    path: dict[int, Merge] = {}

    def climb(whole: int, depth: int) -> None:
        parents = vocabulary.merge_parents(whole)
        if parents is None or whole in path or depth > DEEPEST:
            return
        for part in parents:
            climb(part, depth + 1)
        path[whole] = Merge(whole, *parents)

    climb(token_id, 0)
    return tuple(path.values())


class MergeIndex:
    """For each token, the tokens that a merge makes of it: built once, in one pass over the vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._made: dict[int, list[int]] = {}
        for whole in range(vocabulary.size):
            for part in set(vocabulary.merge_parents(whole) or ()):
                self._made.setdefault(part, []).append(whole)

    def swallowed_by(self, token_id: int) -> tuple[int, ...]:
        """The tokens of whose merge it is a part, by id."""
        return tuple(self._made.get(token_id, ()))
