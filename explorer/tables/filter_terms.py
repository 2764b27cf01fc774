"""What a filter's terms mean: each is a condition on tokens, applied to a whole vocabulary. NumPy only.

`explorer.tables.filters` reads them.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import regex

from explorer.base.errors import UsageError

if TYPE_CHECKING:
    from explorer.tables.table import TokenColumns

Mask = npt.NDArray[np.bool_]

REGEX_SECONDS = 5.0
"""How long one regular expression may take over the whole vocabulary before it is given up."""

SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}
_SLICE = 20_000
"""Texts searched in one call."""


class TableError(UsageError):
    """A view of the token table that cannot be made; the message says what to write instead."""


class FilterError(TableError):
    """A filter that cannot be read or applied; the message is one sentence saying what to write."""


class Term(Protocol):
    """One condition on a token."""

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        """Which tokens meet it, bool [vocab]."""


@dataclass(frozen=True)
class Filter:
    """Terms that must all hold; no terms pass every token."""

    terms: tuple[Term, ...] = ()

    @property
    def names_kinds(self) -> bool:
        """Whether it asks for categories or reference tokens by name, so that nobody need leave any out for it."""
        return any(isinstance(term, InCategory) or term == HasFlag("unused") for term in self.terms)

    def mask(self, columns: TokenColumns, marked: Collection[int] = ()) -> Mask:
        """Which tokens pass, bool [vocab]. Raises `FilterError` where the model lacks what a term names."""
        passing = np.ones(columns.vocab_size, dtype=np.bool_)
        for term in self.terms:
            passing &= term.mask(columns, marked)
        return passing


def _containing(texts: Sequence[str], needle: str) -> Mask:
    """Which texts hold `needle`. In slices: one call would keep the interpreter, and so the screen, to itself."""
    slices = [texts[first : first + _SLICE] for first in range(0, len(texts), _SLICE)]
    parts = [np.fromiter(map(operator.contains, part, repeat(needle)), np.bool_, len(part)) for part in slices]
    return np.concatenate([np.zeros(0, dtype=np.bool_), *parts])


@dataclass(frozen=True)
class Not:
    """What another term does not pass."""

    term: Term

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        return ~self.term.mask(columns, marked)


@dataclass(frozen=True)
class HasText:
    """Text that contains one of some needles."""

    needles: tuple[str, ...]
    """Case-folded; any of them will do."""

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        found = np.zeros(columns.vocab_size, dtype=np.bool_)
        for needle in self.needles:
            found |= _containing(columns.folded_texts, needle)
        return found


@dataclass(frozen=True)
class MatchesRegex:
    """Text in which a regular expression finds something."""

    pattern: regex.Pattern[str]

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        search, now = self.pattern.search, time.monotonic
        deadline = now() + REGEX_SECONDS
        found = np.zeros(columns.vocab_size, dtype=np.bool_)
        try:
            for token_id, text in enumerate(columns.texts):
                # A non-positive timeout is an error of its own, hence the floor.
                if search(text, timeout=max(deadline - now(), 1e-6)):
                    found[token_id] = True
        except TimeoutError:
            raise FilterError(
                f"/{self.pattern.pattern}/ takes longer than {REGEX_SECONDS:g} s on this vocabulary: "
                "avoid nested repeats such as (a+)+"
            ) from None
        return found


@dataclass(frozen=True)
class HasBytes:
    """Bytes that contain some bytes."""

    needle: bytes

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        return _containing(columns.byte_strings, self.needle.decode("latin-1"))


@dataclass(frozen=True)
class InRange:
    """An id or a length within bounds."""

    of: str
    """`id` or `len`."""
    low: int
    high: int

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        numbers = columns.lengths if self.of == "len" else np.arange(columns.vocab_size)
        return (numbers >= self.low) & (numbers <= self.high)


@dataclass(frozen=True)
class InCategory:
    """One of some categories."""

    indices: tuple[int, ...]

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        return np.isin(columns.categories, self.indices)


@dataclass(frozen=True)
class Comparison:
    """An indicator's value, percentile or z-score, compared with a number."""

    scale: str
    """`value`, `pct` or `z`."""
    name: str
    sign: str
    number: float

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        if self.name not in (columns.comparable if self.scale == "value" else columns.indicators):
            raise FilterError(f"this model has no {self.name}: it has {', '.join(columns.indicators) or 'none'}")
        column = {"value": columns.values, "pct": columns.percentiles, "z": columns.robust_z}[self.scale](self.name)
        found: Mask = SIGNS[self.sign](column, self.number)
        return found


@dataclass(frozen=True)
class HasFlag:
    """A flag of the vocabulary, or the user's mark."""

    name: str

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        if self.name in columns.flags:
            return columns.flags[self.name]
        if self.name not in ("marked", "unused"):
            known = ", ".join(("marked", "unused", *columns.flags))
            raise FilterError(f"this model has no flag {self.name!r}: write one of {known}")
        ids = marked if self.name == "marked" else [reference.token_id for reference in columns.unused]
        found = np.zeros(columns.vocab_size, dtype=np.bool_)
        found[[token_id for token_id in ids if 0 <= token_id < len(found)]] = True
        return found
