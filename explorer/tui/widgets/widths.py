"""Cells of a character, as the widest terminal has them.

Rich gives a spacing combining mark (Tamil's U+0BBE, say) no cell, and so does kitty; tmux and xterm give it one. A line
that is cut or padded by Rich's measure would not be long enough there, and its last letters would be written over.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache

from rich import _unicode_data, cells


def reckon_marks() -> None:
    """Have Rich, and Textual with it, reckon a cell for every spacing combining mark, in this whole process."""
    vars(cells)["load_cell_table"] = _with_marks
    cells.cached_cell_len.cache_clear()
    cells.get_character_cell_size.cache_clear()


@cache
def _with_marks(unicode_version: str = "auto") -> cells.CellTable:
    table = _unicode_data.load(unicode_version)
    return table._replace(widths=[part for entry in table.widths for part in _parts(*entry)])


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
