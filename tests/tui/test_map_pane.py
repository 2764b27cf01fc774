"""The Map pane: a cross that picks, windows, selections that filter and mark, and what a session gets of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from textual import on
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip

from explorer.base.records.map_colours import REST
from explorer.base.records.maps import MapAxis, MapView, ReadMap, ViewMap, VocabularyMap
from explorer.base.records.notes import MarkToken
from explorer.base.records.record import Array, Failure
from explorer.base.records.vocabulary import UnusedReference
from explorer.specs.blocks import Plot
from explorer.specs.plot_svg import plot_picture
from explorer.tables import map_cells
from explorer.tables.filters import parse_filter
from explorer.tables.map_cells import Cloud
from explorer.tables.map_classes import TokenClasses
from explorer.tables.maps import PlacedMap
from explorer.tables.table import TokenColumns
from explorer.tui.panes.map import pane as panes
from explorer.tui.panes.map.aim import Aim
from explorer.tui.panes.map.body import NO_MAP
from explorer.tui.panes.map.canvas import MapCanvas
from explorer.tui.panes.map.making import Made
from explorer.tui.panes.map.painting import GUTTER
from explorer.tui.panes.map.pane import MapPane
from explorer.tui.panes.map.plots_view import PlotsView
from explorer.tui.panes.map.telling import selection_words
from explorer.tui.panes.takeaway import takeaway_of
from explorer.tui.shell.messages import (
    ColumnsFound,
    FilterWanted,
    NeighbourOpened,
    Selection,
    TokenPointedAt,
    ViewSettled,
)
from explorer.tui.widgets.option_line import Choice
from tests.app_driver import until
from tests.tui.pane_samples import MODELS, SELECTION, SIZES, Harness, step
from tests.tui.token_samples import HOSTILE, row, vocabulary

WORDS = [f" word{place}".encode() for place in range(400)] + list(HOSTILE)
COLUMNS = TokenColumns(vocabulary(WORDS))
REQUEST = ReadMap(model="mynah", colour="unused_cosine_distance")


def found_map() -> VocabularyMap:
    """A round cloud, and a clump of the first 20 tokens far at the left."""
    random = np.random.default_rng(3)
    x, y = random.normal(size=(2, len(WORDS))).astype(np.float32)
    x[:20], y[:20] = -6 + 0.01 * x[:20], 2 + 0.01 * y[:20]
    x[-1] = np.nan
    return VocabularyMap(
        model="mynah", plane="distance", space="input", x=Array.of(x), y=Array.of(y),
        x_axis=MapAxis(name="input_centroid_distance", title="centroid distance"),
        y_axis=MapAxis(name="pc1", title="PC1 11.5 %", share=0.115), digest="0" * 32, left_out=1,
        colour="unused_cosine_distance", values=Array.of(COLUMNS.values("unused_cosine_distance")),
    )  # fmt: skip


FOUND = found_map()
TOKEN = row(b" word3", 3)


class MapHarness(Harness):
    """Notes what the pane says to the rest of the screen."""

    def __init__(self) -> None:
        selection = Selection(
            roster=SELECTION.roster, model=MODELS[0], token=TOKEN, marked=frozenset({7}), columns=COLUMNS
        )
        super().__init__(MapPane(), selection)
        self.said: list[object] = []

    @on(NeighbourOpened)
    @on(TokenPointedAt)
    @on(FilterWanted)
    @on(ColumnsFound)
    @on(ViewSettled)
    def note(self, message: object) -> None:
        self.said.append(message)

    @property
    def canvas(self) -> MapCanvas:
        return self.pane.query_one(MapCanvas)

    def of_kind(self, kind: type) -> list[object]:
        return [message for message in self.said if isinstance(message, kind)]


async def shown(app: MapHarness, pilot: Pilot[None], found: VocabularyMap = FOUND) -> MapCanvas:
    """With the map on the screen, and the keys in it."""
    app.pane.show(step(REQUEST, found))
    await until(pilot, lambda: bool(app.canvas.drawn.strips))
    app.pane.focus_content()
    await pilot.pause()
    return app.canvas


async def test_a_key_pressed_before_there_is_a_map_says_so() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        app.pane.run_default()
        app.pane.show_asked(REQUEST)
        app.pane.focus_content()
        for key in ("h", "x", "full_stop", "plus", "C", "left"):
            app.remarks.clear()
            await pilot.press(key)
            await pilot.pause()
            assert app.remarks == [NO_MAP], key
        await shown(app, pilot)
        app.remarks.clear()
        await pilot.press("h")
        await until(pilot, lambda: app.pane.query_one(PlotsView).has_focus)
        assert app.remarks == []


async def test_the_form_asks_for_a_plane_and_a_colour() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        app.pane.run_default()
        await pilot.pause()
        assert app.asked == [ReadMap(model="mynah", colour="unused_cosine_distance")]
        app.pane.query_one("#plane", Choice).choose("two axes")
        app.pane.query_one("#x-axis", Choice).choose("input_norm")
        app.pane.query_one("#y-axis", Choice).choose("pc2")
        app.pane.run_default()
        app.pane.query_one("#plane", Choice).choose("radial")
        app.pane.query_one("#colour", Choice).choose("output_norm")
        app.pane.run_default()
        await pilot.pause()
        assert app.asked[1:] == [
            ReadMap(model="mynah", plane="input_norm,pc2", colour="unused_cosine_distance"),
            ReadMap(model="mynah", plane="radial", colour="output_norm", token_id=3),
        ]


@pytest.mark.parametrize("size", SIZES)
async def test_the_cross_begins_on_the_selected_token_and_hostile_labels_are_safe(size: tuple[int, int]) -> None:
    app = MapHarness()
    async with app.run_test(size=size) as pilot:
        canvas = await shown(app, pilot)
        assert canvas.nearest() in range(20), "the clump"
        text = "\n".join(app.screen_lines())
        assert "selected 3 ·word3" in text
        assert "◆ selected" in text
        assert "x d(W_E)" in text
        assert not any(character in text for character in "\x1b\x07\u202e\x9b")
        assert all(len(line) == size[0] or "·" in line for line in app.screen_lines())


async def test_arrows_move_the_cross_and_the_table_follows_once_it_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panes, "REST_PAUSE", 0.01)
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        canvas = await shown(app, pilot)
        before = canvas.aim.cross
        assert app.of_kind(TokenPointedAt) == [], "nobody moved it yet"
        await pilot.press("right", "right", "shift+right", "down")
        assert canvas.aim.cross == (before[0] + 10, before[1] + 1)
        await until(pilot, lambda: len(app.of_kind(TokenPointedAt)) > 0)
        pointed = app.of_kind(TokenPointedAt)[-1]
        assert isinstance(pointed, TokenPointedAt)
        assert pointed.token_id == canvas.nearest()
        await pilot.press("enter")
        opened = app.of_kind(NeighbourOpened)[-1]
        assert isinstance(opened, NeighbourOpened)
        assert (opened.model, opened.token_id) == ("mynah", canvas.nearest())


async def test_a_picture_is_painted_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    app = MapHarness()
    async with app.run_test(size=(120, 40)) as pilot:
        canvas = await shown(app, pilot)
        status, painted = app.pane.query_one("#map-status"), []
        paint = MapCanvas.render_lines

        def note(self: MapCanvas, crop: Region) -> list[Strip]:
            painted.append((self.drawn, str(status.render())))
            return paint(self, crop)

        monkeypatch.setattr(MapCanvas, "render_lines", note)
        before = canvas.drawn
        canvas.action_zoom(1)
        await until(pilot, lambda: canvas.drawn is not before)
        await pilot.pause()
        found = [words for drawn, words in painted if drawn is canvas.drawn]
        assert found
        assert set(found) == {str(status.render())}, "the words of this picture, not of the one before"


async def test_zooming_keeps_what_is_at_the_cross_and_home_shows_all() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        canvas = await shown(app, pilot)
        assert canvas.scene is not None
        whole, picked = canvas.scene.window, canvas.nearest()
        await pilot.press("plus", "plus", "plus")
        assert canvas.scene is not None
        assert canvas.scene.window[1] - canvas.scene.window[0] == pytest.approx((whole[1] - whole[0]) / 8)
        x, y = FOUND.x.numpy()[picked], FOUND.y.numpy()[picked]
        left, right, bottom, top = canvas.scene.window
        assert left <= x <= right
        assert bottom <= y <= top
        await pilot.press(*["right"] * 200)
        assert canvas.scene.window[0] > left, "at the edge the window moves"
        await pilot.press("home")
        assert canvas.scene.window == whole


async def test_strays_are_counted_at_the_rims_and_home_shows_them_all_at_the_second_time() -> None:
    x = FOUND.x.numpy().copy()
    x[100:102] = 1e3
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        canvas = await shown(app, pilot, msgspec.structs.replace(FOUND, x=Array.of(x)))
        assert canvas.scene is not None
        first = canvas.scene.window
        await until(pilot, lambda: "▸3" in "\n".join(app.screen_lines()))
        assert "6 beyond the edges" in "\n".join(app.screen_lines())
        await pilot.press("home")
        await until(pilot, lambda: "▸3" not in "\n".join(app.screen_lines()))
        assert canvas.scene.window[1] > 1e3
        assert "beyond" not in "\n".join(app.screen_lines())
        await pilot.press("home")
        assert canvas.scene.window == first


def test_a_selection_tells_its_share_of_the_reference_tokens() -> None:
    unused = tuple(UnusedReference(token_id=token_id, reason="by hand") for token_id in (*range(15), 100))
    made = Made(REQUEST, FOUND, TokenColumns(msgspec.structs.replace(vocabulary(WORDS), unused=unused)))
    clump = (-7.0, -5.0, 1.0, 3.0)
    assert selection_words("box", made, clump)[0].startswith(
        "20 tokens in the box, 15 of the 16 reference tokens (75.0 % of the selection): enter filters"
    )
    assert ", 0 of the 16 reference tokens: enter" in selection_words("box", made, (90.0, 91.0, 90.0, 91.0))[0]
    without = Made(REQUEST, FOUND, COLUMNS)
    others = len(WORDS) - 1 - 20
    assert selection_words("left", without, clump)[0].startswith(
        f"20 tokens left of the line, {others} on the other side: enter filters"
    )


async def test_a_box_becomes_a_filter_with_the_same_tokens() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        canvas = await shown(app, pilot)
        canvas.aim = Aim((0, 0))
        await pilot.press("x", *["shift+right"] * 2, *["shift+down"] * 6)
        box = canvas.selected()
        assert box is not None
        assert canvas.scene is not None
        inside = canvas.scene.cloud.inside(box)
        assert set(range(20)) <= set(inside.tolist()), "the clump is in it"
        await until(pilot, lambda: f"{len(inside)} tokens in the box" in "\n".join(app.screen_lines()))
        await pilot.press("enter")
        (columns,), (wanted,) = app.of_kind(ColumnsFound), app.of_kind(FilterWanted)
        assert isinstance(columns, ColumnsFound)
        assert isinstance(wanted, FilterWanted)
        assert list(columns.columns) == ["pc1"], "the other axis is in the table already"
        assert wanted.text.startswith("input_centroid_distance>=")
        assert "pc1<=" in wanted.text
        assert np.array_equal(np.flatnonzero(_passing(wanted.text, columns)), inside)
        assert canvas.aim.shape is None
        await asyncio.sleep(2 * panes.REST_PAUSE)
        assert not app.of_kind(TokenPointedAt), "the corner of the box is no token to go to"


def _passing(text: str, message: ColumnsFound) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """What the filter passes, with the map's own numbers for the axis that the made-up table has otherwise."""
    table = TokenColumns(vocabulary(WORDS))
    table.indicators["input_centroid_distance"] = FOUND.x.numpy()
    table.added = dict(message.columns)
    return parse_filter(text, table.comparable).mask(table)


