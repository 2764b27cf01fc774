"""Ways to alter a session file, each by a seeded random: bytes, lines, and values inside the JSON of a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

LARGEST = 5_000_000
"""Bytes of a file whose lines are repeated."""
DEEP = 100_000
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, -1e308, 5e-324, float("nan"), float("inf"),
    "", "inf", "x" * 100_000, "\x00\x1b[2J\u202e", "\ud800", "9" * 5000, [], {}, [[]], [None] * 50, [1, "a", {}],
    {"kind": "Step"}, {"kind": "Cancelled", "partial": None}, {"kind": "Failure", "message": 3},
)  # fmt: skip
"""Put in the place of any other value."""
NUMBERS = (b"1e400", b"-0", b"1E+999999", b"0.1e-400", b"9" * 400, b"NaN", b"-Infinity", b"0x10", b"01")
"""Put in the place of a number, as text."""

Lines = list[bytes]
Way = Callable[[Lines, Random], Lines]


def alter(content: bytes, random: Random) -> tuple[bytes, list[str]]:
    """The file altered in one to three ways, and which those were."""
    lines, ways = content.splitlines(keepends=True), random.choices(list(WAYS), WEIGHTS, k=random.randint(1, 3))
    for name in ways:
        lines = WAYS[name](lines, random) if lines else lines
    return b"".join(lines), ways


def _flip(lines: Lines, random: Random) -> Lines:
    content = bytearray(b"".join(lines))
    for _ in range(random.choice((1, 1, 3, 30))):
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    return bytes(content).splitlines(keepends=True)


def _cut_file(lines: Lines, random: Random) -> Lines:
    content = b"".join(lines)
    return content[: random.randrange(len(content))].splitlines(keepends=True)


def _cut_line(lines: Lines, random: Random) -> Lines:
    place = random.randrange(len(lines))
    line = lines[place]
    return [*lines[:place], line[: random.randrange(len(line))] + random.choice((b"\n", b"")), *lines[place + 1 :]]


def _swap(lines: Lines, random: Random) -> Lines:
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    changed = list(lines)
    changed[one], changed[other] = lines[other], lines[one]
    return changed


def _drop(lines: Lines, random: Random) -> Lines:
    place = random.randrange(len(lines))
    return [*lines[:place], *lines[place + 1 :]]


def _repeat(lines: Lines, random: Random) -> Lines:
    """A line some times, or as often as a file of 5 MB holds it."""
    line = random.choice(lines)
    most = max(1, (LARGEST - sum(map(len, lines))) // max(1, len(line)))
    times = most if random.random() < 0.2 else random.randint(2, min(20, 1 + most))
    return [*lines, *([line] * times)]


def _insert(lines: Lines, random: Random) -> Lines:
    """Bytes that no JSON has, in the middle of a line."""
    place = random.randrange(len(lines))
    line, at = lines[place], random.randrange(len(lines[place]))
    strange = random.choice(
        (b"\x00", b"\xff\xfe", b"\r", b"\x1b]0;x\x07", b"\n", b"\xed\xa0\x80", b"{" * 1000, b" " * 10_000)
    )
    return [*lines[:place], line[:at] + strange + line[at:], *lines[place + 1 :]]


def _nest(lines: Lines, random: Random) -> Lines:
    """A value so deep that a reader that calls itself runs out of stack."""
    place = random.randrange(len(lines))
    begin, end = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    depth = random.choice((500, DEEP))
    deep = begin * depth + b"1" + end * depth
    return [*lines[:place], _with_value(lines[place], deep, random), *lines[place + 1 :]]


def _number(lines: Lines, random: Random) -> Lines:
    place = random.randrange(len(lines))
    return [*lines[:place], _with_value(lines[place], random.choice(NUMBERS), random), *lines[place + 1 :]]


def _value(lines: Lines, random: Random) -> Lines:
    """Another value, of any type, somewhere in a line."""
    place = random.randrange(len(lines))
    value = json.dumps(random.choice(VALUES)).encode()
    return [*lines[:place], _with_value(lines[place], value, random), *lines[place + 1 :]]


def _exchange(lines: Lines, random: Random) -> Lines:
    """The outcome of one step with the request of another."""
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    try:
        first, second = json.loads(lines[one]), json.loads(lines[other])
        part = random.choice(("request", "outcome"))
        first[part] = second[part]
    except (ValueError, KeyError, TypeError, RecursionError):
        return lines
    return [*lines[:one], json.dumps(first).encode() + b"\n", *lines[one + 1 :]]


def _with_value(line: bytes, value: bytes, random: Random) -> bytes:
    """`line` with `value` in the place of some value, at any depth; as it is where it is no JSON."""
    marker = "\x00value\x00"
    try:
        plain = json.loads(line)
        holder: Any = plain
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = random.choice(keys)
            if not (isinstance(holder[key], dict | list) and holder[key] and random.random() < 0.8):
                break
            holder = holder[key]
        holder[key] = marker
    except (ValueError, IndexError, TypeError, RecursionError):
        return line
    return json.dumps(plain).encode().replace(json.dumps(marker).encode(), value) + b"\n"


WAYS: dict[str, Way] = {
    "bits flipped": _flip, "file cut": _cut_file, "line cut": _cut_line, "lines swapped": _swap, "line dropped": _drop,
    "line repeated": _repeat, "bytes put in": _insert, "value nested deeply": _nest, "number": _number,
    "other value": _value, "parts of two steps": _exchange,
}  # fmt: skip
WEIGHTS = (3, 1, 1, 1, 1, 1, 2, 1, 3, 8, 3)
"""How often each is chosen."""
