"""The plots in the Map pane: their keys, how a verification reaches them, files, and what they look like."""

from __future__ import annotations

import csv
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from textual import on
from textual.geometry import Size
from textual.pilot import Pilot

from explorer.base.records.map_colours import MapClass, MapClasses
from explorer.base.records.maps import MapAxis, MapView, ReadMap, ViewMap
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.record import Array, Failure
from explorer.base.records.unions import AnyRequest, Cancelled, Step
from explorer.base.records.verification import ReadVerdicts, Verify
from explorer.sessions.file.store import SessionWriter
from explorer.tables.row_exports import write_rows
from explorer.tables.tested import TokenVerdicts
from explorer.tui.panes.map.canvas import MapCanvas
from explorer.tui.panes.map.heard_verdicts import HeardVerdicts
from explorer.tui.panes.map.making import Made
from explorer.tui.panes.map.pane import MapPane
from explorer.tui.panes.map.plot_columns import numbers_of, plotted_names
from explorer.tui.panes.map.plot_words import NO_MAP, no_curve_words, no_probability_words
from explorer.tui.panes.map.plots_sheet import ALL, CATEGORIES, HISTOGRAM, MEASURED, PLOTS, PRECISION, ROC
from explorer.tui.panes.map.plots_view import PlotsView
from explorer.tui.panes.map.recorded_curves import RecordedCurves
from explorer.tui.panes.map.threshold import Measured
from explorer.tui.panes.takeaway import takeaway_of
from explorer.tui.shell.messages import ColumnsFound, FilterWanted, Selection
from tests.app_driver import screen_text, settled, until
from tests.replay_driver import at, replaying
from tests.tui.map_samples import (
    COLUMNS,
    FOUND,
    MAPPED,
    NAME,
    REQUEST,
    RESULT,
    SELECTED,
    TESTED,
    VERIFIED,
    step,
    verdicts,
)
from tests.tui.pane_samples import MODELS, Harness
from tests.tui.test_pane_snapshots import Snap
from tests.tui.token_samples import row

SIZE = (120, 40)


def recorded() -> tuple[ViewMap, MapView]:
    made = Made(REQUEST, FOUND, COLUMNS)
    request = made.view_request(SELECTED, made.whole)
    return request, made.view(request)


class PlotsHarness(Harness):
    """A map with the plots open, or about to be."""

    def __init__(self, *, theme: str = "nightjar", plot: str = HISTOGRAM, measured: bool = True, live: bool = True):
        super().__init__(MapPane(), SELECTED if live else Selection(roster=SELECTED.roster))
        self.theme, self._plot, self._is_measured, self._is_live = theme, plot, measured, live
        self.said: list[object] = []
        self.mapped = MAPPED

    @on(FilterWanted)
    @on(ColumnsFound)
    def note(self, message: object) -> None:
        self.said.append(message)

    @property
    def view(self) -> PlotsView:
        return self.pane.query_one(PlotsView)

    async def open(self, pilot: Pilot[None]) -> PlotsView:
        """With the plots on the screen and the keys in them."""
        await pilot.pause()
        if self._is_measured:
            self.pane.overhear(TESTED if self._is_live else VERIFIED)
        self.pane.show(self.mapped if self._is_live else step(*recorded()))
        await until(pilot, lambda: self.pane.query_one("#map-canvas").scene is not None)  # type: ignore[attr-defined]
        self.pane.focus_content()
        await pilot.press("h")
        await until(pilot, lambda: self.view.has_focus and (self.view.parted is not None or not self._is_live))
        await pilot.press(*["down"] * PLOTS.index(self._plot))
        await settled(pilot)
        return self.view


async def test_up_and_down_choose_the_plot_and_all_are_one_of_them_where_there_is_room() -> None:
    app = PlotsHarness()
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        seen = []
        for _ in range(len(PLOTS)):
            seen.append(view.plotted.shown(*view.room))
            await pilot.press("down")
        assert tuple(seen) == PLOTS
        await pilot.press("up")
        assert view.plotted.shown(*view.room) == ALL
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert view.plotted.shown(*view.room) == HISTOGRAM, "four plots would not be readable"
        await pilot.click(PlotsView, offset=(13, 0))
        assert view.plotted.chosen == CATEGORIES


