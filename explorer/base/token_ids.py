"""Token ids as people write them: ids and ranges."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from explorer.base.text import visible

MOST_IDS = 1 << 24
"""Ids that one text may name: more than any vocabulary has."""


def parse_ids(text: str, vocab_size: int | None = None) -> tuple[int, ...]:
    """Ids and ranges such as '0, 5-9 12', without repeats and in rising order; below `vocab_size` where it is known.

    Raises `ValueError` saying which part is wrong and why.
    """
    ids: set[int] = set()
    for part in text.replace(",", " ").split():
        first, dash, last = part.partition("-")
        if not (first.isascii() and first.isdigit()) or (dash and not (last.isascii() and last.isdigit())):
            raise ValueError(f"'{visible(part)}' is neither an id nor a range such as 5-9")
        low, high = int(first), int(last) if dash else int(first)
        if high < low:
            raise ValueError(f"'{part}' is reversed: write {high}-{low}")
        if vocab_size is None and high >= MOST_IDS:
            raise ValueError(f"id {high} is out of range: no vocabulary has so many tokens")
        if vocab_size is not None and high >= vocab_size:
            raise ValueError(f"id {high} is out of range: this vocabulary's ids go from 0 to {vocab_size - 1:,}")
        ids.update(range(low, high + 1))
    return tuple(sorted(ids))


def format_ids(ids: Sequence[int]) -> str:
    """The ids as `parse_ids` reads them, neighbours drawn together: '0, 5-9, 12'."""
    rising = sorted(set(ids))
    if not rising:
        return ""
    breaks = [0, *(index + 1 for index, (one, other) in enumerate(pairwise(rising)) if other != one + 1), len(rising)]
    runs = [(rising[begin], rising[end - 1]) for begin, end in pairwise(breaks)]
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
