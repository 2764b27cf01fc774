"""The row of tabs: every title where there is room, else short ones that all fit a screen of 80 cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Tab, Tabs

from explorer.sessions.file.reader import SessionFile
from explorer.settings import Settings
from explorer.specs.registry import REGISTRY
from explorer.tui.replay.app import ReplayApp
from explorer.tui.shell.tabs import in_row, tab_labels
from tests.app_driver import on_screen, until
from tests.tui.snapshot_samples import write_tour


@pytest.mark.parametrize("width", [80, 120])
def test_all_labels_fit(width: int) -> None:
    labels = tab_labels(REGISTRY.tabs(), width)
    assert sum(len(label) + 2 for label in labels.values()) <= width
    assert all(label.split()[0].isdigit() for label in labels.values())


def test_titles_are_short_only_where_they_must_be() -> None:
    titles = {tab.name: f"{tab.number} {tab.title}" for tab in in_row(REGISTRY.tabs())}
    room = sum(len(title) + 2 for title in titles.values())
    assert tab_labels(REGISTRY.tabs(), room) == titles
    assert tab_labels(REGISTRY.tabs(), room - 1) != titles


async def test_the_titles_follow_the_width_of_the_screen(tmp_path: Path) -> None:
    app = ReplayApp(SessionFile(write_tour(tmp_path / "tour.jsonl")), Settings())

    def shown() -> dict[str, str]:
        return {str(tab.id): tab.label_text for tab in app.query_one("#tabs", Tabs).query(Tab)}

    async with on_screen(app, (80, 24)) as pilot:
        await until(pilot, lambda: app.is_open)
        assert shown() == tab_labels(app.workspace.tabs, 80)
        assert all(tab.region.x >= 0 and tab.region.right <= 80 for tab in app.query(Tab))
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: shown() == tab_labels(app.workspace.tabs, 120))
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: shown() == tab_labels(app.workspace.tabs, 80))