async def test_the_tab_gives_the_keys_to_the_plots_while_they_stand_in_the_maps_place() -> None:
    app = PlotsHarness()
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        app.screen.set_focus(None)
        app.pane.focus_content()
        assert app.focused is view
        await pilot.press("h")
        app.screen.set_focus(None)
        app.pane.focus_content()
        assert app.focused is app.pane.query_one("#map-canvas")


async def test_words_are_not_cut_beside_the_token_table() -> None:
    app = PlotsHarness()
    async with app.run_test(size=(60, 30)) as pilot:
        view = await app.open(pilot)
        text = " ".join(" ".join(line.split()) for line in app.screen_lines())
        assert all(" ".join(words.split()) in text for words in view.plotted.lines())


async def test_a_line_that_is_wanted_before_the_news_of_another_size_is_drawn() -> None:
    app = PlotsHarness(plot=ALL)
    async with app.run_test(size=(110, 30)) as pilot:
        view = await app.open(pilot)
        assert len(view._drawn()) == view.room[1]
        with pytest.MonkeyPatch.context() as patched:  # Textual changes the size before it posts the event
            patched.setattr(PlotsView, "size", Size(118, 60))
            assert len(view._drawn()) == view.room[1] > 50
            assert view.render_line(view.room[1]).cell_length == 118
        assert len(view._drawn()) == view.room[1] < 30


async def test_one_line_goes_through_all_plots_in_time() -> None:
    app = PlotsHarness(plot=ALL)
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        assert view.parted is not None
        for key in ("left", "right", "shift+right", "plus", "right", "minus", "x"):
            before = view.parted.line
            await pilot.press(key)
            words = view.plotted.lines()
            assert (view.parted.line != before) == (key not in ("plus", "minus"))
            assert all(text in "\n".join(app.screen_lines()) for text in words[:3])
        assert view.parted.cut is not None
        times = []
        for _ in range(30):
            begun = time.process_time()
            view.action_move(1)
            view._drawn()
            times.append(time.process_time() - begun)
        assert sorted(times)[15] < 0.016


async def test_keys_are_offered_anew_only_where_there_are_others() -> None:
    app = PlotsHarness()
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        told: list[object] = []
        app.screen.bindings_updated_signal.subscribe(app.pane, told.append)
        await pilot.press("right", "plus", "minus", "left", "down", "up")
        assert told == []
        assert view.parted is not None
        view._part(view.parted.knowing({}))
        await settled(pilot)
        assert told, "there is no other definition any more"


async def test_enter_filters_x_marks_and_o_turns_the_line_round() -> None:
    app = PlotsHarness()
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        assert view.parted is not None
        view._part(replace(view.parted, line=0.1))
        await pilot.press("enter")
        (wanted,) = [message for message in app.said if isinstance(message, FilterWanted)]
        assert wanted.text == f"{NAME}<=0.1"
        await pilot.press("X")
        marked = [asked for asked in app.asked if isinstance(asked, MarkToken)]
        assert sorted(asked.token_id for asked in marked) == np.flatnonzero(COLUMNS.values(NAME) <= 0.1).tolist()
        await pilot.press("o", "enter")
        assert app.said[-1].text == f"{NAME}>=0.1"  # type: ignore[attr-defined]
        await pilot.press("X")
        assert "too many to mark at once" in app.remarks[-1]
        await pilot.press("h")
        assert not view.display
        assert "selected" in "\n".join(app.screen_lines()), "the map's own words are back"


async def test_a_verification_that_comes_later_changes_the_plots_and_the_line_stays() -> None:
    app = PlotsHarness(measured=False)
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        assert view.parted is not None
        assert view.check_action("definition", ()) is False
        await pilot.press("right")
        line = view.parted.line
        app.pane.overhear(TESTED)
        await until(pilot, lambda: view.parted is not None and view.parted.measured is not None)
        assert view.parted.line == line
        await pilot.press("w")
        assert view.parted.measured is not None
        assert view.parted.measured.definition == "geometric:input_norm"
        app.pane.selection = replace(app.pane.selection, token=row(b" word9", 9))
        await pilot.pause()
        assert [point.token.token_id for point in view.parted.points if point.role == "subject"] == [9]
        app.pane.forget_model("mynah")
        assert view.parted is None


