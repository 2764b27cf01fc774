"""Records as JSON, with the numbers that JSON has no word for."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def to_plain(record: Any) -> Any:
    """`record` as dicts, lists and scalars ready for JSON; infinities and NaN become 'inf', '-inf', 'nan'."""
    return _plain(msgspec.to_builtins(record))


def dump_json(record: Any) -> bytes:
    """One line of JSON, keys in the order of the record's fields."""
    return msgspec.json.encode(to_plain(record))


def load_json(line: bytes | str, kind: type[T] | Any) -> T:
    """The record of type `kind` in one line of JSON; raises `msgspec.DecodeError` where it is none."""
    loaded: T = msgspec.json.decode(line, type=kind, strict=False)
    return loaded
