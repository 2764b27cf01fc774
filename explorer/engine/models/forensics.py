"""How a token came to be and what became of it: its merges from single bytes up, and the tokens that swallow it.

A BPE vocabulary keeps every step of its merges. A step whose every occurrence was at once merged further stands in no
tokenised text, so a model never learns it: ` SolidGoldMagik` and `InstoreAndOnline` are such leftovers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from explorer.engine.models.vocabulary import Vocabulary

DEEPEST = 64


def read_merge_parents(model: dict[str, Any], ids: dict[str, int]) -> dict[int, tuple[int, int]]:
    """id → the ids of the first merge that makes it, from the `model` part of a tokenizer's JSON."""
    parents: dict[int, tuple[int, int]] = {}
    marker = len(model.get("continuing_subword_prefix") or "")
    for merge in model.get("merges", ()):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        whole = ids.get(left + right[marker:])
        if whole is not None and left in ids and right in ids:
            parents.setdefault(whole, (ids[left], ids[right]))
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
