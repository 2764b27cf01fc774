"""The Session pane: steps in words, the file, and its troubles."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from explorer.base.records.models import LoadModel
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled, Step
from explorer.tui.panes.session.pane import SessionPane, clock, short_path, step_mark, step_row
from explorer.tui.shell.messages import StepOpened
from explorer.tui.widgets.row_list import RowList

HOSTILE = "[/foo] \x1b]52;c;aGk=\x07 \u202e\n" + "龍" * 60


def step(number: int, request: AnyRequest, outcome: AnyOutcome, seconds: float = 0.5) -> Step:
    return Step(number=number, at="2026-11-20T23:11:02Z", seconds=seconds, request=request, outcome=outcome)


STEPS = [
    step(1, LoadModel(source=HOSTILE), Failure(message=f"no such model {HOSTILE}", hint="Name another.")),
    step(2, MarkToken(model="mynah", token_id=7, text=HOSTILE), Noted()),
    step(3, MarkToken(model="mynah", token_id=8), Noted()),
    step(4, MarkToken(model="mynah", token_id=8, marked=False), Noted()),
    step(5, WriteNote(text=HOSTILE), Noted()),
    step(6, FindNeighbours(model="mynah", token_id=7), Cancelled(), 125.0),
]


class PaneApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.pane = SessionPane()
        self.opened: list[Step] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_step_opened(self, message: StepOpened) -> None:
        self.opened.append(message.step)

    def screen_lines(self) -> list[str]:
        strips = self.screen._compositor.render_strips()
        assert all(strip.cell_length == self.size.width for strip in strips)
        return [strip.text for strip in strips]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_steps_stand_in_safe_aligned_lines(size: tuple[int, int]) -> None:
    app = PaneApp()
    async with app.run_test(size=size) as pilot:
        for each in STEPS:
            app.pane.add(each)
        await pilot.pause()
        lines = app.screen_lines()
        assert all(line.isprintable() and "\u202e" not in line for line in lines)
        assert "6 steps · 1 note · 1 marked" in lines[0]
        rows = [line for line in lines if "23:11:02" in line]
        assert len(rows) == len(STEPS)
        assert len({line.index("23:11:02") for line in rows}) == 1
        assert rows[-1].startswith("▸")


async def test_enter_opens_the_step_under_the_cursor() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        for each in STEPS:
            app.pane.add(each)
        app.pane.query_one(RowList).focus()
        await pilot.press("home", "enter")
        assert app.opened == [STEPS[0]]
        assert "Name another." in "\n".join(app.screen_lines())


async def test_the_cursor_follows_new_steps_only_from_the_end() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        rows = app.pane.query_one(RowList)
        for each in STEPS[:3]:
            app.pane.add(each)
        assert rows.cursor == 2
        rows.focus()
        await pilot.press("up")
        app.pane.add(STEPS[3])
        assert rows.cursor == 1


async def test_trouble_with_the_file_is_said_first_and_goes_away() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.set_file(Path.home() / "states" / "tour.jsonl")
        app.pane.set_trouble("session not written: disk full")
        await pilot.pause()
        assert app.screen_lines()[0].startswith("✗ session not written: disk full")
        app.pane.set_trouble("")
        await pilot.pause()
        assert app.screen_lines()[0].startswith("0 steps  ~/states/tour.jsonl")


async def test_an_empty_session_says_what_fills_it() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)):
        said = "\n".join(app.screen_lines())
        assert "No steps yet" in said
        assert "not written to a file" in said


@pytest.mark.parametrize("width", [40, 77, 100, 197])
def test_a_row_never_passes_its_width(width: int) -> None:
    for each in STEPS:
        assert step_row(each, width).cell_length <= width


async def test_a_long_session_makes_only_the_rows_on_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        for number in range(500):
            app.pane.add(step(number, MarkToken(model="mynah", token_id=number), Noted()))
        await pilot.pause()
        made: list[int] = []

        def counted(each: Step, width: int) -> Content:
            made.append(each.number)
            return step_row(each, width)

        monkeypatch.setattr("explorer.tui.panes.session.pane.step_row", counted)
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert made
        assert min(made) >= 500 - 30
        assert "500 steps · 500 marked" in app.screen_lines()[0]


def test_kinds_of_steps_differ_without_colour() -> None:
    assert [step_mark(each)[0] for each in STEPS] == ["✗", "M", "M", "m", "N", "–"]


def test_times_and_paths_as_shown() -> None:
    assert clock("2026-11-20T23:11:02+00:00") == "23:11:02"
    assert clock("\x1b[31m").isprintable()
    assert short_path(Path.home() / "a" / "b.jsonl") == "~/a/b.jsonl"
    assert short_path(Path("/tmp/x\x1b.jsonl")) == "/tmp/x\\u{1b}.jsonl"