async def test_a_line_selects_one_side_and_counts_both() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[2]) as pilot:
        canvas = await shown(app, pilot)
        await pilot.press("shift+right", "x", "x", "x")
        assert canvas.aim.shape == "left"
        await until(pilot, lambda: "20 tokens left of the line, 399 on the other side" in "\n".join(app.screen_lines()))
        await pilot.press("enter")
        (wanted,) = app.of_kind(FilterWanted)
        assert isinstance(wanted, FilterWanted)
        assert wanted.text.startswith("input_centroid_distance<=")
        assert " " not in wanted.text, "the other sides have no edge"


async def test_a_selection_is_marked_and_escape_gives_it_up() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        canvas = await shown(app, pilot)
        await pilot.press("X")
        assert not any(isinstance(asked, MarkToken) for asked in app.asked), "nothing is selected"
        await pilot.press("x", "escape")
        assert canvas.aim.shape is None
        await pilot.press("shift+right", "x", "x", "x", "X")
        await until(pilot, lambda: len(app.asked) >= 19)
        marked = [asked.token_id for asked in app.asked if isinstance(asked, MarkToken)]
        assert sorted(marked) == [token_id for token_id in range(20) if token_id != 7], "7 was marked before"


async def test_the_cross_stays_on_its_token_in_a_window_of_another_size() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        canvas = await shown(app, pilot)
        for moved in (False, True):
            if moved:
                await pilot.press("shift+up", "shift+right")
            before, cells = canvas.aim.cross, (canvas.columns, canvas.rows)
            for size in ((80, 24), (60, 20), SIZES[1]):
                await pilot.resize_terminal(*size)
                await until(pilot, lambda size=size: canvas.app.screen.size == size)  # type: ignore[misc]
                told = "\n".join(app.screen_lines())
                assert ("selected 3" in told) is not moved
            assert (canvas.columns, canvas.rows) == cells
            assert canvas.aim.cross == before


