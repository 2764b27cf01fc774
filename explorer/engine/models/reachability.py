"""Which tokens a tokenizer can produce from text at all: the token's own text, in a fitting place, must
come back as that one id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from explorer.engine.models.token_bytes import Spelling

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_BATCH = 16_384


def encode_all(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text, without special tokens; in slices, so that 262k of them cost little memory."""
    found: list[list[int]] = []
    for start in range(0, len(texts), _BATCH):
        batch = tokenizer.encode_batch_fast(list(texts[start : start + _BATCH]), add_special_tokens=False)
        found.extend(encoding.ids for encoding in batch)
    return found


class Reencoder:
    """Encodes a token's text where that token could stand: alone, or, for a token that needs a neighbour
    (`##ing`; a piece without `</w>`), next to an anchor letter that joins with nothing.
    """

    def __init__(self, tokenizer: Tokenizer, spelling: Spelling, pieces: Sequence[str | None]) -> None:
        """`tokenizer` puts no space before the text (`token_bytes.without_dummy_prefix`)."""
        self._tokenizer = tokenizer
        self._after = bool(spelling.end_of_word)
        self._anchor = "" if spelling.byte_level else _find_anchor(tokenizer, pieces)  # byte-level tokens stand alone
        self._anchor_ids: list[int] = encode_all(tokenizer, [self._anchor])[0]

    def encode(self, token_id: int, text: str) -> list[int]:
        """The ids of `text`, the text of `token_id`: next to the anchor where the token comes back there and
        not alone, else alone."""
        alone = encode_all(self._tokenizer, [text])[0]
        return [token_id] if self._beside_anchor([text])[0] == [token_id] else alone

    def reachable(self, token_ids: Sequence[int], texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """For each token whether its text comes back as it; bool [len(token_ids)]."""
        alone = encode_all(self._tokenizer, texts)
        good = np.array([ids == [token_id] for ids, token_id in zip(alone, token_ids, strict=True)], dtype=bool)
        again: list[int] = np.flatnonzero(~good).tolist() if self._anchor else []
        beside = self._beside_anchor([texts[place] for place in again])
        good[again] = [ids == [token_ids[place]] for ids, place in zip(beside, again, strict=True)]
        return good

    def _beside_anchor(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text next to the anchor, without the anchor's own."""
        anchor, anchor_ids = self._anchor, self._anchor_ids
        cut = len(anchor_ids)
        if self._after:
            encoded = encode_all(self._tokenizer, [text + anchor for text in texts])
            return [ids[: len(ids) - cut] if ids[len(ids) - cut :] == anchor_ids else ids for ids in encoded]
        encoded = encode_all(self._tokenizer, [anchor + text for text in texts])
        return [ids[cut:] if ids[:cut] == anchor_ids else ids for ids in encoded]


def _find_anchor(tokenizer: Tokenizer, pieces: Sequence[str | None]) -> str:
    """The letter that occurs in the fewest pieces and is left alone by the normaliser (which takes Chinese
    characters for words of their own); empty where there is none."""
    uses = Counter(letter for piece in pieces if piece for letter in set(piece))
    letters = [piece for piece in pieces if piece and len(piece) == 1 and piece.isalpha()]
    for letter in sorted(letters, key=lambda letter: (uses[letter], letter)):
        normaliser = tokenizer.normalizer
        shown = normaliser.normalize_str(letter) if normaliser is not None else letter
        if shown == letter:
            return letter
    return ""
