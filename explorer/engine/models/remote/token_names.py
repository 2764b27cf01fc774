"""Which token a server means where it names it by its bytes or its text: the only one that has them, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from explorer.engine.models.remote.backend import Likeliest, in_order
from explorer.engine.models.remote.checks import BadAnswer, checked_ids, checked_logprob
from explorer.engine.models.vocabulary import Vocabulary

SEVERAL, NONE = -1, -2
"""Instead of an id: several tokens are called so; no token of the tokenizer at hand is."""
ZERO = -9998.0
"""−9999 stands for −inf."""


class Named(NamedTuple):
    """One token in an answer, as far as it is named."""

    text: str
    logprob: float | None
    bytes: bytes | None = None
    id: int | None = None


class TokenNames:
    """Tokens by their names. Texts that are no whole letters name several: servers write U+FFFD for the rest."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._by_bytes: dict[bytes, int] = {}
        for token_id in range(vocabulary.tokenizer_size):
            token = vocabulary.token_bytes(token_id)
            self._by_bytes[token] = SEVERAL if token in self._by_bytes else token_id
        self._by_bytes.pop(b"", None)

    def find(self, named: Named) -> int:
        """Its id, `SEVERAL` or `NONE`; raises `BadAnswer` for an id that has other bytes here."""
        if named.id is not None:
            checked_ids([named.id], self._vocabulary.size)
            mine = self._vocabulary.token_bytes(named.id)
            special = named.id in self._vocabulary.special_ids
            if named.bytes and mine and not special and named.bytes != mine:
                raise BadAnswer(f"its id {named.id} is another token than here")
            return named.id
        if named.bytes:
            return self._by_bytes.get(named.bytes, NONE)
        if "\ufffd" in named.text or not named.text:
            return SEVERAL
        return self._by_bytes.get(named.text.encode(), NONE)

    def likeliest(self, place: Sequence[Named], count: int) -> Likeliest:
        """The `count` likeliest of what was named at a place."""
        ids, logprobs, unnamed = [], [], []
        for named in place:
            logprob = checked_logprob(named.logprob, ZERO)
            if (token_id := self.find(named)) >= 0:
                ids.append(token_id)
                logprobs.append(logprob)
            else:
                unnamed.append(logprob)
        if len(set(ids)) != len(ids):
            raise BadAnswer("it names a token twice")
        least = sorted((*logprobs, *unnamed), reverse=True)[:count][-1:]
        found = in_order(ids, logprobs)
        kept = found.logprobs >= np.float32(least[0]) if least else np.zeros(0, dtype=np.bool_)
        unnamed = [each for each in unnamed if each >= least[0]]
        return Likeliest(found.ids[kept], found.logprobs[kept], tuple(unnamed))
