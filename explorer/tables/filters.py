"""The language of the filter box: `parse_filter` reads it, `Filter.mask` applies it to a vocabulary.

Terms stand side by side and all of them must hold; `-` before a term turns it round.

    velvet             text that contains it, whatever the case; written as the table shows it works too:
    ·Velvet            `·` also finds a space, `\\n` a newline, `\\u{200b}` that character
    "two words"        the same, with spaces in it, and for text that looks like another term: "foo:bar", "x=1"
    /^ ?[A-Z]+$/       a Python regular expression on the text; `/…/i` ignores case
    bytes:c2a0         bytes in hexadecimal; also written \\xc2\\xa0
    id:742             one id; id:100-200 and id:>=50000 are ranges
    len:>12            length in bytes, same forms
    cat:fragment       category; cat:byte,fragment is either
    input_norm<0.9     value of an indicator, with < <= > >= =; its heading in the table works too: ‖W_E‖<0.9
    pct:input_norm<2   its percentile, 0 to 100
    z:input_norm<-3    its robust z-score
    marked             tokens marked by the user
    flag:withheld      a flag of the vocabulary; flag:unused: the reference tokens

A name before `:`, `<`, `>` or `=` that there is not is an error, not text.
A token without a value (NaN, padding in `pct:` and `z:`) fails every comparison. NumPy only, for the UI process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

import regex

from explorer.base.records.tokens import CATEGORIES, INDICATORS, LABELS
from explorer.tables.filter_terms import (
    Comparison,
    Filter,
    FilterError,
    HasBytes,
    HasFlag,
    HasText,
    InCategory,
    InRange,
    MatchesRegex,
    Not,
    Term,
)

_TERM = re.compile(r'(?P<minus>-?)(?P<body>"(?:[^"\\]|\\.)*"|/(?:[^/\\]|\\.)+/[a-z]*|\S+)(?=\s|$)')
_BY_LABEL = {label: name for name, label in LABELS.items()}
_NAME = "|".join([*map(re.escape, sorted(_BY_LABEL, key=len, reverse=True)), r"[A-Za-z_]\w*"])
_COMPARISON = re.compile(rf"(?P<name>{_NAME})(?P<sign><=|>=|<|>|=)(?P<number>[-+]?[\d.]\S*|[-+]?inf)")
_PREFIX = re.compile(r"[A-Za-z]\w*(?=:.)")
_RANGE = re.compile(r"(?P<sign><=|>=|<|>)(?P<bound>\d{1,18})|(?P<low>\d{1,18})(?:-(?P<high>\d{1,18}))?")
_ESCAPED_BYTES = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_SHOWN = re.compile(r"·|\\[ntr]|\\u\{([0-9a-f]{1,6})\}")
_REAL = {"·": " ", "\\n": "\n", "\\t": "\t", "\\r": "\r"}


def parse_filter(text: str, indicators: Collection[str] = ()) -> Filter:
    """Read a filter, see the top of this module; empty text passes every token.

    `indicators`: those of the model, which are named where another is written, and may be compared besides ours.

    Raises `FilterError` with one sentence that says what to write.
    """
    terms: list[Term] = []
    position = len(text) - len(text.lstrip())
    while position < len(text):
        match = _TERM.match(text, position)
        assert match is not None, "\\S+ matches whatever the other forms do not"
        term = _parse_term(match["body"], indicators)
        terms.append(Not(term) if match["minus"] else term)
        rest = text[match.end() :]
        position = match.end() + len(rest) - len(rest.lstrip())
    return Filter(tuple(terms))


def _parse_term(body: str, indicators: Collection[str]) -> Term:
    if body[0] == '"':
        if len(body) < 3 or not body.endswith('"'):
            raise FilterError('a quote is not closed or holds nothing: write "two words", or \\" for a quote itself')
        return _text_term(re.sub(r'\\(["\\])', r"\1", body[1:-1]))
    if body[0] == "/":
        return _parse_regex(body)
    if (needle := bytes_written(body)) is not None:
        return HasBytes(needle)
    if body == "marked":
        return HasFlag("marked")
    prefix, colon, rest = body.partition(":")
    if colon and prefix in ("pct", "z"):
        return _parse_comparison(prefix, rest, indicators)
    if colon and prefix in _PREFIXES:
        return _PREFIXES[prefix](rest)
    if _PREFIX.match(body):
        raise FilterError(f"there is no {prefix}: in filters: write one of {_KNOWN_PREFIXES}; {_quoted(body)}")
    return _read_comparison("value", body, indicators) or _text_term(body)


def _quoted(body: str) -> str:
    """How a term is searched for as text."""
    escaped = body.replace("\\", "\\\\").replace('"', '\\"')
    return f'for the text put it in quotes: "{escaped}"'


def _text_term(text: str) -> Term:
    return HasText(tuple(dict.fromkeys((text.casefold(), text_written(text).casefold()))))


def text_written(shown: str) -> str:
    """The text that a screen shows as `shown`: `·` is a space, `\\n` a newline, `\\u{200b}` that character."""

    def real(match: re.Match[str]) -> str:
        code = int(match[1], 16) if match[1] else None
        return _REAL.get(match[0], match[0]) if code is None or code > 0x10FFFF else chr(code)

    return _SHOWN.sub(real, shown)


def bytes_written(shown: str) -> bytes | None:
    """The bytes that `\\xc2\\xa0` stands for; None for what is no such text."""
    return bytes.fromhex(shown.replace("\\x", "")) if _ESCAPED_BYTES.fullmatch(shown) else None


def _parse_regex(body: str) -> Term:
    match = re.fullmatch(r"/(?P<pattern>.+)/(?P<flag>i?)", body, re.DOTALL)
    if match is None:
        raise FilterError('a regex has a slash at both ends: write /^ab/ or /^ab/i, or "/" in quotes for the text')
    try:
        return MatchesRegex(regex.compile(match["pattern"], regex.IGNORECASE if match["flag"] else 0))
    except (regex.error, RecursionError, OverflowError) as error:
        reason = f"/{match['pattern']}/ is not a regular expression ({error})"
        raise FilterError(f"{reason}: put \\ before ( [ * + ? where they stand for themselves") from None


def _parse_range(of: str, text: str) -> Term:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise FilterError(f"{of}:{text} is not a range: write {of}:12, {of}:3-12 or {of}:>12")
    if match["low"]:
        return InRange(of, int(match["low"]), int(match["high"] or match["low"]))
    bound, sign = int(match["bound"]), match["sign"]
    return InRange(of, 0, bound - (sign == "<")) if sign[0] == "<" else InRange(of, bound + (sign == ">"), 2**62)


def _parse_bytes(text: str) -> Term:
    try:
        needle = bytes.fromhex(text)
    except ValueError:
        needle = b""
    if not needle:
        raise FilterError(f"bytes:{text} is not hexadecimal: write two digits a byte, such as bytes:c2a0")
    return HasBytes(needle)


def _parse_categories(text: str) -> Term:
    names: tuple[str, ...] = CATEGORIES
    asked = text.split(",")
    for name in asked:
        if name not in names:
            raise FilterError(f"there is no category {name!r}: write cat: and one of {', '.join(names)}")
    return InCategory(tuple(names.index(name) for name in asked))


def _parse_comparison(scale: str, text: str, indicators: Collection[str]) -> Term:
    term = _read_comparison(scale, text, indicators)
    if term is None:
        raise FilterError(f"{scale}:{text} is not a comparison: write {scale}:input_norm<2, with < <= > >= or =")
    return term


def _read_comparison(scale: str, text: str, indicators: Collection[str]) -> Term | None:
    """`input_norm<0.9`; None for what is no comparison with a number, such as `a<b`."""
    match = _COMPARISON.fullmatch(text)
    if match is None:
        return None
    try:
        number = float(match["number"])
    except ValueError:
        return None
    name = _BY_LABEL.get(match["name"], match["name"])
    if name in _PREFIXES:
        raise FilterError(f"{text} compares no indicator: write {name}:{match['sign']}{match['number']}")
    if name not in INDICATORS and name not in indicators:
        named = ", ".join(indicators or INDICATORS)
        raise FilterError(f"there is no indicator {name!r}: write one of {named}; {_quoted(text)}")
    return Comparison(scale, name, match["sign"], number)


_PREFIXES: dict[str, Callable[[str], Term]] = {
    "id": lambda text: _parse_range("id", text),
    "len": lambda text: _parse_range("len", text),
    "bytes": _parse_bytes,
    "cat": _parse_categories,
    "category": _parse_categories,
    "flag": HasFlag,
}
_KNOWN_PREFIXES = ", ".join(f"{prefix}:" for prefix in ("pct", "z", *_PREFIXES) if prefix != "category")
