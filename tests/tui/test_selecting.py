"""Text is selected with the mouse, and copied as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.color import Color
from textual.content import Content
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.selection import SELECT_ALL, Selection
from textual.widget import Widget

from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.engine.handlers import Engine
from explorer.tui.live.app import ExplorerApp
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.selecting import has_changed, selected_text
from tests.app_driver import asked, running, settled, until

LINES = [Content("│ say 'ab'⏎"), Content("  0 ✓ exact   ab    "), Content(""), Content("last")]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def test_bars_and_padding_are_not_part_of_the_text() -> None:
    assert selected_text(LINES, SELECT_ALL) == "say 'ab'⏎\n  0 ✓ exact   ab\n\nlast"
    assert selected_text(LINES, Selection(Offset(6, 0), Offset(5, 1))) == "'ab'⏎\n  0 ✓"
    assert selected_text(LINES, Selection(Offset(0, 0), Offset(5, 0))) == "say"
    assert selected_text(LINES, Selection(Offset(2, 3), Offset(0, 9))) == "st"
    assert selected_text([], SELECT_ALL) == ""


def test_a_selection_outlives_changes_elsewhere_only() -> None:
    other = [*LINES[:3], Content("other")]
    first = Selection(Offset(0, 0), Offset(3, 1))
    assert not has_changed(LINES, other, first)
    assert has_changed(LINES, other, SELECT_ALL)
    assert has_changed(LINES, LINES[:1], first)
    assert not has_changed(LINES, LINES[:2], first)


async def drag(pilot: Pilot[None], widget: Widget, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Press the mouse in a widget, move it, and let go."""
    await pilot.mouse_down(widget, offset=start)
    await pilot.hover(widget, offset=end)
    await pilot.mouse_up(widget, offset=end)
    await settled(pilot)


def place_of(view: LinesView, words: str) -> tuple[int, int]:
    """Where the words stand in a view that is not scrolled, from the corner of its frame."""
    y = next(y for y, line in enumerate(view.lines) if words in line.plain)
    inside = view.content_region.offset - view.region.offset
    return view.lines[y].plain.index(words) + inside.x, y + inside.y


async def test_prompts_replies_tables_and_details_are_selected(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 1 and not app.runs.running)
        result = asked(app, RepeatBack)[0].outcome
        assert isinstance(result, RepeatBackResult)
        view = app.query_one("#replies", LinesView)
        first = view.lines[1].plain
        assert first.startswith("│ ")
        x, y = place_of(view, first)
        await drag(pilot, view, (x, y), (x, y + 1))
        assert app.screen.get_selected_text() == first[2:].rstrip()
        cursor = Color.parse(app.theme_variables["block-cursor-background"]).rich_color
        coloured = [
            part.text for part in view.render_line(1) if part.style is not None and part.style.bgcolor == cursor
        ]
        assert "".join(coloured) == first[2:]
        assert app.clipboard == ""
        await pilot.press("y")
        assert app.clipboard == first[2:].rstrip()
        await pilot.press("escape")
        await settled(pilot)
        assert not app.screen.get_selected_text()
        assert view.has_focus, "esc takes away the selection, and leaves the pane when it is pressed again"
        row = next(line.plain for line in view.lines if result.probe.replies[0].outcome in line.plain)
        x, y = place_of(view, row)
        await drag(pilot, view, (x, y), (x, y + 1))
        await pilot.press("ctrl+c")
        assert app.clipboard == row.rstrip()
        await pilot.press("5")
        assert "selected" not in await selected(app, pilot), "another pane is seen now"
        assert app.clipboard != row.rstrip()
        await pilot.press("l")
        await until(pilot, lambda: len(asked(app, ReadLogprobs)) == 1 and not app.runs.running)
        table = app.query_one("#table", LinesView)
        x, y = place_of(table, "entropy")
        await drag(pilot, table, (x, y), (x + len("entropy"), y))
        await pilot.press("y")
        assert app.clipboard == "entropy"
        details = app.query_one("#detail-pane Static", Widget)
        await drag(pilot, details, (0, 0), (details.region.width - 1, 0))
        assert await selected(app, pilot) == str(details.render()).splitlines()[0].rstrip()


async def selected(app: ExplorerApp, pilot: Pilot[None]) -> str:
    """What `y` copies."""
    await pilot.press("y")
    await settled(pilot)
    return app.clipboard
