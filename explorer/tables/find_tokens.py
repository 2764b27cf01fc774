"""Which token somebody means who writes its text: as it is, or as a screen shows it. NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from explorer.tables.filters import bytes_written, text_written

if TYPE_CHECKING:
    from explorer.tables.table import TokenColumns

QUOTED = 40
"""Characters quoted of what was written."""
NAMED = 5
"""Tokens named where several are meant."""


def find_tokens(columns: TokenColumns, written: str) -> list[int]:
    """Ids of the tokens that are `written` so, else of those that begin so; none of either: with a space before it.

    `·` also stands for a space, `\\n`, `\\u{200b}`, `\\xc2\\xa0` for what they mean in a table.
    """
    if (needle := bytes_written(written)) is not None:
        return _first_found(columns.byte_strings, (needle.decode("latin-1"),))
    wanted = dict.fromkeys((written, text_written(written)))
    return _first_found(columns.texts, (*wanted, *(f" {text}" for text in wanted)))


def _first_found(texts: Sequence[str], wanted: Sequence[str]) -> list[int]:
    tests: tuple[Callable[[str, str], bool], ...] = (str.__eq__, str.startswith)
    for holds in tests:
        for needle in wanted:
            if found := [token_id for token_id, text in enumerate(texts) if holds(text, needle)]:
                return found
    return []


def say_which(columns: TokenColumns, written: str, found: Sequence[int]) -> str:
    """Why `written` names no token, or which ones it may mean; safe to show where `written` is."""
    written = written if len(written) <= QUOTED else f"{written[: QUOTED - 1]}…"
    if not found:
        return f"no token is {written} or begins so: write its text as the table shows it (· is a space), or its id"
    named = ", ".join(f"{columns.visible(token_id)} {token_id}" for token_id in found[:NAMED])
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return f"{len(found):,} tokens are or begin with {written}: {named}{more}; write more of it, or an id"
