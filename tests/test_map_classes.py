"""Classes of tokens as colours: who is in which, and which of them a cell shows, against counting token by token."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.base.records.map_colours import MOST_CLASSES, REST, ClassRule, MapClass, MapClasses
from explorer.base.records.maps import Window
from explorer.tables.map_cells import Cells, Cloud, pack_cells, pack_window, unpack_classes
from explorer.tables.map_classes import (
    NO_FLAG,
    OTHERS,
    TokenClasses,
    classes_of_columns,
    ground_commonest,
    ground_smallest,
)
from explorer.tables.scripts import NO_LETTER
from explorer.tables.table import TokenColumns
from tests.tui.token_samples import vocabulary

NAMES = ("verified", "weak", "rejected")
WINDOW: Window = (0.0, 1.0, 0.0, 1.0)


def classed_cloud(x: np.ndarray, y: np.ndarray, codes: np.ndarray, rule: ClassRule) -> Cloud:
    found = TokenClasses(rule, NAMES, "not asked", codes.astype(np.uint8))
    return Cloud(
        x.astype(np.float32), y.astype(np.float32), class_of=found.codes, classes=found.counted(np.isfinite(x))
    )


def random_cloud(seed: int, rule: ClassRule) -> tuple[Cloud, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x, y = random.integers(0, 512, (2, 3_000)) / 512
    codes = random.choice([0, 1, 2, REST], size=3_000, p=[0.01, 0.05, 0.14, 0.8])
    return classed_cloud(x, y, codes, rule), x, y, codes


def test_one_token_of_a_rare_class_is_seen_among_87_others() -> None:
    x = y = np.full(88, 0.5)
    codes = np.full(88, REST)
    codes[40] = 1
    cloud = classed_cloud(np.append(x, 0.9), np.append(y, 0.9), np.append(codes, 2), "rarest")
    shown = cloud.class_cells(WINDOW, 4, 4)
    assert shown[2, 2] == 1
    assert sorted(set(shown.ravel().tolist())) == [1, 2, REST]
    assert cloud.class_counts(WINDOW).tolist() == [0, 1, 1, 0, 0, 0, 0, 87]
    assert cloud.class_counts((0.8, 1.0, 0.8, 1.0)).tolist() == [0, 0, 1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("seed", range(3))
def test_a_cell_shows_its_rarest_class(seed: int) -> None:
    cloud, x, y, codes = random_cloud(seed, "rarest")
    commonness = {code: int((codes == code).sum()) for code in (0, 1, 2, REST)}
    shown = cloud.class_cells(WINDOW, 8, 4)
    for row in range(4):
        for column in range(8):
            here = codes[(np.floor(x * 8) == column) & (np.minimum(np.floor((1 - y) * 4), 3) == row)].tolist()
            assert shown[row, column] == min(here, key=commonness.__getitem__, default=REST)


def test_a_cell_shows_the_class_most_above_its_average() -> None:
    """Of Latin in all cells and one corner of Thai: a few Latin tokens more are nothing beside many Thai."""
    random = np.random.default_rng(2)
    x, y = random.random((2, 4_000))
    codes = np.full(4_000, 2)
    corner = (x < 0.25) & (y > 0.75)
    codes[corner & (random.random(4_000) < 0.4)] = 0
    codes[random.random(4_000) < 0.01] = 1
    shown = classed_cloud(x, y, codes, "most above average").class_cells(WINDOW, 4, 4)
    assert shown[0, 0] == 0
    assert 0 not in shown.ravel()[1:]
    assert (shown == 2).sum() >= 8


def test_cells_of_a_finer_screen_fall_into_those_of_a_coarser_one() -> None:
    """A screen counts dots and colours cells: no lit cell may be without its class."""
    random = np.random.default_rng(9)
    x, y = random.normal(size=(2, 20_000))
    cloud = classed_cloud(x, y, np.zeros(20_000), "rarest")
    for window in ((-2.0, 3.1, -1.7, 2.9), (-0.013, 0.0171, 0.2, 0.21)):
        dots = cloud.cells(window, 118 * 2, 34 * 4).counts.reshape(34, 4, 118, 2).sum(axis=(1, 3))
        assert np.array_equal(dots > 0, cloud.class_cells(window, 118, 34) == 0)


def test_a_session_holds_the_class_of_each_cell() -> None:
    cloud, *_ = random_cloud(5, "rarest")
    packed = pack_window(cloud, WINDOW)
    shown = cloud.class_cells(WINDOW, packed.columns, packed.rows)
    assert np.array_equal(unpack_classes(packed), shown)
    one = pack_cells(Cells(np.array([[1, 0]]), np.full((1, 2), np.nan)), np.array([[3, REST]], dtype=np.uint8))
    assert unpack_classes(one).tolist() == [[3, REST]]


def test_the_commonest_class_is_the_ground_and_colours_do_not_move() -> None:
    names = ("a", "b", "c")
    for ground in range(3):
        found = ground_commonest(names, np.array([0, 1, 2, ground]))
        assert found.rest == names[ground]
        assert found.codes[:3].tolist() == [REST if place == ground else place for place in range(3)]
    eight = ground_commonest(tuple("abcdefgh"), np.array([*range(8), 3]))
    assert (eight.names, eight.rest) == (tuple("abcefgh"), "d")
    assert eight.codes.tolist() == [0, 1, 2, REST, 3, 4, 5, 6, REST]


def test_of_many_classes_the_commonest_have_colours() -> None:
    found = ground_smallest([str(place) for place in range(10)], np.repeat(np.arange(10), np.arange(10)), "rarest")
    assert found.names == ("9", "8", "7", "6", "5", "4", "3")
    assert (found.rest, int((found.codes == REST).sum())) == (OTHERS, 3)
    assert len(found.names) == MOST_CLASSES


def test_classes_of_a_vocabulary() -> None:
    words = [b" the", b"ing", b" \xd0\xb4\xd0\xb0", b"42", b"\xff", b"\xe4\xb8\xad"]
    columns = TokenColumns(vocabulary(words))
    columns.is_reference[1] = True
    columns.flags["withheld"] = np.array([place < 3 for place in range(columns.vocab_size)])

    def named(colour: str) -> list[str]:
        found = classes_of_columns(colour, columns)
        assert found is not None
        told = found.counted(np.ones(columns.vocab_size, dtype=np.bool_))
        assert sum(one.tokens for one in (*told.named, told.rest)) == columns.vocab_size
        return [told.name_of(code) for code in found.codes[: len(words)].tolist()]

    assert named("script") == ["Latin", "Latin", "Cyrillic", NO_LETTER, NO_LETTER, "Han"]
    assert named("flag") == ["withheld", "reference", "withheld", NO_FLAG, NO_FLAG, NO_FLAG], "the rarer of two"
    assert named("space")[:3] == ["space in front", "no space in front", "space in front"]
    assert named("category") == [columns.category(place) for place in range(len(words))]
    assert classes_of_columns("input_norm", columns) is None


def test_records_that_make_no_sense_are_told() -> None:
    one = MapClass(name="a", tokens=1)
    assert MapClasses(rule="rarest", named=(one,) * 7, rest=one).problem() == ""
    assert "8 classes" in MapClasses(rule="rarest", named=(one,) * 8, rest=one).problem()
    assert MapClasses(rule="rarest", named=(MapClass(name="a", tokens=-1),), rest=one).problem()
