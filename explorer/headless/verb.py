"""What a headless command is made of."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.base.records.models import ModelInfo
from explorer.base.records.unions import AnyRequest
from explorer.settings import Settings

Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a verb's `requests` may look at."""

    arguments: Namespace
    settings: Settings
    models: tuple[ModelInfo, ...]
    """Loaded, in the order of the sources."""
    token_ids: tuple[int | None, ...]
    """The token asked for, as an id of each model."""


@dataclass(frozen=True)
class Verb:
    """One headless command."""

    name: str
    help: str
    sources: str
    """argparse's nargs for SOURCE: `+`, or `0` for none."""
    arguments: Callable[[ArgumentParser], None]
    requests: Callable[[Asked], Iterable[AnyRequest]]
    rows: Callable[[Any], Iterable[Row]]
    """The outcome as JSON objects."""
    show: Callable[[Any], Sequence[Any]]
    """The outcome as things rich can print."""
    names_token: bool = False
    """Whether it takes --token-id or --token."""
    after: Callable[[Namespace, Any], None] | None = None
    """What else is done with each outcome, such as writing a file; may raise `ExplorerError`."""
    before: Callable[[Namespace, Callable[[str], Any]], None] | None = None
    """Looks at the arguments before anything is started, may change them, and says wrong usage by calling its second
    argument; may raise `ExplorerError`."""
