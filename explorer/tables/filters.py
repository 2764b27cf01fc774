"""The language of the filter box: `parse_filter` reads it, `Filter.mask` applies it to a vocabulary.

Terms stand side by side and all of them must hold; `-` before a term turns it round.

    velvet             text that contains it, whatever the case; written as the table shows it works too:
    ·Velvet            `·` also finds a space, `\\n` a newline, `\\u{200b}` that character
    "two words"        the same, with spaces in it (and for text that looks like another term)
    /^ ?[A-Z]+$/       a Python regular expression on the text; `/…/i` ignores case
    bytes:c2a0         bytes in hexadecimal; also written \\xc2\\xa0
    id:742             one id; id:100-200 and id:>=50000 are ranges
    len:>12            length in bytes, same forms
    cat:fragment       category; cat:byte,fragment is either
    input_norm<0.9     value of an indicator, with < <= > >= =
    pct:input_norm<2   its percentile, 0 to 100
    z:input_norm<-3    its robust z-score
    marked             tokens marked by the user
    flag:withheld      a flag of the vocabulary; flag:unused: the reference tokens

A token without a value (NaN, padding in `pct:` and `z:`) fails every comparison. NumPy only, for the UI process.
"""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import regex

from explorer.base.errors import UsageError
from explorer.base.records.tokens import CATEGORIES, INDICATORS

if TYPE_CHECKING:
    from explorer.tables.table import TokenColumns

Mask = npt.NDArray[np.bool_]

REGEX_SECONDS = 5.0
"""How long one regular expression may take over the whole vocabulary before it is given up."""

_TERM = re.compile(r'(?P<minus>-?)(?P<body>"(?:[^"\\]|\\.)*"|/(?:[^/\\]|\\.)+/[a-z]*|\S+)(?=\s|$)')
_COMPARISON = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<sign><=|>=|<|>|=)(?P<number>[-+]?[\d.]\S*|[-+]?inf)")
_RANGE = re.compile(r"(?P<sign><=|>=|<|>)(?P<bound>\d{1,18})|(?P<low>\d{1,18})(?:-(?P<high>\d{1,18}))?")
_ESCAPED_BYTES = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_SHOWN = re.compile(r"·|\\[ntr]|\\u\{([0-9a-f]{1,6})\}")
_REAL = {"·": " ", "\\n": "\n", "\\t": "\t", "\\r": "\r"}
_SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq}


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
class _Not:
    term: Term

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        return ~self.term.mask(columns, marked)


@dataclass(frozen=True)
class _Text:
    needles: tuple[str, ...]
    """Case-folded; any of them will do."""

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        found = np.zeros(columns.vocab_size, dtype=np.bool_)
        for needle in self.needles:
            found |= _containing(columns.folded_texts, needle)
        return found


@dataclass(frozen=True)
class _Regex:
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
class _Bytes:
    needle: bytes

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        return _containing(columns.byte_strings, self.needle.decode("latin-1"))


@dataclass(frozen=True)
class _Range:
    of: str
    """`id` or `len`."""
    low: int
    high: int

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        numbers = columns.lengths if self.of == "len" else np.arange(columns.vocab_size)
        return (numbers >= self.low) & (numbers <= self.high)


@dataclass(frozen=True)
class _Categories:
    indices: tuple[int, ...]

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        return np.isin(columns.categories, self.indices)


@dataclass(frozen=True)
class _Comparison:
    scale: str
    """`value`, `pct` or `z`."""
    name: str
    sign: str
    number: float

    def mask(self, columns: TokenColumns, marked: Collection[int]) -> Mask:
        if self.name not in columns.indicators:
            raise FilterError(f"this model has no {self.name}: it has {', '.join(columns.indicators) or 'none'}")
        column = {"value": columns.values, "pct": columns.percentiles, "z": columns.robust_z}[self.scale](self.name)
        found: Mask = _SIGNS[self.sign](column, self.number)
        return found


@dataclass(frozen=True)
class _Flag:
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


def parse_filter(text: str, indicators: Collection[str] = ()) -> Filter:
    """Read a filter, see the top of this module; empty text passes every token.

    `indicators`: names that may be compared besides ours (plug-ins add some).

    Raises `FilterError` with one sentence that says what to write.
    """
    terms: list[Term] = []
    position = len(text) - len(text.lstrip())
    while position < len(text):
        match = _TERM.match(text, position)
        assert match is not None, "\\S+ matches whatever the other forms do not"
        term = _parse_term(match["body"], tuple(dict.fromkeys((*INDICATORS, *indicators))))
        terms.append(_Not(term) if match["minus"] else term)
        rest = text[match.end() :]
        position = match.end() + len(rest) - len(rest.lstrip())
    return Filter(tuple(terms))


