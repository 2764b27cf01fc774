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
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled, Step
from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.base.templates import find_template
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.store import SessionWriter
from explorer.specs.notes import marked_token
from explorer.specs.registry import describe
from explorer.tui.panes.session.pane import SessionPane, short_path
from explorer.tui.panes.session.rows import clock, step_mark, step_row
from explorer.tui.shell.messages import StepOpened
from explorer.tui.widgets.row_list import RowList
from tests.tui.token_samples import row

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
        assert app.screen_lines()[0].startswith("0 steps  tour.jsonl in ~/states")


async def test_an_empty_session_says_what_fills_it() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)):
        said = "\n".join(app.screen_lines())
        assert "No steps yet" in said
        assert "not written to a file" in said


RANKED = RankedTokens(
    model="mynah", sort="id", default_rule="", rows=(row(b" Bobbin", 907),), matching=61, total=3072, digest=""
)


def view(number: int, sort: str, query: str = "cat:ok", model: str = "mynah") -> Step:
    return step(number, RankTokens(model=model, sort=sort, filter=query), RANKED)


@pytest.mark.parametrize("width", [57, 77])
def test_what_came_back_is_first_where_the_room_is_short(width: int) -> None:
    line = step_row(view(3, "input_norm"), width).plain
    assert line.index("61 of 3,072 tokens, first ·Bobbin") < line.index("rank")
    note = step_row(step(4, WriteNote(text="read this", step=3, tags=("tour",)), Noted()), width).plain
    assert note.index("read this #tour") < note.index("note on step 3")


async def test_lines_that_differ_in_their_model_alone_begin_with_it() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        for number, model in enumerate(("mynah", "lyrebird", "starling"), start=1):
            app.pane.add(step(number, FindNeighbours(model=model, token_id=7), Cancelled()))
            await pilot.pause()
        app.pane.add(step(4, FindNeighbours(model="starling", token_id=8), Cancelled()))
        await pilot.pause()
        lines = [line for line in app.screen_lines() if "23:11:02" in line]
        assert [line.split("– ")[1].split()[0] for line in lines] == ["mynah:", "lyrebird:", "starling:", "cancelled"]


def test_a_wide_line_gives_what_was_asked_the_room_that_is_left() -> None:
    request = RepeatBack(model="mynah", token_id=1, template=find_template("repeat-1"), samples=8, controls=3)
    line = step_row(step(1, request, Failure(message="no")), 197).plain
    assert describe(request) in line
    assert line.endswith("failed: no")


async def test_ten_orders_of_a_view_share_a_line_and_no_step_is_lost() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.add(STEPS[0])
        for number in range(2, 12):
            app.pane.add(view(number, f"sort{number}"))
        app.pane.add(view(12, "id", query="other"))
        app.pane.add(view(13, "id", query="other", model="lyrebird"))
        app.pane.add(step(14, RankTokens(model="lyrebird", filter="other"), Failure(message="no")))
        await pilot.pause()
        lines = [line for line in app.screen_lines() if "23:11:02" in line]
        assert [line[2:6].strip() for line in lines] == ["1", "11", "12", "13", "14"]
        assert "✓ 10× 61 of 3,072" in lines[1]
        assert [each.number for each in app.pane.steps] == list(range(1, 15))
        assert "14 steps" in app.screen_lines()[0]
        app.pane.point_at(4)
        await pilot.pause()
        assert "by sort5" in "\n".join(app.screen_lines())
        assert app.pane.query_one(RowList).cursor == 1
        app.pane.query_one(RowList).focus()
        await pilot.press("enter", "down", "up", "enter")
        assert [each.number for each in app.opened] == [5, 5]


async def test_a_file_of_views_is_folded_without_decoding_the_others(tmp_path: Path) -> None:
    path = tmp_path / "views.jsonl"
    writer = SessionWriter(path)
    for each in (STEPS[1], view(2, "id"), view(3, "token"), STEPS[2], view(5, "id")):
        writer.append(writer.step(each.request, each.outcome, 0.1))
    writer.close()
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.begin_with(SessionFile(path), cursor=4)
        await pilot.pause()
        lines = [line for line in app.screen_lines() if " ✓ " in line or " M " in line]
        assert [line[2:6].strip() for line in lines] == ["1", "3", "4", "5"]
        assert " 2× " in lines[1]
        assert lines[3].startswith("▸")


def test_a_mark_shows_the_bytes_that_are_no_text() -> None:
    mark = MarkToken(model="mynah", token_id=171, text="\ufffd", token_bytes="e7")
    assert describe(mark) == r"mark token 171 \xe7 of mynah"
    assert marked_token(mark, Noted()).token_bytes == "e7"


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

        def counted(each: Step, width: int, folded: int, *, name_model: bool) -> Content:
            made.append(each.number)
            return step_row(each, width, folded, name_model=name_model)

        monkeypatch.setattr("explorer.tui.panes.session.rows.step_row", counted)
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