async def test_a_walk_goes_from_token_to_nearest_token_and_never_back() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        await shown(app, pilot)
        walked = [3]
        for _ in range(5):
            await pilot.press("full_stop")
            opened = app.of_kind(NeighbourOpened)[-1]
            assert isinstance(opened, NeighbourOpened)
            walked.append(opened.token_id)
            token = row(WORDS[opened.token_id], opened.token_id)
            app.pane.selection = Selection(roster=SELECTION.roster, model=MODELS[0], token=token, columns=COLUMNS)
            await pilot.pause()
        assert len(set(walked)) == 6
        assert set(walked) <= set(range(20)), "all of the clump"


async def test_a_map_is_sorted_drawn_and_packed_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panes, "SETTLE_PAUSE", 0.05)
    app, workers = MapHarness(), set[int]()

    def note_worker(work: Callable[..., object]) -> Callable[..., object]:
        def noted(*arguments: object) -> object:
            workers.add(threading.get_ident())
            return work(*arguments)

        return noted

    for owner, name in ((Cloud, "__init__"), (Cloud, "cells"), (map_cells, "pack_cells"), (PlacedMap, "__init__")):
        monkeypatch.setattr(owner, name, note_worker(getattr(owner, name)))
    async with app.run_test(size=SIZES[1]) as pilot:
        await shown(app, pilot)
        await pilot.press("plus", "left", "home")
        await until(pilot, lambda: len(app.of_kind(ViewSettled)) > 0)
    assert workers
    assert threading.get_ident() not in workers


