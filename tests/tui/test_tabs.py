"""The row of tabs: every title where there is room, else short ones that all fit a screen of 80 cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Tab, Tabs

from explorer.sessions.file.reader import SessionFile
from explorer.settings import Settings
from explorer.specs.registry import REGISTRY
from explorer.specs.spec import Tab as Declared
from explorer.tui.replay.app import ReplayApp
from explorer.tui.shell.tabs import in_row, padding, tab_labels
from tests.app_driver import on_screen, until
from tests.tui.snapshot_samples import write_tour


@pytest.mark.parametrize("width", [80, 120])
def test_all_labels_fit(width: int) -> None:
    labels = tab_labels(REGISTRY.tabs(), width)
    assert sum(len(label) + padding(width) for label in labels.values()) <= width
    assert all(label.split()[0].isdigit() for label in labels.values())


def test_titles_are_short_only_where_they_must_be() -> None:
    long = Declared(name="long", title="A long title", short_title="Short", pane="", help="", number=9)
    tabs = (*REGISTRY.tabs(), long)
    titles = {tab.name: f"{tab.number % 10} {tab.title}" for tab in in_row(tabs)}
    room = sum(len(title) + 2 for title in titles.values())
    assert tab_labels(tabs, room) == titles
    assert tab_labels(tabs, room - 1)["long"] == "9 Short"


@pytest.mark.parametrize("width", [80, 200])
def test_a_tab_has_one_name_in_its_row_and_as_a_command(width: int) -> None:
    for tab in in_row(REGISTRY.tabs()):
        label = tab_labels(REGISTRY.tabs(), width)[tab.name]
        title, beginning = f"{tab.number % 10} {tab.title}", label.removesuffix("…")
        assert label == title or (label == f"{beginning}…" and title.startswith(beginning) and len(beginning) >= 5)
        assert tab.command_title in ("", tab.title.lower())


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
