"""Texts in few cells: words are cut with `…`, numbers never through the middle."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def cut(text: str, cells: int) -> str:
    """`text` in at most `cells` cells, the last one a `…` where it does not fit."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1) + "…" if cells > 0 else ""


def padded(text: str, cells: int) -> str:
    """`text` in exactly `cells` cells, cut or with blanks behind it."""
    return set_cell_size(cut(text, cells), max(0, cells))


def cut_numbers(text: str, cells: int) -> str:
    """The words of `text` that fit whole in `cells` cells, then `…`: `#8` in place of `#889` is another number."""
    if cell_len(text) <= cells:
        return text
    words = text.strip().split(" ")
    if cell_len(text.strip()) <= cells:
        return text.strip()
    while words and (cell_len(" ".join(words)) + 2 > cells or words[-1] == "/"):
        words.pop()
    return f"{' '.join(words)} …" if any(words) else ("…" if cells > 0 else "")
