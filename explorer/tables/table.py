"""A vocabulary as columns: what the token table shows, sorts and filters. NumPy only; the UI process runs it.

`TokenColumns` wraps a `records.VocabularyColumns`; `explorer.tables.ranking` puts its tokens into an order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from explorer.base.records.tokens import CATEGORIES, Category, TokenRow
from explorer.base.records.vocabulary import UnusedReference, VocabularyColumns
from explorer.base.text import decode, visible_bytes
from explorer.tables.filter_terms import TableError
from explorer.tables.number_format import NumberFormat
from explorer.tables.portions import finish, rank_strings
from explorer.tables.standing import midrank_percentiles, robust_z_scores

Column = npt.NDArray[np.float32]
Key = npt.NDArray[np.uint32]

PLAIN_SORTS = ("id", "token", "category", "bytes")
"""What can be sorted by besides the indicators: `token` by its bytes in dictionary order, `bytes` by their number."""


@dataclass(frozen=True)
class AddedColumn:
    """A column that a run over the vocabulary gave: what it is sorted by, and what stands in its cells."""

    keys: Column
    """float32 [vocab]; NaN where nothing is known yet, which sorts last."""
    show: Callable[[int], str]
    """The cell of a token id, not yet safe for a screen; empty where nothing is known yet."""
    label: str = ""
    """Short heading; empty: the column's name."""


