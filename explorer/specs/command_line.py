"""What a verb is on the command line: its arguments, and the requests that they ask."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from explorer.base.records.models import ModelInfo
from explorer.base.records.record import Request
from explorer.base.records.tokens import INDICATORS
from explorer.base.templates import TEMPLATES
from explorer.base.token_ids import parse_ids
from explorer.settings import Settings
from explorer.specs.blocks import Block

Row = dict[str, Any]
INDICATOR_LIST = ", ".join(INDICATORS)
TEMPLATE_LIST = f"{', '.join(template.name for template in TEMPLATES)}, or one of the settings"
"""What helps say of the names that can be given."""
MOST_CHARACTERS = 1 << 26
"""Read of a file with token ids."""


class Asked(msgspec.Struct, frozen=True):
    """What a verb's `requests` may look at."""

    arguments: Namespace
    settings: Settings
    models: tuple[ModelInfo, ...]
    """Loaded, in the order of the sources."""
    token_ids: tuple[int | None, ...]
    """The token asked for, as an id of each model (of the first one alone where the verb's token is `first`)."""
    tokens: tuple[tuple[int | None, ...], ...] = ()
    """All tokens asked for, each like `token_ids`."""


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
    token: Literal["none", "each", "first", "together"] = "none"
    """Whether it takes tokens by --token-id, --token or --tokens-from: `each` one asked about in its turn, as an id of
    each model; `first`: as an id of the first model alone; `together`: all in one request."""
    before: Callable[[Namespace, Callable[[str], Any]], None] | None = None
    """Looks at the arguments before anything is started, may change them, and says wrong usage by calling its second
    argument; may raise `ExplorerError`."""
    examples: tuple[tuple[str, str], ...] = ()
    """For the help: the words behind the verb, and what they do."""
    blocks: Callable[[Namespace, Any, Any], Iterable[Block]] | None = None
    """What is printed of an outcome, where options choose; None: the blocks of the spec."""
    rows: Callable[[Namespace, Any], Iterable[Row]] | None = None
    """What `--json` prints of an outcome, where options choose; None: the rows of the spec."""
    after: Callable[[Namespace, Request, Any], None] | None = None
    """What else is done with each outcome, such as writing a file; may raise `ExplorerError`."""


# ── words that several verbs take ─────────────────────────────────────────────────────────────────────────


def add_token(parser: ArgumentParser, *, required: bool) -> None:
    """The options that name tokens, of which one may be given."""
    add_token_options(parser.add_mutually_exclusive_group(required=required))


def add_token_options(group: Any) -> None:
    """`--token-id`, `--token` and `--tokens-from`, into a group of which one may be given."""
    group.add_argument(
        "--token-id", type=ids, action="extend", metavar="IDS",
        help="tokens by their ids in the first model: 907, or 5,9-12; may be repeated",
    )  # fmt: skip
    group.add_argument(
        "--token",
        action="append",
        metavar="TEXT",
        help="a token by its exact text, leading space included; may be repeated",
    )
    add_tokens_from(group, "token_id")


def add_tokens_from(group: Any, dest: str) -> None:
    """`--tokens-from`, which gives ids to the attribute `dest`."""
    group.add_argument(
        "--tokens-from", dest=dest, type=ids_in_file, metavar="FILE",
        help="the tokens of a file: ids and ranges, or an export (.csv, .jsonl) with a column token_id",
    )  # fmt: skip


def whole(text: str) -> int:
    """A whole number, for argparse."""
    try:
        return int(text)
    except ValueError as error:
        raise ArgumentTypeError(f"'{text}' is not a whole number") from error


def percent(text: str) -> float:
    """A percentage above 0, for argparse."""
    number = float(text)
    if not 0 < number <= 100:
        raise ArgumentTypeError(f"{text} is not a percentage: it must be above 0 and at most 100")
    return number


def at_least(least: int) -> Callable[[str], int]:
    """For argparse: what reads a whole number of at least `least`."""

    def read(text: str) -> int:
        number = whole(text)
        if number < least:
            raise ArgumentTypeError(f"{text} is less than {least}")
        return number

    return read


positive = at_least(1)
at_least_none = at_least(0)


def temperature(text: str) -> float:
    """A sampling temperature, for argparse."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise ArgumentTypeError(f"{text} is not a temperature: it must be 0 or more")
    return number


def ids(text: str) -> tuple[int, ...]:
    """Ids and ranges separated by commas, in their order, for argparse."""
    try:
        return tuple(dict.fromkeys(token_id for part in text.split(",") for token_id in parse_ids(part)))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def ids_in_file(name: str) -> tuple[int, ...]:
    """The ids that a file holds, for argparse: ids and ranges (# begins a comment), or the column `token_id` of an
    export."""
    try:
        with open(name, encoding="utf-8") as file:
            found = _ids_in(file.read(MOST_CHARACTERS))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise ArgumentTypeError(f"{name}: no token ids can be read from it ({error})") from error
    if not found:
        raise ArgumentTypeError(f"{name} holds no token ids")
    return found


def _ids_in(text: str) -> tuple[int, ...]:
    import csv  # the first paint reads no file
    import json

    lines = text.splitlines()
    heads = lines[0].split(",") if lines else []
    if "token_id" in heads:
        return tuple(int(row["token_id"]) for row in csv.DictReader(lines))
    if text.lstrip().startswith("{"):
        return tuple(int(json.loads(line)["token_id"]) for line in lines if line.strip())
    return parse_ids(" ".join(line.partition("#")[0] for line in lines))


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas, for argparse."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
