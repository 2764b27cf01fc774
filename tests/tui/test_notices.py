"""Notices: a few at once, no problem pushed out by anything plain, and none over the fields of a dialogue."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.notifications import Notification
from textual.pilot import Pilot
from textual.widgets._toast import Toast, ToastHolder, ToastRack

from explorer.base.records.models import Roster
from explorer.sessions.file.reader import SessionFile
from explorer.settings import Settings
from explorer.tui.replay.app import ReplayApp
from explorer.tui.screens.models import ModelsScreen
from explorer.tui.shell.notices import MOST_PROBLEMS, superseded
from tests.app_driver import until
from tests.tui.snapshot_samples import write_tour


def notices(*texts: str) -> list[Notification]:
    """Problems begin with `!`."""
    return [Notification(text, severity="error" if text.startswith("!") else "information") for text in texts]


def toasts(app: ReplayApp) -> list[Toast]:
    return list(app.screen.get_child_by_type(ToastRack).query(Toast))


async def shown(pilot: Pilot[None], app: ReplayApp, text: str) -> Toast:
    """The notice with `text`, when it has its place."""
    await until(pilot, lambda: any(each._notification.message == text and each.region for each in toasts(app)))
    return toasts(app)[-1]


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
    app = ReplayApp(SessionFile(write_tour(tmp_path / "tour.jsonl")), Settings())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.is_open)
        for number in range(MOST_PROBLEMS + 2):
            app.notices.remark(f"Problem {number}: " + "much is wrong " * 20, problem=True)
        await until(pilot, lambda: len(app._notifications) == len(toasts(app)) == MOST_PROBLEMS)
        app.push_screen(ModelsScreen(Roster(models=(), devices=())))
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen) and bool(toasts(app)))
        # The rack itself is invisible: it is the notices in it that cover something.
        await until(pilot, lambda: any(each.region for each in toasts(app)))
        box = app.screen.query_one("#dialog-box").region
        assert not any(each.region.overlaps(box) for each in toasts(app))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_a_notice_stands_whole_above_the_keys_also_after_others_like_it(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = ReplayApp(SessionFile(write_tour(tmp_path / "tour.jsonl")), Settings())
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.is_open)
        for text in ("Theme a.", "Theme b.", "Theme c.", "No run over many tokens is under way: " + "v verifies " * 5):
            app.notices.remark(text)
            newest = await shown(pilot, app, text)
            assert newest.region.bottom < size[1], "the last line has the keys"
        assert newest.region.height > 1
        rack = app.screen.get_child_by_type(ToastRack)
        assert len(rack.query(ToastHolder)) == len(rack.query(Toast)), "no holder stays without its notice"
