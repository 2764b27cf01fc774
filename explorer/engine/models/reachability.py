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
_ANCHORS = 3
"""Letters beside which a token is tried: with the rarest it may itself make a longer token (`qu`)."""


def encode_all(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text, without special tokens; in slices, so that 262k of them cost little memory."""
    found: list[list[int]] = []
    for start in range(0, len(texts), _BATCH):
        batch = tokenizer.encode_batch_fast(list(texts[start : start + _BATCH]), add_special_tokens=False)
        found.extend(encoding.ids for encoding in batch)
    return found


class Reencoder:
    """Encodes a token's text where that token could stand: alone, or, for a token that needs a neighbour
    (`##ing`; a piece without `</w>`), next to an anchor letter that joins with little.
    """

    def __init__(self, tokenizer: Tokenizer, spelling: Spelling, pieces: Sequence[str | None]) -> None:
        """`tokenizer` puts no space before the text (`token_bytes.without_dummy_prefix`)."""
        self._tokenizer = tokenizer
        self._after = bool(spelling.end_of_word)
        stands_alone = spelling.byte_level and not spelling.end_of_word
        letters = [] if stands_alone else _find_anchors(tokenizer, spelling, pieces)
        self._anchors = list(zip(letters, encode_all(tokenizer, letters), strict=True))

    def encode(self, token_id: int, text: str) -> list[int]:
        """The ids of `text`, the text of `token_id`: next to an anchor where the token comes back there and
        not alone, else alone."""
        return [token_id] if self.reachable([token_id], [text])[0] else encode_all(self._tokenizer, [text])[0]

    def reachable(self, token_ids: Sequence[int], texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """For each token whether its text comes back as it; bool [len(token_ids)]."""
        alone = encode_all(self._tokenizer, texts)
        good = np.array([ids == [token_id] for ids, token_id in zip(alone, token_ids, strict=True)], dtype=bool)
        for anchor, anchor_ids in self._anchors:
            left: list[int] = np.flatnonzero(~good).tolist()
            found = self._beside([texts[place] for place in left], anchor, anchor_ids)
            good[left] = [ids == [token_ids[place]] for ids, place in zip(found, left, strict=True)]
            for place in left:
                if texts[place].isspace():  # T5 drops spaces, but writes its `▁` before a word
                    good[place] |= token_ids[place] in encode_all(self._tokenizer, [texts[place] + anchor])[0]
        return good

    def _beside(self, texts: Sequence[str], anchor: str, anchor_ids: Sequence[int]) -> list[list[int]]:
        """The ids of each text next to the anchor, without the anchor's own."""
        cut = len(anchor_ids)
        if self._after:
            encoded = encode_all(self._tokenizer, [text + anchor for text in texts])
            return [ids[: len(ids) - cut] if ids[len(ids) - cut :] == anchor_ids else ids for ids in encoded]
        encoded = encode_all(self._tokenizer, [anchor + text for text in texts])
        return [ids[cut:] if ids[:cut] == anchor_ids else ids for ids in encoded]


def _find_anchors(tokenizer: Tokenizer, spelling: Spelling, pieces: Sequence[str | None]) -> list[str]:
    """The letters, at most `_ANCHORS`, that occur in the fewest pieces, stand for themselves and are left alone by the
    normaliser (which takes Chinese characters for words of their own)."""
    uses = Counter(letter for piece in pieces if piece for letter in set(piece))
    letters = [piece for piece in pieces if piece and len(piece) == 1 and piece.isalpha()]
    normaliser = tokenizer.normalizer
    found: list[str] = []
    for letter in sorted(letters, key=lambda letter: (uses[letter], letter)):
        shown = normaliser.normalize_str(letter) if normaliser is not None else letter
        spelled = spelling.token_bytes(letter, added=False, special=False)
        if shown == letter and spelled == letter.encode("utf-8", "surrogatepass"):
            found.append(letter)
        if len(found) == _ANCHORS:
            break
    return found