@pytest.mark.parametrize(("live", "keys"), [(True, {"b"}), (False, set[str]())])
async def test_words_name_only_keys_that_act(live: bool, keys: set[str]) -> None:
    app = PlotsHarness(measured=False, live=live)
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        recorded_curves = RecordedCurves.of(VERIFIED.outcome, "input_norm")  # type: ignore[arg-type]
        said = no_curve_words(view.parted, recorded_curves)
        assert {key for key in ("b", "w") if f": {key} chooses" in said} == keys
        enabled = {key for key, active in app.screen.active_bindings.items() if active.enabled}
        assert keys <= enabled


async def test_w_is_named_where_there_is_another_definition() -> None:
    app = PlotsHarness()
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        assert view.parted is not None
        assert "w chooses" in no_probability_words(view.parted)
        alone = replace(view.parted, definitions=dict(list(view.parted.definitions.items())[:1]))
        assert "w chooses" not in no_probability_words(alone)
        assert "w chooses" not in no_curve_words(alone, None)
        view._part(alone)
        await pilot.press("w")
        canvas = app.query_one(MapCanvas)
        assert canvas.shows_regions, "it does nothing to the map that is not seen"
        await pilot.press("h", "w")
        assert not canvas.shows_regions


async def test_b_plots_the_next_column_against_the_same_verdicts() -> None:
    app = PlotsHarness()
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        await pilot.press("w")
        for name in ("input_norm", "output_norm", NAME):
            await pilot.press("b")
            await until(pilot, lambda name=name: view.parted is not None and view.parted.numbers.name == name)  # type: ignore[misc]
            assert view.parted is not None
            assert view.parted.measured is not None
            assert view.parted.measured.definition == "geometric:input_norm"
            values = COLUMNS.values(name)
            assert view.parted.sides.suspected == len(view.parted.token_ids)
            assert view.parted.numbers.high == np.nanmax(values)


def test_what_can_be_plotted_are_numbers_and_another_model_s_are_called_so() -> None:
    assert plotted_names(Made(REQUEST, FOUND, COLUMNS)) == (NAME, "input_norm", "output_norm")
    classes = MapClasses(rule="rarest", named=(), rest=MapClass(name="ok", tokens=3_000))
    coloured = msgspec.structs.replace(FOUND, colour="category", classes=classes, values=None)
    assert plotted_names(Made(REQUEST, coloured, COLUMNS))[0] == NAME, "the default indicator in place of classes"
    y_axis = MapAxis(name="map_y", title="input norm in lyrebird")
    layout = msgspec.structs.replace(FOUND, y_axis=y_axis)
    assert "map_y" not in plotted_names(Made(REQUEST, layout, COLUMNS)), "it means nothing by itself"
    pair = msgspec.structs.replace(REQUEST, other="lyrebird", plane="input_norm")
    made = Made(pair, layout, COLUMNS)
    assert plotted_names(made)[-1] == "map_y"
    assert numbers_of(made, "map_y").label == "input norm in lyrebird"


TWINS = (np.arange(COLUMNS.vocab_size, dtype=np.int32) + 7) % COLUMNS.vocab_size
"""The other model has the same tokens under other ids, but for one that it lacks."""
TWINS[5] = -1


def of_other() -> Step:
    """The verdicts of `TESTED`, in the other model."""
    columns = verdicts()
    ids = TWINS[columns.token_ids.numpy()]
    there = Array.of(np.where(ids < 0, COLUMNS.vocab_size, ids).astype(np.int32))
    return step(
        ReadVerdicts(of=Verify(model="lyrebird", random=9)),
        msgspec.structs.replace(columns, model="lyrebird", token_ids=there),
    )


