"""What a model gave a token, as a column."""

from __future__ import annotations

import msgspec

from explorer.tui.widgets.number_columns import GivenColumn
from tests.tui.pane_samples import reply


def test_an_upper_bound_is_marked_and_the_points_stay_below_one_another() -> None:
    exact = reply(0, "a", logprob=-1.5)
    bound = msgspec.structs.replace(reply(1, "b", logprob=-4.72), token_bound="at_most", token_rank=None)
    column = GivenColumn.of([exact, bound], wide=True)
    assert column.text(bound).startswith("≤ -4.720 / ")
    assert "rank     –  at 0" in column.text(bound)
    assert column.text(exact).index(".") == column.text(bound).index(".")


def test_exact_numbers_alone_have_no_room_for_a_mark() -> None:
    assert GivenColumn.of([reply(0, "a", logprob=-1.5)], wide=False).text(reply(0, "a", logprob=-1.5)) == "-1.500"
