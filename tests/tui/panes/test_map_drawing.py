"""What the map draws: dots, colours, windows, boxes and labels, as pure functions."""

from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len

from explorer.base.records.map_vectors import PlacedVector
from explorer.base.records.maps import MapAxis, MapPoint, MapView, ReadMap, Role, ViewMap, VocabularyMap, Window
from explorer.base.records.tokens import TokenRef
from explorer.base.records.vocabulary import ReadVocabulary, VocabularyColumns
from explorer.engine.handlers import Engine
from explorer.tables.filters import parse_filter
from explorer.tables.map_cells import Cloud, Column, percentile_ranks
from explorer.tables.table import TokenColumns
from explorer.tui.panes.map.painting import GUTTER, rim_count
from explorer.tui.panes.map.raster import EMPTY, Raster, raster, raster_strips, recorded_cloud
from explorer.tui.panes.map.spots import GLYPHS, WORDS, find_seen, label_seen, spots_of, vector_words
from explorer.tui.panes.map.windows import (
    CELL,
    box_filter,
    cell_of,
    fit_round,
    pan_window,
    place_of,
    round_window,
    window_of_cells,
    x_ticks,
    y_ticks,
    zoom_window,
)
from explorer.tui.widgets.labels import place_labels
from explorer.tui.widgets.plot import Label, Palette, Point
from tests.engine_work import answer

PALETTE = Palette(
    foreground=(255, 255, 255), frame=(9, 9, 9), accent=(1, 2, 3), ramp=tuple((30 * step, 9, 9) for step in range(7))
)
UNIT: Window = (0.0, 1.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine()
    made.models.load("zoo:mynah")
    return made


def random_cloud(seed: int, size: int) -> tuple[Cloud, Column, Column]:
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(2, size)).astype(np.float32)
    return Cloud(x, y, percentile_ranks(x)), x, y


def text_of(drawn: Raster) -> list[str]:
    return [strip.text for strip in raster_strips(drawn, PALETTE)]


def test_each_dot_of_a_cell_is_a_place_of_its_own() -> None:
    for column in range(2):
        for row in range(4):
            x = np.array([(column + 0.5) / 2], np.float32)
            y = np.array([1 - (row + 0.5) / 4], np.float32)
            (glyph,) = text_of(raster(Cloud(x, y), UNIT, 1, 1))
            assert ord(glyph) - 0x2800 == [[1, 8], [2, 16], [4, 32], [64, 128]][row][column]


@pytest.mark.parametrize(("size", "screen"), [(40, (80, 20)), (5_000, (40, 12)), (60_000, (118, 34))])
def test_no_token_vanishes_in_any_mode(size: int, screen: tuple[int, int]) -> None:
    cloud, *_ = random_cloud(size, size)
    dithered = False
    for scale in (1.0, 0.3, 0.02):
        window = zoom_window(cloud.whole_window(), scale, 0.0, 0.0)
        drawn = raster(cloud, window, *screen)
        assert np.array_equal(drawn.dots > 0, drawn.counts > 0)
        assert np.array_equal(drawn.colours != EMPTY, drawn.counts > 0)
        assert drawn.counts.sum() == len(cloud.inside(window))
        dithered |= drawn.is_dithered
    assert dithered == (size > 1_000)


def test_a_lone_token_is_seen_beside_a_crowd_and_the_crowd_is_denser_in_its_middle() -> None:
    random = np.random.default_rng(3)
    x = np.concatenate([random.normal(0.5, 0.06, 200_000), [0.95]]).astype(np.float32)
    y = np.concatenate([random.normal(0.5, 0.06, 200_000), [0.05]]).astype(np.float32)
    drawn = raster(Cloud(x, y), UNIT, 60, 30)
    assert drawn.is_dithered
    row, column = int(0.95 * 30), int(0.95 * 60)
    assert drawn.counts[row, column] == 1
    assert bin(drawn.dots[row, column]).count("1") == 1
    lit = np.array([bin(dots).count("1") for dots in drawn.dots.ravel().tolist()]).reshape(30, 60)
    assert lit[13:17, 27:33].mean() > lit[8:11, 27:33].mean() > 0


