"""What a verb is on the command line: its arguments, and the requests that they ask."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from explorer.base.records.models import ModelInfo
from explorer.base.records.record import Request
from explorer.settings import Settings

Row = dict[str, Any]


class Asked(msgspec.Struct, frozen=True):
    """What a verb's `requests` may look at."""

    arguments: Namespace
    settings: Settings
    models: tuple[ModelInfo, ...]
    """Loaded, in the order of the sources."""
    token_ids: tuple[int | None, ...]
    """The token asked for, as an id of each model (of the first one alone where the verb's token is `first`)."""


def no_arguments(parser: ArgumentParser) -> None:
    """A verb without arguments of its own."""


class Verb(msgspec.Struct, frozen=True, kw_only=True):
    """One command without a screen."""

    name: str
    help: str
    aliases: tuple[str, ...] = ()
    """Earlier names; they work for one release and stand in no help."""
    sources: str = "+"
    """argparse's nargs for SOURCE: `+`, `*`, or `0` for none."""
    arguments: Callable[[ArgumentParser], None] = no_arguments
    requests: Callable[[Asked], Iterable[Any]]
    """The requests, one after the other; each is answered before the next is asked for."""
    token: Literal["none", "each", "first"] = "none"
    """Whether it takes --token-id or --token: as an id of each model, or of the first one alone."""
    before: Callable[[Namespace, Callable[[str], Any]], None] | None = None
    """Looks at the arguments before anything is started, may change them, and says wrong usage by calling its second
    argument; may raise `ExplorerError`."""
    after: Callable[[Namespace, Request, Any], None] | None = None
    """What else is done with each outcome, such as writing a file; may raise `ExplorerError`."""


# ── words that several verbs take ─────────────────────────────────────────────────────────────────────────


def add_token(parser: ArgumentParser, *, required: bool) -> None:
    """`--token-id` and `--token`, of which one may be given."""
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument("--token-id", type=int, metavar="N", help="the token, by its id (in the first model)")
    group.add_argument("--token", metavar="TEXT", help="the token, by its exact text, leading space included")


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise ArgumentTypeError(f"{text} is less than 1")
    return number


def temperature(text: str) -> float:
    """A sampling temperature, for argparse."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise ArgumentTypeError(f"{text} is not a temperature: it must be 0 or more")
    return number


def ids(text: str) -> tuple[int, ...]:
    """Ids separated by commas, for argparse."""
    return tuple(int(part) for part in text.split(",") if part.strip())


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas, for argparse."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
