"""Ordinary tokens to ask the same of, so that "cannot repeat it" can be told from "cannot repeat anything"."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Int

from explorer.base.records.tokens import CATEGORIES

if TYPE_CHECKING:
    from explorer.engine.models.vocabulary import Vocabulary


class Shape(NamedTuple):
    """What a text looks like, as far as it matters to whether it can be quoted back."""

    script: str
    """Of its first letter (`LATIN`, `CJK`, `ARABIC`); empty where it has none."""
    letters_only: bool
    """But for spaces around it."""
    spaced: bool
    """Whether it begins with a space."""
    length: int
    """In characters."""
    quotable: bool
    """Whether a letter or a digit is in it: nobody quotes whitespace or dashes back as they were."""


def shape_of(text: str) -> Shape:
    """The shape of a text."""
    bare = text.strip()
    kinds = [_kind(character) for character in bare]
    script = next((kind for kind in kinds if len(kind) > 1), "")
    return Shape(script, bool(kinds) and all(len(kind) > 1 or kind == "M" for kind in kinds), text.startswith(" "),
                 len(text), bool(script) or "N" in kinds)  # fmt: skip


@cache
def _kind(character: str) -> str:
    """The script of a letter, the first word of its Unicode name; of others the general category's first letter."""
    category = unicodedata.category(character)[0]
    return unicodedata.name(character, "LETTER").split()[0] if category == "L" else category


class _Shapes(NamedTuple):
    """The shapes of all ordinary tokens of a vocabulary that may be quoted, one entry each."""

    token_ids: Int[np.ndarray, " n"]
    scripts: npt.NDArray[np.str_]
    letters_only: Bool[np.ndarray, " n"]
    spaced: Bool[np.ndarray, " n"]
    lengths: Int[np.ndarray, " n"]


_known: WeakKeyDictionary[Vocabulary, _Shapes] = WeakKeyDictionary()


def _shapes(vocabulary: Vocabulary) -> _Shapes:
    """Made at first use (a second for 262,144 tokens), kept as long as the vocabulary is."""
    if vocabulary not in _known:
        ordinary = np.flatnonzero(vocabulary.categories == CATEGORIES.index("ok")).tolist()
        found = [(token_id, shape_of(vocabulary.text(token_id))) for token_id in ordinary]
        ids, shapes = [], []
        for token_id, shape in found:
            if shape.quotable and token_id not in vocabulary.special_ids:
                ids.append(token_id)
                shapes.append(shape)
        _known[vocabulary] = _Shapes(
            np.array(ids, dtype=np.int64),
            np.array([shape.script for shape in shapes], dtype=np.str_),
            np.array([shape.letters_only for shape in shapes], dtype=np.bool_),
            np.array([shape.spaced for shape in shapes], dtype=np.bool_),
            np.array([shape.length for shape in shapes], dtype=np.int64),
        )
    return _known[vocabulary]


def draw_controls(
    vocabulary: Vocabulary, token_id: int, count: int, seed: int, trained: npt.NDArray[np.bool_] | None = None
) -> tuple[int, ...]:
    """Up to `count` ordinary ids like `token_id`, drawn by `seed`: never the token itself nor a special one.

    Ordinary is category `ok` (text that its tokenizer turns back into the same id) with a letter or a digit in it
    and, where `trained` [vocab] is given, a token that is neither a reference token nor suspected nor known to be
    untrained. Alike is, first, the script and being of letters only (both, then either), then beginning with a space
    or not, then the number of characters: the draw is among those of equal length, and goes to the next nearest
    lengths when they run out. Fewer come back where the vocabulary has no more.
    """
    if count == 0:
        return ()
    subject, shapes = shape_of(vocabulary.text(token_id)), _shapes(vocabulary)
    ids = shapes.token_ids
    allowed = ids != token_id if trained is None else (ids != token_id) & trained[ids]
    letters = 2 * (shapes.scripts != subject.script) + (shapes.letters_only != subject.letters_only)
    unlike = (
        np.abs(shapes.lengths - subject.length)[allowed],
        (shapes.spaced != subject.spaced)[allowed],
        letters[allowed] * bool(subject.script),  # what has no letters is like any word
    )
    # The second number of the key keeps this draw apart from those of the samples, which have one.
    draw = np.random.default_rng(np.random.SeedSequence(seed % 2**64, spawn_key=(0, 1)))
    order = np.lexsort((draw.permutation(int(allowed.sum())), *unlike))
    return tuple(int(control) for control in ids[allowed][order[:count]])
