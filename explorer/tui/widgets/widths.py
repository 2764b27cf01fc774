"""Cells of a character, as the widest terminal has them.

Rich gives a spacing combining mark (Tamil's U+0BBE, say) no cell, and so does kitty; tmux and xterm give it one. A line
that is cut or padded by Rich's measure would not be long enough there, and its last letters would be written over.
Room can only be made where lines are laid out, which Rich and Textual do by `rich.cells`. Rich 15 has no public way to
change its table, and a character beside each mark to fill its cell would stand in all that is sought, selected, edited
and copied.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache

from rich import cells

_log = logging.getLogger(__name__)
_MARK = "\u0bbe"


def reckon_marks() -> bool:
    """Have Rich, and Textual with it, reckon a cell for every spacing combining mark, in this whole process.

    False, with a line in the log, where another version of Rich keeps its table in another way: the widths are Rich's
    then.
    """
    is_reckoned = _has_marks_reckoned()
    if not is_reckoned:
        _log.warning(
            "no cell is kept for combining vowels: this version of Rich has another cells.load_cell_table, or none"
        )
    return is_reckoned


def _has_marks_reckoned() -> bool:
    rich_parts = vars(cells)
    load = rich_parts.get("load_cell_table")
    if load is None:
        return False
    try:
        rich_parts["load_cell_table"] = _with_marks(load)
        _forget_widths()
        is_reckoned = cells.cell_len(_MARK) == 1
    except (AttributeError, TypeError, ValueError):
        is_reckoned = False
    if not is_reckoned:
        rich_parts["load_cell_table"] = load
        _forget_widths()
    return is_reckoned


def _forget_widths() -> None:
    for name in ("cached_cell_len", "get_character_cell_size"):
        if forget := getattr(vars(cells).get(name), "cache_clear", None):
            forget()


def _with_marks(load: Callable[[str], cells.CellTable]) -> Callable[[str], cells.CellTable]:
    @cache
    def load_with_marks(unicode_version: str = "auto") -> cells.CellTable:
        table = load(unicode_version)
        return table._replace(widths=[part for entry in table.widths for part in _parts(*entry)])

    return load_with_marks


def _parts(first: int, last: int, width: int) -> Iterator[tuple[int, int, int]]:
    """A range of code points of one width, without its marks: what is in no range has one cell."""
    start = first
    for code in range(first, last + 1) if width == 0 else ():
        if unicodedata.category(chr(code)) == "Mc":
            if start < code:
                yield start, code - 1, width
            start = code + 1
    if start <= last:
        yield start, last, width
