"""Notices: a few at once, no problem pushed out by anything plain, and none over the fields of a dialogue."""

from __future__ import annotations

from pathlib import Path

from textual.notifications import Notification
from textual.widgets._toast import Toast

from explorer.base.records.models import Roster
from explorer.tui.screens.models import ModelsScreen
from explorer.tui.shell.notices import MOST_PLAIN, MOST_PROBLEMS, superseded
from tests.app_driver import until
from tests.replay_driver import replaying
from tests.tui.snapshot_samples import write_tour


def notices(*texts: str) -> list[Notification]:
    """Problems begin with `!`."""
    return [Notification(text, severity="error" if text.startswith("!") else "information") for text in texts]


def kept(*texts: str) -> list[str]:
    given = notices(*texts)
    gone = superseded(given)
    return [each.message for each in given if each not in gone]


def test_a_plain_notice_replaces_the_one_of_its_kind_and_never_a_problem() -> None:
    assert kept("Theme a.", "Theme b.", "Theme c.") == ["Theme c."]
    assert kept("!no disk", "Theme a.", "Copied x.", "Theme b.", "Copied y.", "Stopping 1 request.") == [
        "!no disk", "Copied y.", "Stopping 1 request.",
    ]  # fmt: skip
    assert kept("!1", "!2", "!3", "!4", "Theme a.") == ["!2", "!3", "!4", "Theme a."]
    assert kept("!1", "!1") == ["!1", "!1"]


async def test_many_notices_leave_a_few_on_the_screen_and_none_over_a_dialogue(tmp_path: Path) -> None:
    async with replaying(write_tour(tmp_path / "tour.jsonl"), (80, 24)) as (app, pilot):
        app.notices.remark("The disk is full.", problem=True)
        for number in range(6):
            app.notices.remark(f"Theme {number}.")
            app.notices.remark(f"{number} of them.")
        await until(pilot, lambda: len(app.screen.query(Toast)) == 1 + MOST_PLAIN)
        assert "The disk is full." in [each.message for each in app._notifications]
        app.push_screen(ModelsScreen(Roster(models=(), devices=())))
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen) and bool(app.screen.query(Toast)))
        for number in range(MOST_PROBLEMS + 1):
            app.notices.remark(f"Problem {number}: " + "much is wrong " * 20, problem=True)
        await until(pilot, lambda: len(app.screen.query(Toast)) >= MOST_PROBLEMS)
        await pilot.pause()
        box = app.screen.query_one("#dialog-box").region
        rack = app.screen.query_one("ToastRack").region
        assert rack.height >= 1
        assert not rack.overlaps(box)
