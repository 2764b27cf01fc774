"""Colours after the theme or the focus changed: no widget shows those of before."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from rich.segment import Segment
from textual.app import App
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget

from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.recent import sample_sessions
from explorer.settings import Settings
from explorer.tui.panes.tokens.pane import TokenPane
from explorer.tui.panes.tokens.table import TokenTable
from explorer.tui.replay.app import ReplayApp
from explorer.tui.shell.restyling import marking_once
from explorer.tui.shell.themes import load_themes, themes_dir
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.option_line import Choice, Field
from explorer.tui.widgets.prompt_area import PromptArea
from explorer.tui.widgets.row_list import RowList
from tests.app_driver import on_screen, settled, until
from tests.tui.snapshot_samples import SAMPLES, show_sample
from tests.tui.test_pane_snapshots import ThemedHarness

THEMES = tuple(theme.name for theme in load_themes(themes_dir()))
WALK = next(listed.path for listed in sample_sessions() if listed.path.stem == "neighbourhood-walk")
"""Its last screen has a table, details, a list and a plot."""


@asynccontextmanager
async def walk_replayed() -> AsyncIterator[tuple[ReplayApp, Pilot[None]]]:
    app = ReplayApp(SessionFile(WALK), Settings())
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.is_open and app.reading.is_complete)
        app.current.jump_to_last()
        await settled(pilot)
        yield app, pilot


def cells(app: App[Any]) -> list[list[Segment]]:
    """Every line of the screen with its styles; what stands in a blank is not seen."""
    return [[_seen(segment) for segment in strip] for strip in app.screen._compositor.render_strips()]


def _seen(segment: Segment) -> Segment:
    is_blank = not segment.text.strip() and segment.style is not None and not segment.style.underline
    return Segment(segment.text, segment.style.background_style if is_blank and segment.style else segment.style)


async def restyled(app: App[Any], pilot: Pilot[None]) -> list[list[Segment]]:
    """The screen when every style has been computed anew, with all other styles known."""
    for _ in range(2):
        app.refresh_css(animate=False)
        await pilot.pause()
    return cells(app)


async def test_a_theme_switched_to_is_on_the_whole_screen_at_once() -> None:
    async with walk_replayed() as (app, pilot):
        for theme in (*THEMES, THEMES[0]):
            app.theme = theme
            await settled(pilot)
            assert cells(app) == await restyled(app, pilot), theme


async def test_the_focus_is_seen_where_it_is_and_nowhere_else() -> None:
    """For each kind of widget that can have it."""
    async with walk_replayed() as (app, pilot):
        kinds = set()
        for tab in app.workspace.labels():
            app.workspace.show_tab(tab)
            for widget in app.screen.focus_chain:
                if type(widget) not in kinds:
                    kinds.add(type(widget))
                    app.screen.set_focus(widget)
                    await settled(pilot)
                    assert cells(app) == await restyled(app, pilot), (tab, widget)
        assert {TokenTable, RowList, Choice, Field, PromptArea, LinesView} <= kinds


@pytest.mark.parametrize("theme", THEMES)
async def test_the_table_in_a_theme_switched_to_looks_as_in_one_started_with(theme: str) -> None:
    async def table_in(started: str) -> list[list[Segment]]:
        sample, pane = SAMPLES["tokens"]["full"], TokenPane(id="tokens-pane")
        app = ThemedHarness(pane, started, sample)
        async with app.run_test(size=(80, 24)) as pilot:
            show_sample(pane, sample, "full")
            await settled(pilot)
            app.theme = theme
            await settled(pilot)
            return cells(app)

    before = THEMES[THEMES.index(theme) - 1]
    assert await table_in(before) == await table_in(theme)


def test_a_version_of_textual_that_marks_in_another_way_is_left_alone_and_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def restyle() -> None: ...

    assert marking_once(restyle) is not restyle
    assert not caplog.text
    monkeypatch.delattr(Widget, "_set_dirty")
    assert marking_once(restyle) is restyle
    assert "no Widget._set_dirty" in caplog.text


async def test_another_theme_marks_no_widget_twice_for_painting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual marks each as often as the containers round it are given a colour: half of a switch's time."""
    async with walk_replayed() as (app, pilot):
        marked: Counter[Widget] = Counter()
        mark = Widget._set_dirty

        def count(widget: Widget, *regions: Region) -> None:
            marked[widget] += not regions
            mark(widget, *regions)

        monkeypatch.setattr(Widget, "_set_dirty", count)
        app.theme = next(name for name in THEMES if name != app.theme)
        app.refresh_css(animate=False)
        assert Widget._set_dirty is count
        assert len(marked) > 100
        assert marked.most_common(1)[0][1] < 5  # the layout that follows marks some again
        await settled(pilot)