async def test_a_window_that_stands_is_recorded_once_and_shown_again_without_the_map(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(panes, "SETTLE_PAUSE", 0.05)
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        await shown(app, pilot)
        await until(pilot, lambda: len(app.of_kind(ViewSettled)) == 1)
        await pilot.press("right", "left")
        await asyncio.sleep(0.2)
        (settled,) = app.of_kind(ViewSettled)
        assert isinstance(settled, ViewSettled)
        assert isinstance(settled.request, ViewMap)
        assert isinstance(settled.outcome, MapView)
        assert settled.request.marked == (7,)
        await pilot.press("plus")
        await until(pilot, lambda: len(app.of_kind(ViewSettled)) == 2)
        given = takeaway_of(app.pane)
        assert given is not None
        assert len(list(given.rows(None))) == settled.outcome.total
        assert given.row is not None
        assert (given.row(0) or {}).keys() >= {"token_id", "text", "x", "y"}
        assert given.plot is not None
        drawn = given.plot()
        assert isinstance(drawn, Plot)
        assert "<svg" in plot_picture(drawn)
    again = Harness(MapPane(), Selection())
    async with again.run_test(size=SIZES[1]) as pilot:
        again.pane.show(step(settled.request, settled.outcome))
        await until(pilot, lambda: "recorded: named tokens alone" in "\n".join(again.screen_lines()))
        lines = "\n".join(again.screen_lines())
        assert "◆" in lines
        assert any("\u2800" < character <= "\u28ff" for character in lines)
        again.pane.focus_content()
        await pilot.pause()
        enabled = {key for key, active in again.screen.active_bindings.items() if active.enabled}
        assert {"left", "plus", "h"} <= enabled
        assert "home" not in enabled, "all of it is shown"
        await pilot.press("plus")
        assert "home" in again.screen.active_bindings
        assert not {"full_stop", "enter", "x"} & enabled, "they need every token; in a replay . is the next step"
        again.pane.clear()
        await pilot.pause()
        assert "Press M" in "\n".join(again.screen_lines())


async def test_the_histogram_parts_the_vocabulary_with_a_line_that_becomes_a_filter() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        await shown(app, pilot)
        await pilot.press("h")
        view = app.pane.query_one(PlotsView)
        await until(pilot, lambda: view.has_focus and view.parted is not None)
        assert view.parted is not None
        before = view.parted.line
        await pilot.press("right", "shift+right")
        assert view.parted.line > before
        column = COLUMNS.values("unused_cosine_distance")
        up_to = int((column <= np.float32(view.parted.line)).sum())
        assert f": {up_to:,} tokens" in "\n".join(app.screen_lines())
        await pilot.press("enter")
        (wanted,) = app.of_kind(FilterWanted)
        assert isinstance(wanted, FilterWanted)
        assert wanted.text == f"unused_cosine_distance<={view.parted.line!r}"
        assert int(parse_filter(wanted.text, COLUMNS.comparable).mask(COLUMNS).sum()) == up_to
        await pilot.press("h")
        assert app.canvas.has_focus


async def test_another_model_is_an_axis() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        models = tuple(msgspec.structs.replace(info, abilities=("weights",)) for info in MODELS)
        roster = msgspec.structs.replace(SELECTION.roster, models=models)
        app.pane.selection = replace(app.pane.selection, roster=roster, model=models[0])
        other = app.pane.query_one("#other", Choice)
        assert other.names == ("this model", "mynah-instruct", "lyrebird", "starling", "geometry")
        other.value = "lyrebird"
        app.pane.query_one("#x-axis", Choice).choose("input_norm")
        await pilot.pause()
        app.pane.run_default()
        await pilot.pause()
        assert app.asked == [
            ReadMap(model="mynah", plane="input_norm", other="lyrebird", colour="unused_cosine_distance")
        ]


async def test_the_mouse_picks_and_zooms() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        canvas = await shown(app, pilot)
        await pilot.click(MapCanvas, offset=(40, 10))
        assert canvas.aim.cross == (32, 10)
        assert canvas.scene is not None
        before = canvas.scene.window
        canvas._zoom(0.5, (32, 10))
        assert canvas.scene.window[1] - canvas.scene.window[0] < before[1] - before[0]


async def test_the_mouse_draws_a_box_that_filters() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        await shown(app, pilot)
        await pilot.mouse_down(MapCanvas, offset=(30, 5))
        await pilot.hover(MapCanvas, offset=(34, 8))
        await pilot.hover(MapCanvas, offset=(40, 10))
        assert (app.canvas.aim.shape, app.canvas.aim.corner) == ("box", (30 - GUTTER, 5))
        await pilot.mouse_up(MapCanvas, offset=(40, 10))
        box = app.canvas.selected()
        assert box is not None
        await pilot.hover(MapCanvas, offset=(20, 3))
        assert app.canvas.selected() == box, "the button is up"
        assert box[0] < box[1]
        await pilot.press("enter")
        assert any(isinstance(said, FilterWanted) for said in app.said)
        await pilot.click(MapCanvas, offset=(40, 10))
        assert (app.canvas.aim.cross, app.canvas.aim.shape) == ((40 - GUTTER, 10), None), "a click gives it up"


async def test_what_went_wrong_stands_above_the_map() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        await shown(app, pilot)
        app.pane.show(step(REQUEST, Failure(message="far-model gives no matrices", hint="Ask another.")))
        await pilot.pause()
        lines = "\n".join(app.screen_lines())
        assert "far-model gives no matrices" in lines
        assert "◆" in lines, "an earlier map stays"


async def test_every_tokens_neighbours_are_asked_for_once_their_landmarks_are_a_picture() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        pane = app.query_one(MapPane)
        pane.query_one("#plane", Choice).choose("neighbours")
        pane.run_default()
        await until(pilot, lambda: bool(app.asked))
        first = app.asked[0]
        assert isinstance(first, ReadMap)
        assert first.plane == "landmarks"
        pane.show(step(first, msgspec.structs.replace(FOUND, plane="landmarks")))
        await until(pilot, lambda: len(app.asked) == 2)
        assert app.asked[1] == msgspec.structs.replace(first, plane="neighbours")
        await until(pilot, lambda: app.canvas.scene is not None)
        pane.query_one("#plane", Choice).choose("pca")
        pane.show(step(first, msgspec.structs.replace(FOUND, plane="landmarks")))
        await pilot.pause(0)
        assert "neighbours" not in {request.plane for request in app.asked[2:] if isinstance(request, ReadMap)}


def classed_map() -> VocabularyMap:
    """The same map with the clump as one class and another token as one by itself."""
    codes = np.full(len(WORDS), REST, dtype=np.uint8)
    codes[:20], codes[25] = 0, 1
    placed = np.isfinite(FOUND.x.numpy())
    made = TokenClasses("rarest", ("clump", "lone"), "others", codes)
    return msgspec.structs.replace(
        FOUND, colour="flag", values=None, classes=made.counted(placed), class_of=Array.of(codes)
    )


async def test_c_goes_through_the_classes_and_the_legend_counts_what_is_in_view() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        await shown(app, pilot)
        app.asked.clear()
        await pilot.press("C")
        await until(pilot, lambda: any(isinstance(one, ReadMap) for one in app.asked))
        asked = next(one for one in app.asked if isinstance(one, ReadMap))
        assert asked == ReadMap(model="mynah", colour="category")
        app.pane.show(step(asked, classed_map()))
        await until(pilot, lambda: "⣿ clump 20" in "\n".join(app.screen_lines()))
        text = "\n".join(app.screen_lines())
        assert "⣿ lone 1" in text
        assert "a cell shows its rarest class" in text
        assert "clump · 20 in this cell" in text, "the class of the token under the cross"
        app.canvas.look_through((-7.0, -5.0, 1.0, 3.0))
        await until(pilot, lambda: "⣿ lone 0 of 1" in "\n".join(app.screen_lines()))
        raster = app.canvas.drawn.raster
        assert raster is not None
        assert set(raster.colours[raster.counts > 0].tolist()) == {0}
        app.pane.show(step(REQUEST, FOUND))
        await until(pilot, lambda: "clump" not in "\n".join(app.screen_lines()))