def test_a_cell_has_the_colour_of_its_tokens_mean_rank_and_not_of_their_highest() -> None:
    x = np.full(10, 0.5, np.float32)
    ranks = np.array([0.0] * 9 + [1.0], np.float32)
    drawn = raster(Cloud(x, x, ranks), UNIT, 1, 1)
    assert drawn.colours.tolist() == [[0]]
    assert drawn.counts.tolist() == [[10]]
    unranked = raster(Cloud(x, x), UNIT, 1, 1)
    assert unranked.colours.tolist() == [[7]]


def test_strips_are_as_wide_as_the_screen_and_blanks_take_the_colour_before_them() -> None:
    cloud, *_ = random_cloud(0, 300)
    drawn = raster(cloud, cloud.whole_window(), 60, 20)
    points = (Point(3, 5, "◆", (1, 2, 3)),)
    labels = (Label(5, 5, "東京 x", (1, 2, 3)), Label(56, 19, "end+", (1, 2, 3)))
    strips = raster_strips(drawn, PALETTE, points, labels)
    assert [strip.cell_length for strip in strips] == [60] * 20
    assert strips[5].text[3] == "◆"
    assert "東京 x" in strips[5].text
    assert strips[19].text.endswith("end+")
    for row, strip in enumerate(raster_strips(drawn, PALETTE)):
        inked = drawn.colours[row][drawn.colours[row] != EMPTY]
        assert len(strip) == 1 + int((np.diff(inked) != 0).sum() if len(inked) else 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_box_is_a_filter_that_lets_the_same_tokens_through(engine: Engine, seed: int) -> None:
    columns = TokenColumns(vocabulary(engine))
    names = ("output_norm", "unused_cosine_distance")
    found = answer(engine, ReadMap(model="mynah", plane=",".join(names)))
    assert isinstance(found, VocabularyMap)
    cloud = Cloud(found.x.numpy(), found.y.numpy())
    window, random = cloud.whole_window(), np.random.default_rng(seed)
    for _ in range(340):
        corners = random.integers(0, (118, 34), (2, 2)).tolist()
        box = window_of_cells(tuple(corners[0]), tuple(corners[1]), window, 118, 34)
        text = box_filter(box, found.x_axis, found.y_axis)
        passing = np.flatnonzero(parse_filter(text, columns.indicators).mask(columns))
        assert np.array_equal(passing, cloud.inside(box)), text


def vocabulary(engine: Engine) -> VocabularyColumns:
    found = answer(engine, ReadVocabulary(model="mynah"))
    assert isinstance(found, VocabularyColumns)
    return found


def test_a_box_filter_says_four_digits_of_its_size() -> None:
    axes = MapAxis(name="input_norm", title=""), MapAxis(name="output_norm", title="")
    box = round_window((1.23456789, 2.3456789, -0.00012345678, 0.00098765432))
    assert box_filter(box, *axes) == (
        "input_norm>=1.235 input_norm<=2.346 output_norm>=-0.000123 output_norm<=0.000988"
    )


def test_cells_and_places_are_inverse() -> None:
    window = (-3.0, 5.0, 10.0, 11.0)
    for cell in ((0, 0), (117, 33), (5, 20)):
        assert cell_of(*place_of(*cell, window, 118, 34), window, 118, 34) == cell
    assert cell_of(5.0, 10.0, window, 118, 34) == (117, 33)
    assert cell_of(5.1, 10.5, window, 118, 34) is None


def test_windows_zoom_at_a_place_pan_and_stop_where_numbers_end() -> None:
    window = (0.0, 4.0, 0.0, 2.0)
    assert zoom_window(window, 0.5, 4.0, 0.0) == (2.0, 4.0, 0.0, 1.0)
    assert pan_window(window, 0.25, -0.5) == (1.0, 5.0, -1.0, 1.0)
    closest = window
    for _ in range(200):
        closest = zoom_window(closest, 0.5, 3.0, 1.0)
    assert closest[0] < 3.0 < closest[1]
    farthest = window
    for _ in range(500):
        farthest = zoom_window(farthest, 2.0, 1.0, 1.0)
    assert farthest[1] < 1e31
    left, right, bottom, top = fit_round((0.0, 1.0, 0.0, 1.0), 100, 20)
    assert (right - left) / 100 == pytest.approx((top - bottom) / (20 * CELL))
    assert (bottom, top) == (0.0, 1.0)


@pytest.mark.parametrize("columns", [1, 8, 20, 118, 200])
def test_numbers_along_the_axes_fit(columns: int) -> None:
    for window in ((0.0, 1.0, 0.0, 1.0), (-1.25e-7, 3e-7, -5e8, 5e8), (1.61, 5.39, -4.5, 5.2)):
        line = x_ticks(window, columns)
        assert len(line) == columns
        assert all(0 <= row < columns for row in y_ticks(window, columns))
        ended = x_ticks(window, columns, "▸7")
        assert columns < 20 or (len(ended) == columns and ended.endswith(" ▸7"))
    assert columns < 20 or len(x_ticks(UNIT, columns).split()) >= 2


@pytest.mark.parametrize(("tokens", "text"), [(0, ""), (7, "◂7"), (26_144, "◂26,144"), (262_144, "◂262k")])
def test_what_is_beyond_an_edge_is_counted_in_the_room_of_the_gutter(tokens: int, text: str) -> None:
    assert rim_count("◂", tokens) == text
    assert len(text) < GUTTER


def test_tokens_of_one_cell_share_a_label_and_none_is_cut_or_overlapped() -> None:
    def point(token_id: int, x: float, text: str) -> MapPoint:
        token = TokenRef(token_id=token_id, token_bytes=text.encode().hex(), text=text)
        return MapPoint(token=token, category="ok", role="suspect", x=x, y=0.5)

    points = [point(1, 0.5, "Meta\x1bInfo"), point(2, 0.5001, "swig"), point(3, 0.1, "東京"), point(4, 1.5, "out")]
    seen = find_seen(spots_of(points, ()), UNIT, 60, 10)
    cells, texts = label_seen(seen)
    assert (texts, len(seen)) == (["Meta\\u{1b}Info +1", "東京"], 3)
    placed = place_labels(cells, texts, 60, 10)
    assert [place.text for place in placed] == ["Meta\\u{1b}Info…", "東京"]
    assert all(cell_len(place.text) == place.width for place in placed)


def test_vectors_stand_behind_the_subject_alone_and_at_the_rim_where_they_are_outside() -> None:
    def point(role: Role, x: float) -> MapPoint:
        return MapPoint(token=TokenRef(token_id=1, token_bytes="61", text="a"), category="ok", role=role, x=x, y=0.5)

    vectors = (
        PlacedVector(role="centroid", label="centroid", x=-3.0, y=9.0, placing="exact"),
        PlacedVector(role="twin", label="b\x1b", x=0.5, y=-1.0, placing="nearest", fit=0.5, by_chance=0.1, kept=1.0),
        PlacedVector(role="vector", label="c", placing="none", why="so"),
    )
    spots = spots_of([point("marked", 0.2), point("subject", 0.9), point("neighbour", 2.0)], vectors)
    assert [spot.role for spot in spots] == ["subject", "centroid", "twin", "marked", "neighbour"]
    seen = find_seen(spots, UNIT, 60, 10)
    assert [(each.glyph, each.cell) for each in seen] == [
        ("◆", (54, 5)), ("↖", (0, 0)), ("↓", (30, 9)), ("■", (12, 5))
    ]  # fmt: skip
    assert list(vector_words(vectors)) == ["twin by r 0.50", "c: no place here"]
    assert len(set(GLYPHS.values())) == len(GLYPHS) == len(WORDS)
    assert all(cell_len(glyph) == 1 for glyph in GLYPHS.values())


def test_what_a_session_holds_is_drawn_with_every_occupied_cell(engine: Engine) -> None:
    view = answer(engine, ViewMap(model="mynah", plane="distance"))
    assert isinstance(view, MapView)
    again = raster(recorded_cloud(view), view.window, 128, 32)
    found = answer(engine, ReadMap(model="mynah", plane="distance", colour=view.colour))
    assert isinstance(found, VocabularyMap)
    assert found.values is not None
    live = raster(Cloud(found.x.numpy(), found.y.numpy(), percentile_ranks(found.values.numpy())), view.window, 128, 32)
    assert np.array_equal(again.counts > 0, live.counts > 0)
    assert np.abs(again.colours.astype(int) - live.colours).max() <= 1
