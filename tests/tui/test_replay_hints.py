"""In a replay no key is named that would ask a model: neither in the last line, nor in panes and forms."""

from __future__ import annotations

import re
from pathlib import Path

from textual.widget import Widget

from explorer.tui.panes.tokens.table import TokenTable
from explorer.tui.replay.app import ReplayApp
from explorer.tui.shell.replayed import NOTHING_RECORDED
from explorer.tui.shell.tabs import in_row
from explorer.tui.widgets.form_status import FormStatus
from explorer.tui.widgets.key_line import Hint, KeyLine
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.prompt_area import PromptArea
from explorer.tui.widgets.row_list import RowList
from tests.replay_driver import at, rendered, replaying
from tests.tui.snapshot_samples import write_tour


def hints_at(app: ReplayApp, widget: Widget) -> list[Hint]:
    app.screen.set_focus(widget)
    line = app.query_one(KeyLine)
    line._update()
    return line.hints


async def test_the_last_line_of_a_replay_names_no_key_that_asks(tmp_path: Path) -> None:
    async with replaying(write_tour(tmp_path / "tour.jsonl")) as (app, pilot):
        seen = set()
        for tab in in_row(app.workspace.tabs):
            app.workspace.show_tab(tab.name)
            await pilot.pause()
            for widget in [each for each in app.workspace.pane(tab.name).query(Widget) if each.focusable]:
                hints = hints_at(app, widget)
                labels = {hint.label for hint in hints}
                assert hints[0].label == "next step" or not isinstance(widget, LinesView | RowList | TokenTable), widget
                seen |= labels
                assert not labels & {"run", "new line"}, (tab.name, widget)
        assert {"change", "list", "next step", "play"} <= seen
        area = app.query_one(PromptArea)
        before = area.text
        app.workspace.show_tab("repeat")
        app.screen.set_focus(area)
        await pilot.press("enter", "ctrl+j", "Z")
        assert area.text == before
        assert not app._notifications, "nothing was asked"


async def test_empty_panes_and_forms_of_a_replay_name_no_key_that_asks(tmp_path: Path) -> None:
    async with replaying(write_tour(tmp_path / "tour.jsonl")) as (app, pilot):
        await at(app, pilot, 0)
        for tab in in_row(app.workspace.tabs):
            if tab.name in ("tokens", "session"):
                continue
            app.workspace.show_tab(tab.name)
            await pilot.pause()
            lines = rendered(app.workspace.pane(tab.name))
            assert any(NOTHING_RECORDED in line for line in lines), tab.name
            assert not re.search(r"[Pp]ress |/enter", "\n".join(lines)), tab.name
        hints = [str(status.content) for status in app.query(FormStatus)]
        assert len(hints) == 3
        assert not any("run" in hint or "newline" in hint for hint in hints)
