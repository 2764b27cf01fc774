"""Whoever writes a token's text means that token, however a screen shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.base.text import visible
from explorer.tables.find_tokens import NAMED, find_tokens, say_which
from tests.test_table import TOKENS, columns_of


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        ("cat", [0, 5]),
        (" Velvet", [1]),
        ("·Velvet", [1]),
        ("Velvet", [1]),
        ("·Vel", [1]),
        ("Vel", [1]),
        ("velvet", []),
        ("ca", [0, 5]),
        ("\\u{a0}", [2]),
        ("\\xc0", [4]),
        ("\\xc2\\xa0", [2]),
        ("a\\nb", [6]),
        ("<s>", [8]),
        ("<", [8]),
        ("elvet", []),
    ],
)
def test_the_exact_text_comes_first_then_the_beginning(written: str, ids: list[int]) -> None:
    assert find_tokens(columns_of(), written) == ids


def test_a_whole_text_is_meant_although_others_begin_with_it() -> None:
    columns = columns_of([b"a", b"ab", b" a"], ["ok"] * 3, {})
    assert [find_tokens(columns, written) for written in ("a", "·a", "ab", " ")] == [[0], [2], [1], [2]]


@given(st.sampled_from(range(len(TOKENS) - 1)))
def test_every_token_is_found_by_what_the_table_shows(token_id: int) -> None:
    assert token_id in find_tokens(columns_of(), visible(TOKENS[token_id].decode("utf-8", "surrogateescape"))
                                   if token_id != 4 else "\\xc0")  # fmt: skip


def test_what_is_not_found_and_what_may_be_meant_is_said() -> None:
    tokens = [b"pre%d" % number for number in range(NAMED + 3)]
    columns = columns_of(tokens, ["ok"] * len(tokens), {})
    assert "no token is x or begins so" in say_which(columns, "x", [])
    said = say_which(columns, "pre", find_tokens(columns, "pre"))
    assert said.startswith("8 tokens are or begin with pre: pre0 0, pre1 1, ")
    assert "and 3 more; write more of it, or an id" in said