async def test_another_model_s_numbers_stand_against_its_own_verdicts() -> None:
    y_axis = MapAxis(name="map_y", title="input norm in lyrebird")
    pair = msgspec.structs.replace(FOUND, y_axis=y_axis, plane="input_norm", twins=Array.of(TWINS), colour="")
    app = PlotsHarness()
    app.mapped = step(msgspec.structs.replace(REQUEST, other="lyrebird", plane="input_norm"), pair)
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        for name in ("input_norm", "map_y"):
            await pilot.press("b")
            await until(pilot, lambda name=name: view.parted is not None and view.parted.numbers.name == name, 9)  # type: ignore[misc]
        assert view.parted is not None
        assert view.parted.measured is None, "what is known of mynah says nothing of lyrebird"
        assert "Nothing is measured of lyrebird yet" in "\n".join(app.screen_lines())
        app.pane.overhear(of_other())
        await until(pilot, lambda: view.parted is not None and view.parted.measured is not None)
        await settled(pilot)
        own = known_here()
        measured = measured_in(view)
        tested = np.setdiff1d(np.flatnonzero(own.is_decided), [5])
        assert np.array_equal(np.flatnonzero(measured.tested.is_decided), tested)
        assert np.array_equal(measured.tested.is_called[tested], own.is_called[tested])
        assert measured.sample is not None
        assert set(measured.sample.token_ids) <= set(tested)
        said = "\n".join(app.screen_lines())
        assert "magikarp on lyrebird: precision" in said
        assert "Estimated for all shared tokens" in said
        await pilot.press("b")
        await until(pilot, lambda: view.parted is not None and view.parted.numbers.name != "map_y")
        assert not measured_in(view).other


def measured_in(view: PlotsView) -> Measured:
    assert view.parted is not None
    assert view.parted.measured is not None
    return view.parted.measured


def known_here() -> TokenVerdicts:
    heard = HeardVerdicts()
    heard.hear(TESTED)
    return heard.of("mynah", COLUMNS.vocab_size)[0]["magikarp"]


async def test_colours_of_verdicts_follow_a_verification_that_is_finished() -> None:
    app = PlotsHarness(measured=False)
    classes = MapClasses(rule="rarest", named=(), rest=MapClass(name="not asked", tokens=3_000))
    coloured = msgspec.structs.replace(FOUND, colour="verdict", classes=classes, values=None)
    request = msgspec.structs.replace(REQUEST, colour="verdict")
    async with app.run_test(size=SIZE) as pilot:
        app.mapped = step(request, coloured)
        await app.open(pilot)

        def maps() -> list[AnyRequest]:
            """Asked for; what is near the selected token may be asked at any time."""
            return [each for each in app.asked if isinstance(each, ReadMap)]

        before = maps()
        app.pane.overhear(step(VERIFIED.request, Cancelled(partial=RESULT)))
        app.pane.overhear(step(VERIFIED.request, msgspec.structs.replace(RESULT, model="lyrebird")))
        await pilot.pause()
        assert maps() == before
        app.pane.overhear(VERIFIED)
        await until(pilot, lambda: maps() == [*before, request])


async def test_the_legend_of_classes_gives_its_rows_to_the_plots() -> None:
    app = PlotsHarness()
    classes = MapClasses(rule="rarest", named=(), rest=MapClass(name="whole tokens", tokens=3_000))
    app.mapped = step(REQUEST, msgspec.structs.replace(FOUND, colour="category", classes=classes, values=None))
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        assert "whole tokens" not in "\n".join(app.screen_lines())
        assert view.region.bottom == app.pane.content_region.bottom
        await pilot.press("h")
        await settled(pilot)
        assert "whole tokens" in "\n".join(app.screen_lines())


async def test_what_went_wrong_is_told_whole_where_its_line_is_too_short() -> None:
    app = PlotsHarness()
    async with app.run_test(size=(60, 24)) as pilot:
        await app.open(pilot)
        for message in ("short", "long " * 20):
            app.pane.show(step(REQUEST, Failure(message=message.strip(), hint="Load the model.")))
        await pilot.pause()
        assert [text.count("long") for text in app.remarks] == [20]
        assert app.remarks[0].endswith("Load the model.")


