"""Reads published lists of under-trained tokens: magikarp's reports and verification files, and tables.

The formats are those of github.com/cohere-ai/magikarp: `results/reports*/MODEL.md`, whose table of verification results
names token ids, tokens, indicators and the greatest P(token), and `results/verifications/MODEL.jsonl[.gz]`, one JSON
object a token. A `.csv` needs the columns token_id and token. Of tokens with a P(token), those below 0.01 are listed:
the authors call these verified.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import MsgspecError

from explorer.base.errors import ExplorerError
from explorer.base.records.token_lists import ListedToken

VERIFIED = 0.01
"""P(token) below which the authors call a token verified ("Fishing for Magikarp", section 3.3)."""
LONGEST_LINE = 1 << 20
MOST_LINES = 4_000_000
_TITLE = re.compile(r"# Report for `([^`]+)`")
_RESULTS = "## Under-trained token verification results"
_ROW = re.compile(r"\|\s*(\d{1,9})\s*\| ````` (.*?) ````` *\|\s*([-+.\deE]+)\s*\|(.*)")
_PROB = re.compile(r">([-+.\deE]+)</span>|^\s*([-+.\deE]+)\s*\|")
_HINT = "Give a report (.md) or verification file (.jsonl, .jsonl.gz) of magikarp, or a .csv with token_id and token."


class TokenList(NamedTuple):
    """What a file lists."""

    name: str
    of_model: str
    spelled: str
    tokens: tuple[ListedToken, ...]


def read_token_list(path: Path) -> TokenList:
    """The list in a file. Raises `ExplorerError` where it cannot be read, or names no token."""
    try:
        found = _read(path)
    except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError, MsgspecError, zlib.error) as error:
        raise ExplorerError(f"{path.name}: no list of tokens can be read from it ({error})", hint=_HINT) from error
    if not found.tokens:
        raise ExplorerError(f"{path.name} lists no under-trained token", hint=_HINT)
    return found


def _read(path: Path) -> TokenList:
    name = path.name.lower()
    with path.open("rb") as raw:
        lines = _lines(gzip.GzipFile(fileobj=raw).readline if name.endswith(".gz") else raw.readline)
        if name.endswith(".md"):
            return _from_report(path.name, lines)
        if name.endswith((".jsonl", ".jsonl.gz")):
            return TokenList(path.name, "", "text", tuple(_from_verifications(lines)))
        if name.endswith(".csv"):
            rows = csv.DictReader(lines)
            tokens = tuple(ListedToken(token_id=int(row["token_id"]), spelling=row["token"]) for row in rows)
            return TokenList(path.name, "", "text", tokens)
    raise ValueError("its name ends in neither .md, .jsonl, .jsonl.gz nor .csv")


def _lines(read: Callable[[int], bytes]) -> Iterator[str]:
    """The lines, none longer than `LONGEST_LINE`: a small compressed file may hold one of many gigabytes."""
    for number in itertools.count(1):
        line = read(LONGEST_LINE)
        if not line:
            return
        if len(line) == LONGEST_LINE or number > MOST_LINES:
            raise ValueError("it is too large")
        yield line.decode()


def _from_report(name: str, lines: Iterable[str]) -> TokenList:
    """The table of results, up to where tokens above the authors' threshold begin."""
    of_model, inside, tokens = "", False, list[ListedToken]()
    for line in lines:
        if title := _TITLE.match(line):
            of_model = title[1]
        elif line.startswith("## ") or "entries above threshold" in line:
            inside = line.startswith(_RESULTS)
        elif inside and (row := _ROW.match(line)):
            found = _PROB.search(row[4])
            prob = float(found[1] or found[2]) if found else None
            if prob is None or prob < VERIFIED:
                indicator = float(row[3])
                tokens.append(ListedToken(token_id=int(row[1]), spelling=row[2], indicator=indicator, max_prob=prob))
    return TokenList(name, of_model, "report", tuple(tokens))


class _Asked(msgspec.Struct):
    max_prob: float


class _Entry(msgspec.Struct):
    """What is read of a token in a verification file."""

    i: int
    decoded: str = ""
    verification: list[_Asked] | None = None
    indicators: list[float] | None = None
    main_indicator: float | None = None


def _from_verifications(lines: Iterable[str]) -> Iterator[ListedToken]:
    for line in lines:
        if not line.strip():
            continue
        entry = msgspec.convert(json.loads(line), _Entry)  # json: the authors' files may hold NaN
        highest = max((asked.max_prob for asked in entry.verification or ()), default=1.0)
        if highest < VERIFIED:
            indicator = entry.main_indicator if entry.indicators is None else next(iter(entry.indicators), None)
            yield ListedToken(token_id=entry.i, spelling=entry.decoded, indicator=indicator, max_prob=highest)


def spell_as_report(token_bytes: bytes) -> str:
    """A token as magikarp's reports write it: Python's escapes, `▁` for a space, `<0xE2>` for a stray byte."""
    text = re.sub(
        "[\udc80-\udcff]",
        lambda stray: f"<0x{ord(stray[0]) - 0xDC00:02X}>",
        token_bytes.decode("utf-8", "surrogateescape"),
    )
    return repr(text)[1:-1].replace(" ", "▁").replace("\\\\", "\\").replace("|", "\\|")
