"""What stands on a map besides its tokens: asked once the subject stands, drawn, walked through models, recorded."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import msgspec
import pytest

from explorer.base.records.map_vectors import PlacedVector
from explorer.base.records.maps import MapPoints, MapView, PlacePoints, ViewMap
from explorer.base.records.models import Roster
from explorer.base.records.record import Failure
from explorer.tui.panes.map import around
from explorer.tui.panes.map import pane as panes
from explorer.tui.shell.messages import ViewSettled
from tests.app_driver import until
from tests.tui.pane_samples import MODELS, SIZES, step
from tests.tui.test_map_pane import FOUND, REQUEST, MapHarness, shown
from tests.tui.token_samples import row

CENTROID = PlacedVector(role="centroid", label="centroid", x=0.25, y=-0.5, placing="exact")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(around, "REST_PAUSE", 0.01)


def wanted(app: MapHarness) -> list[PlacePoints]:
    return [request for request in app.asked if isinstance(request, PlacePoints)]


def put(app: MapHarness, request: PlacePoints, *more: PlacedVector) -> None:
    found = MapPoints(model="mynah", token_id=request.token_id, neighbours=(5, 30), vectors=(CENTROID, *more))
    app.pane.show(step(request, found))


async def test_neighbours_and_centroid_are_asked_drawn_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panes, "SETTLE_PAUSE", 0.05)
    app = MapHarness()
    async with app.run_test(size=SIZES[2]) as pilot:
        await shown(app, pilot)
        await until(pilot, lambda: bool(wanted(app)))
        assert wanted(app) == [PlacePoints(model="mynah", token_id=3, neighbours=10, centroid=True)]
        put(app, wanted(app)[0])
        await until(pilot, lambda: "⊕ centroid" in "\n".join(app.screen_lines()))
        text = "\n".join(app.screen_lines())
        assert "◎ neighbour" in text
        await until(pilot, lambda: any(found.vectors for _, found in settled(app)))
        request, found = settled(app)[-1]
        assert (request.centroid, request.neighbours, request.twin_in) == (True, 10, "")
        assert [point.token.token_id for point in found.points if point.role == "neighbour"] == [5, 30]
        assert found.vectors == (CENTROID,)


def settled(app: MapHarness) -> list[tuple[ViewMap, MapView]]:
    return [
        (message.request, message.outcome)
        for message in app.said
        if isinstance(message, ViewSettled)
        if isinstance(message.request, ViewMap)
        if isinstance(message.outcome, MapView)
    ]


async def test_o_walks_through_the_other_models_and_says_how_the_twin_was_placed() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[2]) as pilot:
        await shown(app, pilot)
        await until(pilot, lambda: len(wanted(app)) == 1)
        put(app, wanted(app)[0])
        await pilot.press("o")
        await until(pilot, lambda: bool(app.remarks))
        assert app.remarks[0].startswith("Load another model")
        models = tuple(msgspec.structs.replace(info, abilities=("weights",)) for info in MODELS[:3])
        app.pane.selection = replace(app.pane.selection, roster=Roster(models=models, devices=()))
        for times, name in enumerate(("mynah-instruct", "lyrebird", ""), start=2):
            await pilot.press("o")
            await until(pilot, partial(has_asked, app, times))
            assert wanted(app)[-1].twin_in == name
            twin = PlacedVector(role="twin", label=name, x=1.0, placing="exact", fit=0.5, by_chance=0.1, kept=0.9)
            put(app, wanted(app)[-1], *([twin] if name else []))
            await until(pilot, partial(has_twin, app, name))
        said = "on this map: exact, once turned by the shared tokens: r 0.50, 0.10 by chance; 90.0 % of its square"
        assert [remark.partition(" lies ")[0] for remark in app.remarks[1:]] == [
            f"Token of mynah-instruct {said}", f"Token of lyrebird {said}"
        ]  # fmt: skip


def has_asked(app: MapHarness, times: int) -> bool:
    return len(wanted(app)) == times


def has_twin(app: MapHarness, name: str) -> bool:
    text = "\n".join(app.screen_lines())
    return (name in text and "twin by r 0.50" in text) if name else "twin" not in text


async def test_one_question_at_a_time_and_the_newest_subject_wins() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        await shown(app, pilot)
        await until(pilot, lambda: len(wanted(app)) == 1)
        for token_id in (8, 9):
            app.pane.selection = replace(app.pane.selection, token=row(b" word", token_id))
        await pilot.pause(0.05)
        assert len(wanted(app)) == 1, "the first is not answered"
        put(app, wanted(app)[0])
        await until(pilot, lambda: len(wanted(app)) == 2)
        assert wanted(app)[1].token_id == 9
        scene = app.canvas.scene
        assert scene is not None
        assert not [point for point in scene.points if point.role == "neighbour"], "these were of another subject"


async def test_what_goes_wrong_is_said_and_not_asked_again() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        await shown(app, pilot)
        await until(pilot, lambda: len(wanted(app)) == 1)
        app.pane.show(step(wanted(app)[0], Failure(message="no such file")))
        await until(pilot, lambda: "no such file" in "\n".join(app.screen_lines()))
        await pilot.pause(0.05)
        assert len(wanted(app)) == 1


async def test_another_colour_of_the_map_keeps_its_points() -> None:
    app = MapHarness()
    async with app.run_test(size=SIZES[1]) as pilot:
        await shown(app, pilot)
        await until(pilot, lambda: len(wanted(app)) == 1)
        put(app, wanted(app)[0])
        app.pane.show(step(msgspec.structs.replace(REQUEST, colour="input_norm"), FOUND))
        await pilot.pause(0.1)
        scene = app.canvas.scene
        assert scene is not None
        assert scene.vectors == (CENTROID,)
        assert len(wanted(app)) == 1
