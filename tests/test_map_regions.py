"""Names of a map's regions: by hand, in any window, at their places, and only where there is room."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from explorer.base.records.map_regions import MOST_REGIONS, MapRegion
from explorer.base.records.maps import Window
from explorer.base.records.record import Array
from explorer.tables.map_cells import Cloud
from explorer.tables.map_regions import RegionNamer, region_classes
from explorer.tables.table import TokenColumns
from explorer.tui.panes.map.regions import label_regions
from explorer.tui.widgets.labels import Placement
from tests.tui.token_samples import vocabulary

LATIN, HAN, DIGITS = 600, 200, 200
WORDS = [b" w%d" % n for n in range(LATIN)] + ["漢".encode()] * HAN + [b"12"] * DIGITS


def columns_of(words: list[bytes]) -> TokenColumns:
    """Of a vocabulary of plain text."""
    categories = Array.of(np.zeros(len(words), dtype=np.uint8))
    return TokenColumns(msgspec.structs.replace(vocabulary(words), categories=categories, unused=()))


COLUMNS = columns_of(WORDS)
GREY = (9, 9, 9)


def cloud() -> Cloud:
    """Latin everywhere, Han at the upper right, digits in a far clump at the lower left."""
    random = np.random.default_rng(1)
    x, y = random.uniform(0, 1, (2, len(WORDS))).astype(np.float32)
    x[LATIN : LATIN + HAN] = 0.9 + 0.1 * x[LATIN : LATIN + HAN]
    y[LATIN : LATIN + HAN] = 0.9 + 0.1 * y[LATIN : LATIN + HAN]
    x[LATIN + HAN :], y[LATIN + HAN :] = 0.05 * x[LATIN + HAN :], 0.05 * y[LATIN + HAN :]
    return Cloud(x, y)


NAMER = RegionNamer(cloud(), COLUMNS)


def test_every_region_has_the_name_and_share_of_what_it_holds_most_above_average() -> None:
    found = {region.name: region for region in NAMER.name((0.0, 1.0, 0.0, 1.0))}
    assert set(found) == {"Latin", "Han", "no letter"}
    assert (0.9 < found["Han"].x < 1.0, 0.85 < found["Han"].y < 1.0, found["Han"].share > 0.9) == (True,) * 3
    assert max(found["no letter"].x, found["no letter"].y) < 0.1
    assert found["Latin"].share == 1.0


def test_what_all_of_a_map_is_names_no_part_of_it() -> None:
    columns = columns_of([b" w%d" % n for n in range(500)])
    random = np.random.default_rng(2).uniform(0, 1, (2, 500)).astype(np.float32)
    assert RegionNamer(Cloud(*random), columns).name((0.0, 1.0, 0.0, 1.0)) == ()


def test_the_classes_are_made_once_for_a_vocabulary() -> None:
    assert region_classes(COLUMNS) is region_classes(COLUMNS)
    names, codes = region_classes(COLUMNS)
    assert [names[codes[place]] for place in (0, LATIN, LATIN + HAN)] == ["Latin", "Han", "no letter"]


@given(st.tuples(*[st.floats(-2, 2)] * 2), st.tuples(*[st.floats(1e-3, 3)] * 2))
def test_any_window_names_few_regions_inside_it(corner: tuple[float, float], size: tuple[float, float]) -> None:
    window: Window = corner[0], corner[0] + size[0], corner[1], corner[1] + size[1]
    found = NAMER.name(window)
    assert len(found) <= MOST_REGIONS
    for region in found:
        assert window[0] - 1e-3 <= region.x <= window[1] + 1e-3
        assert window[2] - 1e-3 <= region.y <= window[3] + 1e-3
        assert 0.3 < region.share <= 1.0


def region(name: str, x: float, y: float) -> MapRegion:
    return MapRegion(name=name, share=0.5, x=x, y=y)


def test_names_give_way_to_labels_and_glyphs_and_stay_on_the_screen() -> None:
    unit: Window = (0.0, 1.0, 0.0, 1.0)
    screen = 40, 8
    regions = [
        region("Latin", 0.5, 0.5),
        region("Latin", 0.0, 1.0),
        region("out", 2.0, 0.0),
        region("\x1b[2J", 1.0, 0.0),
    ]
    labels = label_regions(regions, unit, screen, [(20, 4)], [Placement(0, 22, 5, "label", 5)], GREY)
    assert [(label.text.strip(), label.row) for label in labels] == [
        ("Latin 50.0 %", 3), ("Latin 50.0 %", 0), ("\\u{1b}[2J 50.0 %", 7)
    ]  # fmt: skip
    assert all(label.column >= 0 and label.column + len(label.text) <= 40 for label in labels)
    assert label_regions(regions, unit, (5, 2), [], [], GREY) == ()
    crowded = [(column, row) for column in range(40) for row in range(8)]
    assert label_regions(regions, unit, screen, crowded, [], GREY) == ()