async def test_the_plot_with_the_keys_is_what_is_exported(tmp_path: Path) -> None:
    app = PlotsHarness(plot=PRECISION)
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        found = takeaway_of(app.pane)
        assert found is not None
        assert "a row a line" in found.what
        write_rows(found.rows(None), tmp_path / "curve.csv")
        with (tmp_path / "curve.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows[0]["indicator"] == NAME
        assert {"line", "precision", "precision_low", "recall_high"} <= rows[0].keys()
        assert view.parted is not None
        await pilot.press("h")
        found = takeaway_of(app.pane)
        assert found is not None
        assert "on the map of mynah" in found.what


async def test_a_recorded_map_shows_the_curves_of_the_session() -> None:
    app = PlotsHarness(plot=ROC, live=False)
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        enabled = {key for key, active in app.screen.active_bindings.items() if active.enabled}
        assert {"up", "down", "h"} <= enabled
        assert not {"left", "right", "enter", "x", "o"} & enabled, "in a replay they are the replay's"
        assert "AUC 0.9000" in "\n".join(app.screen_lines())
        await pilot.press("h")
        assert not view.display
        app.pane.clear()
        await pilot.pause()
        assert "Press M" in "\n".join(app.screen_lines())


async def test_plots_of_a_vocabulary_that_is_left_are_closed() -> None:
    app = PlotsHarness()
    async with app.run_test(size=SIZE) as pilot:
        view = await app.open(pilot)
        app.pane.forget_model(FOUND.model)
        await pilot.pause()
        assert not view.display
        assert "Press M" in "\n".join(app.screen_lines())


LOOKS = [
    (HISTOGRAM, (80, 24), "nightjar"), (CATEGORIES, (120, 40), "gull"), (MEASURED, (80, 24), "magpie"),
    (MEASURED, (120, 40), "kingfisher"), (ROC, (80, 24), "gull"), (PRECISION, (120, 40), "nightjar"),
    (ALL, (200, 60), "magpie"),
]  # fmt: skip


@pytest.mark.parametrize(("plot", "size", "theme"), LOOKS, ids=[f"{p}-{s[0]}-{t}" for p, s, t in LOOKS])
def test_the_plots_look_as_they_did(snap_compare: Snap, plot: str, size: tuple[int, int], theme: str) -> None:
    app = PlotsHarness(theme=theme, plot=plot)
    assert snap_compare(app, terminal_size=size, run_before=app.open)


def test_without_colours_they_look_as_they_did(snap_compare: Snap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = PlotsHarness(plot=ALL)
    assert snap_compare(app, terminal_size=(120, 40), run_before=app.open)


@pytest.mark.parametrize("live", [True, False], ids=["not-measured", "recorded"])
def test_what_is_missing_is_said(snap_compare: Snap, live: bool) -> None:
    app = PlotsHarness(plot=MEASURED, measured=False, live=live)
    assert snap_compare(app, terminal_size=(80, 24), run_before=app.open)


def replayed(path: Path) -> Path:
    """A session: a model, a verification of it, a map, and a note."""
    writer = SessionWriter(path, seed=7, title="plots")
    loaded = LoadModel(source="zoo:mynah"), ModelLoaded(info=MODELS[0])
    note = WriteNote(text="seen"), Noted()
    for number, (request, outcome) in enumerate((loaded, (VERIFIED.request, VERIFIED.outcome), recorded(), note), 1):
        assert writer.append(msgspec.structs.replace(step(request, outcome), number=number)), writer.trouble
    writer.close()
    return path


async def test_a_replay_hears_of_the_verification_before_the_map(tmp_path: Path) -> None:
    async with replaying(replayed(tmp_path / "plots.jsonl")) as (app, pilot):
        await at(app, pilot, 2)
        app.workspace.show_tab("map")
        await settled(pilot)
        assert "2,999 tokens" in screen_text(app), "as recorded, not as the cells round it"
        app.workspace.pane("map").focus_content()
        await pilot.press("h", *["down"] * PLOTS.index(ROC))
        await settled(pilot)
        assert "Recorded: unused-cos against magikarp on 300 tokens." in screen_text(app)


async def test_plots_stay_open_while_a_replay_is_stepped_through(tmp_path: Path) -> None:
    async with replaying(replayed(tmp_path / "plots.jsonl")) as (app, pilot):
        await at(app, pilot, 2)
        app.workspace.show_tab("map")
        app.workspace.pane("map").focus_content()
        await pilot.press("h", *["down"] * PLOTS.index(ROC))
        for step_from_first, said in ((3, "against magikarp"), (1, NO_MAP), (2, "against magikarp")):
            await at(app, pilot, step_from_first)
            app.workspace.show_tab("map")
            await settled(pilot)
            view = app.workspace.pane("map").query_one(PlotsView)
            assert view.display
            assert view.plotted.chosen == ROC
            assert said in screen_text(app)
