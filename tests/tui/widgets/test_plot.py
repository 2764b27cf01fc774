"""The plot: exact cells, no escapes, current size and theme, and a free event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.strip import Strip

from explorer.tui.shell.themes import load_themes, themes_dir
from explorer.tui.widgets.plot import Drawing, Label, Palette, PlotView, Point, build_strips
from tests.app_driver import settled

RED = (255, 0, 0)
PALETTE = Palette(foreground=(200, 200, 200), frame=(90, 90, 90), accent=RED, ramp=(RED,) * 7)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_point_is_drawn_in_its_own_cell(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(3, 120)), data.draw(st.integers(4, 40))
    cells = st.tuples(st.integers(0, width - 3), st.integers(0, height - 4))
    wanted = data.draw(st.sets(cells, min_size=1, max_size=30))
    drawing = Drawing(points=[Point(column, row, "X", RED) for column, row in wanted])
    strips = build_strips(width, height, lambda columns, rows, palette: drawing, PALETTE)
    found = {
        (column - 1, height - 4 - (row - 1))
        for row, strip in enumerate(strips)
        for column, character in enumerate(strip.text)
        if character == "X"
    }
    assert found == wanted
    assert len(strips) == height
    assert {strip.cell_length for strip in strips} == {width}


def test_wide_labels_keep_every_row_at_its_width() -> None:
    labels = [Label(0, 0, "龍龍龍", RED, bold=True), Label(3, 1, "e\u0301te", RED), Label(14, 2, "end", RED)]
    drawing = Drawing(points=[Point(16, 2, "X", RED)], labels=labels)
    strips = build_strips(19, 8, lambda columns, rows, palette: drawing, PALETTE)
    assert {strip.cell_length for strip in strips} == {19}
    assert "龍龍龍" in strips[1].text
    assert strips[2].text[4:8] == "e\u0301te"
    assert strips[3].text.endswith("end│")


def test_nothing_but_colour_and_weight_is_kept_of_a_segment() -> None:
    drawing = Drawing(points=[Point(1, 1, "X", RED)], x_title="PC1 38.1 %", y_title="PC2 20.0 %")
    strips = build_strips(50, 12, lambda columns, rows, palette: drawing, PALETTE)
    segments = [segment for strip in strips for segment in strip]
    assert all("\x1b" not in segment.text for segment in segments)
    assert all(segment.style is None or segment.style.bgcolor is None for segment in segments)
    assert "PC1 38.1 %" in strips[-1].text
    assert "PC2 20.0 %" in strips[-1].text


@pytest.mark.parametrize(("width", "height"), [(0, 0), (2, 30), (30, 3)])
def test_without_room_there_is_no_figure(width: int, height: int) -> None:
    def never(columns: int, rows: int, palette: Palette) -> Drawing:
        raise AssertionError("drawn without room")

    assert build_strips(width, height, never, PALETTE) == []


class PlotApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.plot = PlotView(empty="press [/n]")

    def compose(self) -> ComposeResult:
        yield self.plot

    def on_mount(self) -> None:
        for theme in load_themes(themes_dir()):
            self.register_theme(theme)
        self.theme = "nightjar"


def corner(columns: int, rows: int, palette: Palette) -> Drawing:
    return Drawing(points=[Point(columns - 1, 0, "X", palette.ramp[6])])


def screen_of(plot: PlotView) -> list[Strip]:
    return [plot.render_line(y) for y in range(plot.size.height)]


async def test_the_figure_follows_its_size() -> None:
    app = PlotApp()
    async with app.run_test(size=(60, 20)) as pilot:
        app.plot.show(corner)
        for size in ((60, 20), (100, 30), (33, 9)):
            await pilot.resize_terminal(*size)
            await settled(pilot)
            lines = screen_of(app.plot)
            assert {strip.cell_length for strip in lines} == {size[0]}
            assert lines[size[1] - 3].text.endswith("X│")


async def test_the_figures_colours_follow_the_theme() -> None:
    app = PlotApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.plot.show(corner)
        seen = set()
        for theme in ("nightjar", "gull"):
            app.theme = theme
            await pilot.pause()
            await settled(pilot)
            (point,) = [segment for strip in screen_of(app.plot) for segment in strip if segment.text == "X"]
            assert point.style is not None
            assert point.style.color is not None
            assert point.style.color.name == app.theme_variables["ramp-6"]
            seen.add(point.style.color.name)
        assert len(seen) == 2


async def test_a_slow_older_figure_never_replaces_a_newer_one() -> None:
    gate = threading.Event()
    begun = threading.Event()

    def slow(columns: int, rows: int, palette: Palette) -> Drawing:
        begun.set()
        assert gate.wait(10)
        return Drawing(points=[Point(0, 0, "S", RED)])

    app = PlotApp()
    async with app.run_test(size=(40, 10)) as pilot:
        app.plot.show(slow)
        assert await asyncio.to_thread(begun.wait, 10)
        app.plot.show(corner)
        gate.set()
        await settled(pilot)
        shown = "".join(strip.text for strip in screen_of(app.plot))
        assert "X" in shown
        assert "S" not in shown


async def test_the_event_loop_is_free_while_a_figure_is_built() -> None:
    gate = threading.Event()
    app = PlotApp()
    async with app.run_test(size=(40, 10)) as pilot:

        def slow(columns: int, rows: int, palette: Palette) -> Drawing:
            assert gate.wait(10)
            return corner(columns, rows, palette)

        app.plot.show(slow)
        await pilot.press("down")  # answered while the figure is held up; the gate opens only afterwards
        gate.set()
        await settled(pilot)
        assert any(strip.text.endswith("X│") for strip in screen_of(app.plot))


async def test_an_empty_plot_says_what_fills_it_without_markup() -> None:
    app = PlotApp()
    async with app.run_test(size=(30, 5)):
        assert any("press [/n]" in strip.text for strip in screen_of(app.plot))


async def test_a_figure_that_cannot_be_built_is_said_in_place_and_the_next_is_drawn() -> None:
    def broken(columns: int, rows: int, palette: Palette) -> Drawing:
        raise ValueError("no such [/glyph]\x1b")

    app = PlotApp()
    async with app.run_test(size=(60, 9)) as pilot:
        app.plot.show(broken)
        await settled(pilot)
        assert any(
            "the plot failed: ValueError: no such [/glyph]\\u{1b}" in strip.text for strip in screen_of(app.plot)
        )
        app.plot.show(corner)
        await settled(pilot)
        assert screen_of(app.plot)[6].text.endswith("X│")
