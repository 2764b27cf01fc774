"""Laws of label placement."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from explorer.tui.widgets.labels import LONGEST, Placement, place_labels

points = st.lists(st.tuples(st.integers(-3, 60), st.integers(-3, 20)), max_size=40)
words = st.sampled_from(["", "a", "·the", "·VelvetTurbine", "龍龍龍", "x" * 300, "\\u{1b}[31m", "ไทย", "naïve"])
sizes = st.tuples(st.integers(1, 60), st.integers(1, 20))


@st.composite
def charts(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[str], int, int]:
    places = draw(points)
    width, height = draw(sizes)
    return places, draw(st.lists(words, min_size=len(places), max_size=len(places))), width, height


def cells(placement: Placement) -> set[tuple[int, int]]:
    return {(placement.column + step, placement.row) for step in range(placement.width)}


@settings(max_examples=150, deadline=None)
@given(charts())
@example(([(7, 0), (23, 0)], ["·VelvetTurbine", ""], 23, 1)).via("a point just outside")
def test_no_two_labels_share_a_cell_none_hides_a_point_and_all_are_inside(
    chart: tuple[list[tuple[int, int]], list[str], int, int],
) -> None:
    places, texts, width, height = chart
    placements = place_labels(places, texts, width, height)
    covered: set[tuple[int, int]] = set()
    for placement in placements:
        own = cells(placement)
        assert placement.width == cell_len(placement.text) <= LONGEST
        assert not own & covered
        assert not own & set(places)
        assert all(0 <= column < width and 0 <= row < height for column, row in own)
        # Neither end touches another label or a point that is seen: two names never read as one.
        ends = {(placement.column - 1, placement.row), (placement.column + placement.width, placement.row)}
        assert not ends & covered
        assert not ends & {(column, row) for column, row in places if 0 <= column < width and 0 <= row < height}
        covered |= own
    assert placements == place_labels(places, texts, width, height)
    assert len({placement.index for placement in placements}) == len(placements)


def test_the_first_point_has_the_first_claim() -> None:
    crowd = [(10, 5), (12, 5), (14, 5), (10, 4), (10, 6)]
    for first in range(len(crowd)):
        turned = crowd[first:] + crowd[:first]
        placements = place_labels(turned, ["·nearest", *["·other"] * 4], 24, 11)
        assert placements[0].index == 0
        alone = place_labels(turned[:1], ["·nearest"], 24, 11)
        assert alone[0].width == placements[0].width


def test_a_label_stands_right_of_its_point_else_left() -> None:
    assert place_labels([(3, 2)], ["abc"], 20, 5) == [Placement(0, 5, 2, "abc", 3)]
    assert place_labels([(18, 2)], ["abc"], 20, 5) == [Placement(0, 14, 2, "abc", 3)]


def test_a_long_label_is_cut_and_says_so() -> None:
    (placement,) = place_labels([(0, 0)], ["x" * 300], 40, 1)
    assert placement.text == "x" * (LONGEST - 1) + "…"
