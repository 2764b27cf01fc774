"""All tokens' bytes as one array: what travels through the pipe, what is searched, and what a digest is taken of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt


class TokenBlob:
    """The bytes of tokens one after the other."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self._tokens = tokens

    @cached_property
    def arrays(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """The bytes, uint8 [total], and where each token begins, int64 [tokens + 1]."""
        offsets = np.zeros(len(self._tokens) + 1, dtype=np.int64)
        np.cumsum([len(token) for token in self._tokens], out=offsets[1:])
        return np.frombuffer(b"".join(self._tokens), dtype=np.uint8), offsets

    def containing(self, token: bytes) -> list[int]:
        """The tokens whose bytes contain `token`, shortest first, then by id; none for no bytes."""
        needle = np.frombuffer(token, dtype=np.uint8)
        if not len(needle):
            return []
        joined, offsets = self.arrays
        last = len(joined) - len(needle) + 1
        places = np.flatnonzero(joined[:last] == needle[0])
        for step in range(1, len(needle)):
            places = places[joined[places + step] == needle[step]]
        owners = np.searchsorted(offsets, places, side="right") - 1
        found = np.unique(owners[places + len(needle) <= offsets[owners + 1]])
        lengths = np.diff(offsets)[found]
        return [int(owner) for owner in found[np.lexsort((found, lengths))]]

    def digest(self) -> str:
        """SHA-256 of the number of tokens, where each begins (int64) and their bytes; first 32 hex digits."""
        joined, offsets = self.arrays
        content = hashlib.sha256(len(self._tokens).to_bytes(8, "little"))
        content.update(offsets.astype("<i8").tobytes())
        content.update(joined.tobytes())
        return content.hexdigest()[:32]
