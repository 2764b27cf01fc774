"""Sequences that make their items when they are looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from explorer.base.lazy_sequence import Joined, Made


@given(st.lists(st.lists(st.integers(), max_size=4), max_size=6), st.integers(-30, 30), st.integers(-30, 30))
def test_joined_sequences_are_as_one_list(parts: list[list[int]], first: int, last: int) -> None:
    joined, whole = Joined(parts), [item for part in parts for item in part]
    assert list(joined) == whole
    assert len(joined) == len(whole)
    assert list(joined[first:last]) == whole[first:last]
    assert [joined[place] for place in range(-len(whole), len(whole))] == whole * 2


def test_only_what_is_looked_at_is_made() -> None:
    made: list[int] = []

    def make(place: int) -> int:
        made.append(place)
        return place * place

    joined = Joined([[7], Made(1000, make), Made(1000, make)])
    assert (len(joined), joined[3], joined[1002]) == (2001, 4, 1)
    assert made == [2, 1]