def _parse_term(body: str, names: Collection[str]) -> Term:
    if body[0] == '"':
        if len(body) < 3 or not body.endswith('"'):
            raise FilterError('a quote is not closed or holds nothing: write "two words", or \\" for a quote itself')
        return _text_term(re.sub(r'\\(["\\])', r"\1", body[1:-1]))
    if body[0] == "/":
        return _parse_regex(body)
    if _ESCAPED_BYTES.fullmatch(body):
        return _Bytes(bytes.fromhex(body.replace("\\x", "")))
    if body == "marked":
        return _Flag("marked")
    prefix, colon, rest = body.partition(":")
    if colon and prefix in ("pct", "z"):
        return _parse_comparison(prefix, rest, names)
    if colon and prefix in _PREFIXES:
        return _PREFIXES[prefix](rest)
    return _read_comparison("value", body, names) or _text_term(body)


def _text_term(text: str) -> Term:
    def real(match: re.Match[str]) -> str:
        code = int(match[1], 16) if match[1] else None
        return _REAL.get(match[0], match[0]) if code is None or code > 0x10FFFF else chr(code)

    return _Text(tuple(dict.fromkeys((text.casefold(), _SHOWN.sub(real, text).casefold()))))


def _parse_regex(body: str) -> Term:
    match = re.fullmatch(r"/(?P<pattern>.+)/(?P<flag>i?)", body, re.DOTALL)
    if match is None:
        raise FilterError('a regex has a slash at both ends: write /^ab/ or /^ab/i, or "/" in quotes for the text')
    try:
        return _Regex(regex.compile(match["pattern"], regex.IGNORECASE if match["flag"] else 0))
    except (regex.error, RecursionError, OverflowError) as error:
        reason = f"/{match['pattern']}/ is not a regular expression ({error})"
        raise FilterError(f"{reason}: put \\ before ( [ * + ? where they stand for themselves") from None


def _parse_range(of: str, text: str) -> Term:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise FilterError(f"{of}:{text} is not a range: write {of}:12, {of}:3-12 or {of}:>12")
    if match["low"]:
        return _Range(of, int(match["low"]), int(match["high"] or match["low"]))
    bound, sign = int(match["bound"]), match["sign"]
    return _Range(of, 0, bound - (sign == "<")) if sign[0] == "<" else _Range(of, bound + (sign == ">"), 2**62)


def _parse_bytes(text: str) -> Term:
    try:
        needle = bytes.fromhex(text)
    except ValueError:
        needle = b""
    if not needle:
        raise FilterError(f"bytes:{text} is not hexadecimal: write two digits a byte, such as bytes:c2a0")
    return _Bytes(needle)


def _parse_categories(text: str) -> Term:
    names: tuple[str, ...] = CATEGORIES
    asked = text.split(",")
    for name in asked:
        if name not in names:
            raise FilterError(f"there is no category {name!r}: write cat: and one of {', '.join(names)}")
    return _Categories(tuple(names.index(name) for name in asked))


def _parse_comparison(scale: str, text: str, names: Collection[str]) -> Term:
    term = _read_comparison(scale, text, names)
    if term is None:
        raise FilterError(f"{scale}:{text} is not a comparison: write {scale}:input_norm<2, with < <= > >= or =")
    return term


def _read_comparison(scale: str, text: str, names: Collection[str]) -> Term | None:
    """`input_norm<0.9`; None for what may be better read as text, such as `a<b` or `x=1`."""
    match = _COMPARISON.fullmatch(text)
    if match is None or "_" not in match["name"]:
        return None
    try:
        number = float(match["number"])
    except ValueError:
        return None
    if match["name"] not in names:
        raise FilterError(f"there is no indicator {match['name']!r}: write one of {', '.join(names)}")
    return _Comparison(scale, match["name"], match["sign"], number)


_PREFIXES: dict[str, Callable[[str], Term]] = {
    "id": lambda text: _parse_range("id", text),
    "len": lambda text: _parse_range("len", text),
    "bytes": _parse_bytes,
    "cat": _parse_categories,
    "category": _parse_categories,
    "flag": _Flag,
}
