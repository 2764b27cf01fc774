"""The selected token changes by a jump: history, back and forward, and steps that are opened again."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from explorer.base.records.inspect import InspectToken
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.vocabulary import RankTokens
from explorer.engine.handlers import Engine
from explorer.tui.live.app import ExplorerApp
from explorer.tui.panes.session.pane import SessionPane
from explorer.tui.panes.tokens.history import Place, TokenHistory
from explorer.tui.widgets.row_list import RowList
from tests.app_driver import asked, running, screen_text, settled, until
from tests.replay_driver import rendered


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def token(app: ExplorerApp) -> int:
    assert app.selection.token is not None
    return app.selection.token.token_id


def subject(app: ExplorerApp) -> int:
    """The token whose neighbourhood is shown, as its heading says."""
    return int(rendered(app.query_one("#neighbour-heading"))[0].split(" · ")[0].split()[-1])


def place(token_id: int) -> Place:
    return Place("mynah", token_id)


def test_going_back_and_forward_among_places() -> None:
    history = TokenHistory()
    assert history.step(-1, place(7)) is None
    history.note(place(1), place(2))
    history.note(place(3), place(4))  # the cursor was moved from 2 to 3
    assert history.step(1, place(4)) is None
    assert history.step(-1, place(5)) == place(3)
    assert history.step(-1, place(3)) == place(1)
    assert history.step(-1, place(1)) is None
    assert [history.step(1, None), history.step(1, None)] == [place(3), place(5)]
    history.step(-1, None)
    history.note(place(3), place(9))
    assert history.step(1, None) is None
    assert [history.step(-1, None), history.step(-1, None)] == [place(3), place(1)]


async def test_a_walk_among_neighbours_is_walked_back_and_forward(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        passed = [token(app)]
        for steps in (1, 2):
            await pilot.press("n")
            await until(pilot, lambda steps=steps: len(asked(app, FindNeighbours)) == steps)  # type: ignore[misc]
            await until(pilot, lambda: bool(app.query_one("#neighbour-list", RowList).rows))
            await pilot.press("end", "enter")
            await until(pilot, lambda: token(app) != passed[-1])
            passed.append(token(app))
        await pilot.press("backspace")
        await until(pilot, lambda: token(app) == passed[1])
        await until(pilot, lambda: subject(app) == passed[1])
        neighbours = app.query_one("#neighbour-list", RowList)
        assert neighbours.cursor == len(neighbours.rows) - 1, "back where the walk went on"
        await pilot.press("backspace")
        await until(pilot, lambda: token(app) == passed[0])
        await until(pilot, lambda: subject(app) == passed[0])
        await pilot.press("backspace")
        await until(pilot, lambda: any("no token to go back" in note.message for note in app._notifications))
        await pilot.press("f", "f")
        await until(pilot, lambda: token(app) == passed[2])


async def open_step(app: ExplorerApp, pilot: Pilot[None], kind: type) -> None:
    await pilot.press("5")
    steps = app.query_one(SessionPane).steps
    app.query_one("#session-steps", RowList).cursor = next(
        number for number, step in enumerate(steps) if isinstance(step.request, kind)
    )
    await pilot.press("enter")
    await settled(pilot)


async def test_a_step_that_is_opened_selects_its_token_everywhere(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        first = token(app)
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 1)
        await pilot.press("J", "J")
        await until(pilot, lambda: token(app) != first)
        await settled(pilot)
        other = token(app)
        await open_step(app, pilot, RepeatBack)
        assert token(app) == app.workspace.token_pane.table.token_id == first
        assert f" {first}  " in rendered(app.workspace.pane("detail"))[0]
        assert "not selected" not in screen_text(app)
        await pilot.press("backspace")
        await until(pilot, lambda: token(app) == other)


async def test_a_step_about_a_token_that_is_filtered_out_names_it(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        first = token(app)
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 1)
        await pilot.press("slash", *f"-id:{first}", "enter")
        await until(pilot, lambda: token(app) != first)
        await settled(pilot)
        await open_step(app, pilot, RepeatBack)
        assert token(app) != first
        assert f"Repeat of {first} " in screen_text(app) or f"Repeat of token {first} " in screen_text(app)
        await pilot.press("1", "down")
        await settled(pilot)
        assert "not selected" not in screen_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: not app.workspace.token_pane.commands.filter)


async def test_a_step_of_another_loaded_model_brings_its_vocabulary(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        first = token(app)
        await pilot.press("n")
        await until(pilot, lambda: len(asked(app, FindNeighbours)) == 1)
        await pilot.press("right_square_bracket", "1")
        await until(pilot, lambda: app.selection.model is not None and app.selection.model.name == "mynah-instruct")
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        await settled(pilot)
        await open_step(app, pilot, FindNeighbours)
        await until(pilot, lambda: app.selection.model is not None and app.selection.model.name == "mynah")
        await until(pilot, lambda: app.selection.token is not None and token(app) == first)


async def test_escape_leaves_the_box_then_clears_the_filter(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, (80, 24), models=("zoo:mynah",)) as (app, pilot):
        await pilot.press("slash", *"cat:ok", "enter")
        await until(pilot, lambda: "match" in screen_text(app))
        await pilot.press("2", "escape")
        assert app.workspace.token_pane.table.has_focus
        assert app.workspace.token_pane.commands.filter == "cat:ok"
        await pilot.press("escape")
        await until(pilot, lambda: "match" not in screen_text(app))
        assert "cat:ok" not in screen_text(app)


async def test_a_view_that_was_recorded_is_shown_again_wherever_the_table_stands(
    engine: Engine, tmp_path: Path
) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        table = app.workspace.token_pane.table
        await pilot.press("s")
        await until(pilot, lambda: len(asked(app, RankTokens)) == 1)
        first, sort = token(app), app.workspace.token_pane.views.wanted.sort
        await pilot.press("end")
        await until(pilot, lambda: token(app) != first)
        await open_step(app, pilot, RankTokens)
        await until(pilot, lambda: table.token_id == first)
        await pilot.press("i")  # so that the views before and after it are not one line of the session
        await until(pilot, lambda: len(asked(app, InspectToken)) == 1)
        await pilot.press("d", "right_square_bracket")
        await until(pilot, lambda: app.selection.model is not None and app.selection.model.name == "mynah-instruct")
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        await settled(pilot)
        await open_step(app, pilot, RankTokens)
        await until(pilot, lambda: app.selection.model is not None and app.selection.model.name == "mynah")
        await until(pilot, lambda: app.selection.token is not None and token(app) == first)
        wanted = app.workspace.token_pane.views.wanted
        assert (wanted.sort, wanted.descending) == (sort, False)
