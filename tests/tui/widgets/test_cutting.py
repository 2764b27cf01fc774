"""What is cut, and how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from explorer.specs.blocks import Table
from explorer.tui.panes.tokens.views import titles_of
from explorer.tui.widgets.block_lines import table_rows
from explorer.tui.widgets.cutting import cut, cut_numbers, padded
from explorer.tui.widgets.fitted_line import fitting
from tests.tui.token_samples import LONG_VIEW


@given(st.text(), st.integers(0, 40))
def test_a_cut_text_fits_and_says_that_it_was_cut(text: str, cells: int) -> None:
    shown = cut(text, cells)
    assert cell_len(shown) <= cells
    assert shown == text or shown.endswith("…") or not cells
    assert cell_len(padded(text, cells)) == cells


@given(st.lists(st.from_regex(r"\A-?[0-9]{1,6}(\.[0-9]{1,4})?(e-[0-9]{1,2})?\Z"), min_size=1), st.integers(0, 40))
def test_numbers_are_whole_or_dots(numbers: list[str], cells: int) -> None:
    shown = cut_numbers(" ".join(numbers), cells).split()
    assert cell_len(" ".join(shown)) <= cells
    assert shown == numbers or shown == [*numbers[: len(shown) - 1], "…"] or not cells


@pytest.mark.parametrize(("cells", "shown"), [(9, "V 5.8e-10"), (8, "V …"), (3, "V …"), (2, "…"), (1, "…"), (0, "")])
def test_a_verdict_keeps_its_letter_as_long_as_it_can(cells: int, shown: str) -> None:
    assert cut_numbers("V 5.8e-10", cells) == shown


def test_of_a_pair_no_stroke_is_left_behind() -> None:
    assert cut_numbers("-2.367 / 9.38% (+1.20)", 12) == "-2.367 …"
    assert cut_numbers("-2.367 / 9.38% (+1.20)", 17) == "-2.367 / 9.38% …"


def test_words_give_way_before_numbers_where_that_is_enough() -> None:
    rows = (("a token with a long name", "-2.367 / 9.38% (+1.20)"),)
    table = Table(
        ("token", "a-model-with-a-long-name (lift)"), rows, right=frozenset({"a-model-with-a-long-name (lift)"})
    )
    for width in range(31, 60):
        header, (line,) = table_rows(table, width)
        assert "-2.367 / 9.38% (+1.20)" in line.plain
        assert "a-model-with" in header.plain
        assert max(line.cell_length, header.cell_length) <= width
    _, (line,) = table_rows(table, 28)
    assert line.plain.endswith(" -2.367 …"), "never through the middle"


@pytest.mark.parametrize("width", range(12, 100, 3))
def test_a_title_keeps_the_number_of_matches_whatever_else_gives_way(width: int) -> None:
    said = fitting(titles_of(LONG_VIEW), width)
    assert said.endswith("61 match")
    assert cell_len(said) <= width
    assert ("d(W_E) ▲" in said or "input_centroid_distance ▲" in said) or width < 20