class TokenColumns:
    """Every token of a model, one entry per embedding row, read from `source`.

    Percentiles, z-scores and the lists of texts are made on first use and kept; `warm` makes them ahead.
    Raises `TableError` where the columns disagree about the size of the vocabulary.
    """

    def __init__(self, source: VocabularyColumns) -> None:
        self.model = source.model
        self.default_indicator = source.default_indicator
        self.default_rule = source.default_rule
        self.unused = source.unused
        self.notes = source.notes
        self.blob: bytes = source.token_bytes.data
        self.offsets: npt.NDArray[np.int64] = source.offsets.numpy()
        self.categories: npt.NDArray[np.uint8] = source.categories.numpy()
        self.indicators: dict[str, Column] = {name: column.numpy() for name, column in source.indicators.items()}
        self.flags: dict[str, npt.NDArray[np.bool_]] = {name: flag.numpy() for name, flag in source.flags.items()}
        self.added: dict[str, AddedColumn] = {}
        """Columns that a run over the vocabulary gave, by name."""
        self.vocab_size = len(self.categories)
        self.lengths: npt.NDArray[np.int64] = np.diff(self.offsets)
        self.is_padding: npt.NDArray[np.bool_] = self.categories == CATEGORIES.index("padding")
        self.is_reference = np.isin(np.arange(len(self.categories)), [entry.token_id for entry in source.unused])
        """Which are reference tokens, bool [vocab]."""
        self.set_aside = set_aside(self.categories, source.unused)
        """Padding, special tokens, and reference tokens that were not found by their rows, bool [vocab]."""
        self.is_candidate: npt.NDArray[np.bool_] = (self.categories == CATEGORIES.index("ok")) & ~self.set_aside
        """Ordinary text that may be a glitch token: what percentages are of, bool [vocab]."""
        self._percentiles: dict[str, Column] = {}
        self._robust_z: dict[str, Column] = {}
        self._formats: dict[str, NumberFormat] = {}
        columns: dict[str, npt.NDArray[Any]] = {"token_bytes": self.lengths, **self.indicators, **self.flags}
        for name, column in columns.items():
            if column.shape != (self.vocab_size,):
                raise TableError(f"{name} has shape {column.shape} for a vocabulary of {self.vocab_size}")

    def token_bytes(self, token_id: int) -> bytes:
        """The token's exact bytes; none for padding."""
        return self.blob[self.offsets[token_id] : self.offsets[token_id + 1]]

    def text(self, token_id: int) -> str:
        """The bytes as UTF-8, U+FFFD in place of what is not. Not for a screen: see `visible`."""
        return decode(self.token_bytes(token_id))

    def visible(self, token_id: int) -> str:
        """The token as one safe line for a screen (`explorer.base.text.visible_bytes`)."""
        return visible_bytes(self.token_bytes(token_id))

    def category(self, token_id: int) -> Category:
        """The token's category."""
        return CATEGORIES[int(self.categories[token_id])]

    @cached_property
    def byte_strings(self) -> list[str]:
        """Every token's bytes, one character each (Latin-1), by id: Python searches and sorts strings faster."""
        characters = self.blob.decode("latin-1")
        return [characters[start:end] for start, end in pairwise(self.offsets.tolist())]

    @cached_property
    def texts(self) -> list[str]:
        """Every token's text, by id."""
        return [decode(self.blob[start:end]) for start, end in pairwise(self.offsets.tolist())]

    @cached_property
    def folded_texts(self) -> list[str]:
        """Every token's text, case-folded, by id."""
        return [text.casefold() for text in self.texts]

    @cached_property
    def text_ranks(self) -> Key:
        """uint32 [vocab]: each token's place in the dictionary order of the bytes; equal bytes share one."""
        return finish(rank_strings(self.byte_strings))

    def warm(self) -> Generator[None, None, None]:
        """Make ahead, in portions, what the first row, filter or sort waits for: 0.8 s at 262,144 tokens."""
        for name in self.indicators:
            for column_of in (self.percentiles, self.robust_z):
                column_of(name)
                yield
        for name in ("byte_strings", "texts", "folded_texts", "indicators_digest"):
            getattr(self, name)
            yield
        if "text_ranks" not in vars(self):
            self.text_ranks = yield from rank_strings(self.byte_strings)

    @property
    def comparable(self) -> tuple[str, ...]:
        """Names that a filter may compare: indicators, and columns that a run gave."""
        return (*self.indicators, *self.added)

    def values(self, name: str) -> Column:
        """An indicator or the keys of an added column, float32 [vocab]. Raises `TableError` where there is none."""
        if name in self.added:
            return self.added[name].keys
        if name not in self.indicators:
            known = ", ".join((*PLAIN_SORTS, *self.indicators))
            raise TableError(f"this model has no column {name!r}: write one of {known}")
        return self.indicators[name]

    def percentiles(self, name: str) -> Column:
        """Mid-rank percentiles of an indicator, float32 [vocab], 0 to 100.

        100 · (candidates below + half of the candidates equal, itself included) / candidates. Tokens that are set
        aside and NaN have NaN; bytes, fragments and unreachable tokens are told their place among the candidates.
        """
        if name not in self._percentiles:
            self._percentiles[name] = self._among_candidates(name, midrank_percentiles)
        return self._percentiles[name]

    def robust_z(self, name: str) -> Column:
        """(value - median) / (1.4826 · median absolute deviation) of an indicator, float32 [vocab].

        Among the same tokens as `percentiles`. Where the deviation is 0 (half of the values are equal) a
        value at the median has 0 and any other an infinity of its sign.
        """
        if name not in self._robust_z:
            self._robust_z[name] = self._among_candidates(name, robust_z_scores)
        return self._robust_z[name]

    def number_format(self, name: str) -> NumberFormat:
        """How the numbers of an indicator are written, chosen from the whole column."""
        if name not in self._formats:
            self._formats[name] = NumberFormat.of(self.values(name))
        return self._formats[name]

    def _among_candidates(self, name: str, measure: Callable[[Column, Column], npt.NDArray[np.float64]]) -> Column:
        """`measure` of the values of the tokens not set aside against those of the candidates, NaN for the others."""
        values = self.values(name)
        told = ~(self.set_aside | np.isnan(values))
        column = np.full(self.vocab_size, np.nan, dtype=np.float32)
        if (told & self.is_candidate).any():
            column[told] = measure(values[told], values[told & self.is_candidate])
        return column

    @cached_property
    def indicators_digest(self) -> hashlib._Hash:
        """SHA-256, ready to go on, of the indicator columns one after the other (little-endian float32)."""
        digest = hashlib.sha256()
        for column in self.indicators.values():
            # NaN has many bit patterns; one of them stands for all.
            digest.update(np.where(np.isnan(column), np.float32(np.nan), column).astype("<f4").tobytes())
        return digest

    def row(self, token_id: int) -> TokenRow:
        """One token with all its numbers. A number that is NaN is left out of its dict, so a padding row has
        indicators but no percentiles and no z-scores, and a row of NaN weights has none of the three.

        Raises `TableError` for an id outside the vocabulary.
        """
        if not 0 <= token_id < self.vocab_size:
            raise TableError(f"there is no token {token_id}: ids go from 0 to {self.vocab_size - 1}")
        token_bytes = self.token_bytes(token_id)
        return TokenRow(
            token_id=token_id,
            token_bytes=token_bytes.hex(),
            text=decode(token_bytes),
            category=self.category(token_id),
            indicators=self._numbers(self.values, token_id),
            percentiles=self._numbers(self.percentiles, token_id),
            robust_z=self._numbers(self.robust_z, token_id),
            flags=tuple(name for name, carried in self.flags.items() if carried[token_id]),
        )

    def _numbers(self, column_of: Callable[[str], Column], token_id: int) -> dict[str, float]:
        cells = {name: column_of(name)[token_id] for name in self.indicators}
        # str() of a float32 is its shortest form: 0.1, where float() would give 0.10000000149011612.
        return {name: float(str(cell)) for name, cell in cells.items() if not np.isnan(cell)}


def set_aside(categories: npt.NDArray[np.uint8], references: Iterable[UnusedReference]) -> npt.NDArray[np.bool_]:
    """Which tokens are no candidates, bool [vocab]: padding, special tokens, and reference tokens known by their bytes,
    name or the user's choice. Reference tokens found by their rows are what one looks for, and stay."""
    aside = np.isin(categories, (CATEGORIES.index("padding"), CATEGORIES.index("special")))
    known = [entry.token_id for entry in references if not entry.is_found and 0 <= entry.token_id < len(aside)]
    aside[known] = True
    return aside
