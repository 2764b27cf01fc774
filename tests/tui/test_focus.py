"""Which pane has the keys: its title says so, commands give it them, the last line names them; how panes share room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, Tabs, TextArea

from explorer.engine.handlers import Engine
from explorer.tui.panes.base import Pane
from explorer.tui.panes.logprobs.view import LogprobView
from explorer.tui.panes.neighbours.pane import NeighboursPane
from explorer.tui.screens.dialog import key_lines
from explorer.tui.shell.focus import TITLES, part_of
from explorer.tui.shell.stage import Stage
from explorer.tui.shell.tabs import in_row
from explorer.tui.widgets.key_line import Hint, KeyLine, fitting, line_of, merged
from tests.app_driver import SIZES, running, screen_text, settled, until

PINNED = "? help  q quit  ctrl+p palette"
ASKING = {"r": "repeat", "l": "logprobs", "n": "neighbours", "v": "verdicts", "a": "speakability"}
"""Keys that ask something, and the tabs that show it."""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def with_keys(app: Stage) -> Pane:
    """The pane that has the focus; its title, and no other, says so."""
    assert app.screen.focused is not None
    pane = next(each for each in app.screen.focused.ancestors_with_self if isinstance(each, Pane))
    marked = [part for part, selector in TITLES.items() if app.screen.query_one(selector).has_class("-keys")]
    assert marked == [part_of(pane)]
    return pane


def last_line(app: App[Any]) -> str:
    return screen_text(app).splitlines()[-1]


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)


@pytest.mark.parametrize("size", SIZES[:2])
async def test_a_pane_that_was_asked_has_the_keys_and_the_last_line_names_them(
    engine: Engine, tmp_path: Path, size: tuple[int, int]
) -> None:
    async with running(engine, tmp_path, size, models=("zoo:mynah",)) as (app, pilot):
        assert with_keys(app).id == "tokens-pane"
        assert last_line(app).rstrip().endswith(PINNED)
        for key, tab in ASKING.items():
            await pilot.press(key)
            assert with_keys(app).id == f"{tab}-pane"
            assert app.query_one(Tabs).active == tab
            active = app.query_one(Tabs).query_one(f"#{tab}").rich_style
            assert active.color != active.bgcolor
            assert last_line(app).rstrip().endswith(PINNED)
            await pilot.press("escape", "1")
            assert with_keys(app).id == "tokens-pane"


async def test_keys_that_are_named_act(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await press(pilot, "l")
        view = app.query_one(LogprobView)
        await until(pilot, lambda: view.view is not None)
        assert "←→ column  o sort" in last_line(app)
        await press(pilot, "right", "o")
        assert view.view is not None
        assert (view.view.cursor, view.view.sort) == (1, 1)
        await press(pilot, "2")
        assert "ctrl+t token ids  w whole replies" in last_line(app)


async def test_the_tab_key_goes_from_left_to_right_and_back(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        passed = [with_keys(app).id]
        while len(passed) < 40 and not (len(passed) > 1 and passed[-1] == "tokens-pane"):
            await pilot.press("tab")
            passed.append(with_keys(app).id)
        assert list(dict.fromkeys(passed)) == ["tokens-pane", "detail-pane", "repeat-pane"]
        await pilot.press("shift+tab")
        assert with_keys(app).id == "repeat-pane"


async def test_a_box_names_the_key_that_leaves_it(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, (80, 24), models=("zoo:mynah",)) as (app, pilot):
        for key in ("slash", "g"):
            await press(pilot, key)
            assert "esc" in last_line(app)
            assert "q quit" not in last_line(app)
            await press(pilot, "escape")
            assert last_line(app).rstrip().endswith(PINNED)


@pytest.mark.parametrize("field", ["Field", "PromptArea"])
async def test_a_field_of_a_form_names_the_key_that_leaves_it(engine: Engine, tmp_path: Path, field: str) -> None:
    async with running(engine, tmp_path, SIZES[0], models=("zoo:mynah",)) as (app, pilot):
        await press(pilot, "2")
        app.query(f"#repeat-pane {field}").first().focus()
        await settled(pilot)
        assert "esc leave" in last_line(app)
        await press(pilot, "escape")
        assert app.screen.focused is not None
        assert type(app.screen.focused).__name__ != field
        assert last_line(app).rstrip().endswith(PINNED)


async def test_zoom_gives_one_pane_the_window_and_goes_with_the_keys(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        shared = {pane.id: pane.region for pane in app.workspace.panes if pane.region}
        for key, name in (("2", "repeat-pane"), ("1", "tokens-pane"), ("tab", "detail-pane")):
            await press(pilot, key, "z")
            zoomed = [pane for pane in app.workspace.panes if pane.is_on_screen]
            assert [pane.id for pane in zoomed] == [name]
            assert zoomed[0].region.width == 120
            assert zoomed[0].region.height > 30
            await press(pilot, "z")
            assert {pane.id: pane.region for pane in app.workspace.panes if pane.is_on_screen} == shared
        await press(pilot, "z", "4")
        assert [pane.id for pane in app.workspace.panes if pane.is_on_screen] == ["neighbours-pane"]
        assert isinstance(with_keys(app), NeighboursPane)


async def test_the_pane_with_the_keys_is_in_sight_in_a_window_of_another_size(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        for key, name in (("2", "repeat-pane"), ("1", "tokens-pane"), ("0", "map-pane")):
            await press(pilot, key)
            shared = {pane.id for pane in app.workspace.panes if pane.is_on_screen}
            await pilot.resize_terminal(80, 24)
            await until(pilot, lambda: app.screen.size.width == 80)
            in_sight = [pane.id for pane in app.workspace.panes if pane.is_on_screen]
            assert with_keys(app).id == name
            assert in_sight == ([name, "detail-pane"] if name == "tokens-pane" else [name])
            await pilot.resize_terminal(120, 40)
            await until(pilot, lambda: app.screen.size.width == 120)
            assert {pane.id for pane in app.workspace.panes if pane.is_on_screen} == shared


@pytest.mark.parametrize(("size", "grows"), [((120, 40), "width"), ((80, 24), "height")])
async def test_plus_and_minus_give_the_pane_with_the_keys_room(
    engine: Engine, tmp_path: Path, size: tuple[int, int], grows: str
) -> None:
    async with running(engine, tmp_path, size, models=("zoo:mynah",)) as (app, pilot):
        table = app.workspace.token_pane

        def measured() -> int:
            return int(getattr(table.region, grows))

        before = measured()
        await press(pilot, "minus")
        less = measured()
        await press(pilot, "plus")
        assert less < before == measured()
        for _ in range(7):
            app.workspace.room.grow(1)
            await pilot.pause()
        assert before < measured() < getattr(app.size, grows)
        for _ in range(14):
            app.workspace.room.grow(-1)
            await pilot.pause()
        assert 0 < measured() < before


def test_hints_give_way_from_the_last_but_help_quit_and_palette_stay() -> None:
    hints = [Hint("o", "sort"), Hint("/", "filter"), Hint("?", "help", is_kept=True), Hint("q", "quit", is_kept=True)]
    assert line_of(hints, 40).plain == " o sort  / filter" + " " * 7 + " ? help  q quit "
    left, right = fitting(hints, 26)
    assert [hint.label for hint in (*left, *right)] == ["sort", "help", "quit"]
    arrows = [Hint("←", "column"), Hint("→", "column"), Hint("o", "sort"), Hint("enter", "sort")]
    assert [(hint.key, hint.label) for hint in merged(arrows)] == [("←→", "column"), ("o", "sort")]
    assert [hint.key for hint in merged([Hint("+", "zoom"), Hint("=", "zoom"), Hint("-", "zoom")])] == ["+-"]


async def test_a_click_on_a_key_presses_it(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, (80, 24), models=("zoo:mynah",)) as (app, pilot):
        await pilot.click(KeyLine, offset=(last_line(app).index("? help"), 0))
        await until(pilot, lambda: len(app.screen_stack) == 2)


@pytest.mark.parametrize("size", SIZES[:2])
async def test_help_and_quit_are_named_wherever_they_act_and_hints_are_whole(
    engine: Engine, tmp_path: Path, size: tuple[int, int]
) -> None:
    async with running(engine, tmp_path, size, models=()) as (app, _):
        line = app.screen.query_one(KeyLine)
        for tab in in_row(app.workspace.tabs):
            app.workspace.show_tab(tab.name)
            pane = app.workspace.pane(tab.name)
            for widget in [each for each in app.screen.focus_chain if pane in each.ancestors]:
                app.screen.set_focus(widget)
                line._update()
                left, right = fitting(line.hints, size[0])
                is_typed = isinstance(widget, Input | TextArea)
                assert [hint.label for hint in right] == (["palette"] if is_typed else ["help", "quit", "palette"])
                assert sum(hint.width for hint in (*left, *right)) <= size[0]
                assert bool(left), widget


def test_the_keys_of_a_box_give_way_from_the_last_but_the_one_that_closes_it_stays() -> None:
    assert key_lines("enter load · x unload · esc close") == [
        "enter load · x unload · esc close",
        "enter load · esc close",
        "esc close",
    ]
