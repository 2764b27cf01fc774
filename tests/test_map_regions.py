"""Names of a map's regions: by hand, in any window, at their places, and only where there is room."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.base.records.map_regions import MOST_REGIONS, MapRegion
from explorer.base.records.maps import MapAxis, MapView, ViewMap, VocabularyMap, Window
from explorer.base.records.record import Array
from explorer.specs.comparing.agreement import Comparison
from explorer.specs.map_compare import compare_views
from explorer.tables import scripts
from explorer.tables.map_cells import Cloud
from explorer.tables.map_classes import classes_of_columns
from explorer.tables.map_regions import RegionNamer, region_classes
from explorer.tables.maps import PlacedMap
from explorer.tables.scripts import NO_LETTER, Scripts, scripts_of
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


def test_scripts_are_read_once_for_regions_and_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    columns, read = columns_of(WORDS), []

    def note(texts: Iterable[str]) -> Scripts:
        read.append(1)
        return scripts_of(texts)

    monkeypatch.setattr(scripts, "scripts_of", note)
    coloured = classes_of_columns("script", columns)
    names, codes = region_classes(columns)
    assert coloured is not None
    assert read == [1]
    assert [names[code] for code in codes[[0, LATIN, LATIN + HAN]].tolist()] == ["Latin", "Han", NO_LETTER]


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


def seen(x: np.ndarray, y: np.ndarray) -> MapView:
    """A view, with its regions, of the plane where the tokens of `COLUMNS` are."""
    axes = (MapAxis(name="pc1", title="PC1", share=0.1), MapAxis(name="pc2", title="PC2", share=0.1))
    whole = VocabularyMap(
        model="m", plane="pca", space="input", x=Array.of(x), y=Array.of(y), x_axis=axes[0], y_axis=axes[1],
        digest=hashlib.sha256(x.tobytes() + y.tobytes()).hexdigest()[:32], left_out=0,
    )  # fmt: skip
    return PlacedMap(whole, COLUMNS).view(REGIONS_ASKED)


REGIONS_ASKED = ViewMap(model="m", window=(0.0, 1.0, 0.0, 1.0), regions=True)


def differs(recorded: MapView, live: MapView) -> str:
    return compare_views(REGIONS_ASKED, recorded, live, Comparison()).difference


def on_the_edge(digits_more: int) -> MapView:
    """Ten tokens in the tile of the upper right, three or four of them digits: a share on the edge of 0.3."""
    x, y = np.full((2, len(WORDS)), 0.5, dtype=np.float32)
    x[LATIN : LATIN + HAN] = y[LATIN : LATIN + HAN] = 0.05
    digits = 3 + digits_more
    tile = [*range(10 - digits), *range(LATIN + HAN, LATIN + HAN + digits)]
    x[tile] = y[tile] = 0.95
    return seen(x, y)


def test_a_region_on_the_edge_of_being_named_may_be_missing_on_another_machine() -> None:
    without, named = on_the_edge(0), on_the_edge(1)
    shares = {region.name: region.share for region in named.regions}
    assert shares["no letter"] == 0.4
    assert "no letter" not in {region.name for region in without.regions}
    assert without.digest != named.digest
    assert differs(named, without) == differs(without, named) == ""


def test_a_region_that_is_one_for_sure_must_be_there_in_both_views() -> None:
    places = cloud()
    by_token = np.argsort(places.token_ids)
    view = seen(places.x[by_token], places.y[by_token])
    without = tuple(region for region in view.regions if region.name != "Han")
    assert [region.share > 0.9 for region in view.regions if region.name == "Han"] == [True]
    lost = msgspec.structs.replace(view, digest="0" * 32, regions=without)
    assert differs(view, lost) == "a region of Han was recorded, none came"
    assert differs(lost, view) == "no region of Han was recorded, one came"
    renamed = msgspec.structs.replace(lost, regions=(*without, region("Tamil", 0.9, 0.9)))
    assert differs(view, renamed) == "a region of Han was recorded, none came"


def test_a_view_with_all_the_regions_that_it_may_have_may_lack_the_smallest() -> None:
    view = seen(*np.full((2, len(WORDS)), 0.5, dtype=np.float32))
    twelve = tuple(region(f"script {n}", 0.5, 0.5) for n in range(MOST_REGIONS + 1))
    recorded = msgspec.structs.replace(view, digest="0" * 32, regions=(*twelve[: MOST_REGIONS - 1], twelve[-1]))
    assert differs(recorded, msgspec.structs.replace(view, regions=twelve[:MOST_REGIONS])) == ""
    assert "script 12" in differs(recorded, msgspec.structs.replace(view, regions=twelve[: MOST_REGIONS - 1]))
