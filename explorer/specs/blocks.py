"""What a report is made of: plain blocks that a page or a Markdown file is rendered from.

Every text in a block has been through `visible` and is no markup of any kind; who renders it escapes it once more.
"""

from __future__ import annotations

from dataclasses import dataclass

from explorer.base.records.neighbours import Neighbourhood
from explorer.base.records.tokens import TokenRef, TokenRow
from explorer.base.text import visible, visible_bytes


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str
    warns: bool = False


@dataclass(frozen=True)
class Quote:
    """A prompt, word for word."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells; `right` names the columns that hold numbers, `strong` the rows to look at."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str] = frozenset()
    strong: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Plot:
    """A neighbourhood in the plane."""

    neighbourhood: Neighbourhood


Block = Words | Quote | Table | Plot


@dataclass(frozen=True)
class Section:
    """One step of the report."""

    number: int
    at: str
    title: str
    summary: str
    kind: str
    """`note`, `trouble` (failed, stopped) or `answer`."""
    blocks: tuple[Block, ...]
    tags: tuple[str, ...] = ()


def prose(text: str) -> str:
    """Text with its spaces, safe to show."""
    return visible(text, spaces=False)


def token_text(token: TokenRef | TokenRow) -> str:
    """A token from its exact bytes, safe to show."""
    return visible_bytes(bytes.fromhex(token.token_bytes)) or "(no bytes)"


def number(value: float | None) -> str:
    """Six significant digits; a dash where there is no number."""
    return "–" if value is None else f"{value:.6g}"
