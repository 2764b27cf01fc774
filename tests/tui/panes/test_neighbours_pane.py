"""The Neighbours pane: what it asks, what it draws of hostile tokens, and that nothing blocks it."""

from __future__ import annotations

import itertools
import random
import re

import msgspec
import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.message import Message

from explorer.base.numbers import even_decimals
from explorer.base.records.models import ModelInfo
from explorer.base.records.neighbours import FindNeighbours, Neighbour, Neighbourhood
from explorer.base.records.record import Failure, Progress
from explorer.base.records.tokens import TokenRef, TokenRow
from explorer.base.records.unions import AnyOutcome, Cancelled, Step
from explorer.specs.blocks import ramp_step
from explorer.specs.neighbours import plot
from explorer.tui.panes.neighbours import pane as neighbours_pane
from explorer.tui.panes.neighbours.pane import NeighboursPane
from explorer.tui.panes.neighbours.view import GLYPHS, SUBJECT_GLYPH, heading, legend, list_rows, scatter
from explorer.tui.shell.messages import Ask, NeighbourOpened, Selection, ViewSettled
from explorer.tui.shell.themes import load_themes, themes_dir
from explorer.tui.widgets.option_line import Choice, Field
from explorer.tui.widgets.plot import Palette, PlotView
from explorer.tui.widgets.row_list import RowList
from tests.app_driver import settled, until
from tests.measuring import STALL, bursts, fastest_of

HOSTILE = [
    b"[/foo]",
    b"[bold]",
    b"\x1b[31m",
    b"\x1b]52;c;aGk=\x07",
    "\u202e".encode(),
    "👩\u200d👩\u200d👧".encode(),
    b"\t\t",
    b"\n",
    b"\xff",
    b"x" * 300,
    "龍龍龍".encode(),
    b" Turbine",
    "naïve".encode(),
]
SIZES = [(80, 24), (60, 34), (120, 40), (200, 60)]
PALETTE = Palette((200, 200, 200), (90, 90, 90), (255, 0, 0), ((0, 0, 255),) * 7)


def neighbour(token_id: int, token_bytes: bytes, distance: float, x: float, y: float, norm: float) -> Neighbour:
    return Neighbour(
        token=TokenRef(token_id=token_id, token_bytes=token_bytes.hex(), text=token_bytes.decode("utf-8", "replace")),
        category="ok",
        distance=distance,
        x=x,
        y=y,
        indicators={"input_norm": norm, "output_norm": 2 * norm},
        meaning=0.25,
    )


def neighbourhood(count: int = len(HOSTILE), metric: str = "cosine") -> Neighbourhood:
    rng = random.Random(3)
    found = [
        neighbour(100 + index, token, 0.1 * (index + 1), rng.gauss(0, 1), rng.gauss(0, 1), rng.uniform(0.2, 1.4))
        for index, token in zip(range(count), itertools.cycle(HOSTILE), strict=False)
    ]
    return Neighbourhood(
        model="mynah",
        metric=metric,  # type: ignore[arg-type]
        space="input",
        subject=neighbour(742, b" VelvetTurbine", 0.0, 0.1, 0.1, 0.6),
        neighbours=tuple(found),
        variance=(0.381, 0.203),
        indicator_ranges={"input_norm": (0.3, 0.8, 1.2), "output_norm": (0.6, 1.6, 2.4)},
    )


def step(outcome: AnyOutcome) -> Step:
    return Step(number=1, at="", seconds=0.1, request=FindNeighbours(model="mynah", token_id=742), outcome=outcome)


def coloured(colour: str) -> FindNeighbours:
    return FindNeighbours(model="mynah", token_id=742, colour=colour)


def selection() -> Selection:
    info = ModelInfo(
        name="mynah",
        source="zoo:mynah",
        architecture="GPT2",
        dtype="float32",
        device="cpu",
        vocab_size=3072,
        tokenizer_size=3072,
        d_model=128,
    )
    row = TokenRow(
        token_id=742,
        token_bytes=b" VelvetTurbine".hex(),
        text=" VelvetTurbine",
        category="ok",
        indicators={"input_norm": 0.6},
        percentiles={},
        robust_z={},
    )
    return Selection(model=info, token=row)


class PaneApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.pane = NeighboursPane()
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        for theme in load_themes(themes_dir()):
            self.register_theme(theme)
        self.theme = "nightjar"

    def on_ask(self, message: Ask) -> None:
        self.heard.append(message)

    def on_view_settled(self, message: ViewSettled) -> None:
        self.heard.append(message)

    def on_neighbour_opened(self, message: NeighbourOpened) -> None:
        self.heard.append(message)

    def screen_lines(self) -> list[str]:
        width, height = self.size
        strips = self.screen._compositor.render_strips()
        assert len(strips) == height
        assert all(strip.cell_length == width for strip in strips)
        return [strip.text for strip in strips]


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_tokens_stay_inside_their_cells(size: tuple[int, int]) -> None:
    app = PaneApp()
    async with app.run_test(size=size) as pilot:
        app.pane.show(step(neighbourhood()))
        await settled(pilot)
        lines = app.screen_lines()
        assert all(line.isprintable() and "\u202e" not in line for line in lines)
        said = "\n".join(lines)
        assert "PC1 38.1 %" in said
        assert "◆" in said
        rows = [(line, found) for line in lines if (found := re.search(r" \d\.\d{3} [○◔◑◕●] ", line))]
        assert len(rows) >= 5
        assert len({cell_len(line[: found.start()]) for line, found in rows}) == 1


async def test_an_empty_pane_says_which_key_fills_it() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)):
        assert "press n" in "\n".join(app.screen_lines())


async def test_it_asks_for_the_selected_token_with_the_options_as_they_stand() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.selection = selection()
        app.pane.query_one("#metric", Choice).focus()
        await pilot.press("right")
        app.pane.query_one("#k", Field).value = "7"
        await pilot.press("tab", "tab", "enter")
        (ask,) = app.heard
        assert isinstance(ask, Ask)
        assert ask.request == FindNeighbours(
            model="mynah", token_id=742, k=7, metric="euclidean", space="input", colour="input_norm"
        )


@pytest.mark.parametrize("k", ["", "0", "201"])
async def test_a_wrong_k_is_said_and_not_asked(k: str) -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.selection = selection()
        app.pane.query_one("#k", Field).value = k
        app.pane.run_default()
        await pilot.pause()
        assert app.heard == []
        assert "from 1 to 200" in app.screen_lines()[1]


async def test_without_a_token_it_says_what_to_do() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.run_default()
        await pilot.pause()
        assert app.heard == []
        assert "choose one in the token table" in app.screen_lines()[1]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Failure(message="out of memory [/x]", hint="Unload one."), "✗ out of memory [/x]. Unload"),
        (Cancelled(), "cancelled"),
    ],
)
async def test_what_went_wrong_is_said_in_place_and_the_list_stays(outcome: AnyOutcome, said: str) -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.show(step(neighbourhood()))
        app.pane.show(step(outcome))
        await pilot.pause()
        await settled(pilot)
        lines = app.screen_lines()
        assert said in lines[1]
        assert "[/foo]" in "\n".join(lines)


async def test_what_is_done_and_how_far_is_said_while_it_is_asked() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        request = FindNeighbours(model="mynah", token_id=742, other="mynah-instruct")
        app.pane.show_asked(request)
        for part, said in (
            (Progress(done=0, total=0, what="matching [/x]"), "matching [/x]; esc cancels"),
            (Progress(done=8192, total=98304, what="rows laid over"), "8,192 of 98,304 rows laid over; esc cancels"),
        ):
            app.pane.show_part(request, part)
            await pilot.pause()
            assert said in app.screen_lines()[1]


async def test_enter_on_a_neighbour_opens_it_and_the_cursor_marks_its_point() -> None:
    app = PaneApp()
    async with app.run_test(size=(120, 40)) as pilot:
        app.pane.show(step(neighbourhood()))
        app.pane.query_one(RowList).focus()
        await pilot.press("down", "down", "enter")
        await settled(pilot)
        (opened,) = app.heard
        assert isinstance(opened, NeighbourOpened)
        assert (opened.model, opened.token_id) == ("mynah", 102)
        plot = app.pane.query_one(PlotView)
        drawn = "".join(plot.render_line(y).text for y in range(plot.size.height))
        assert drawn.count("◉") == 1
        assert "\\u{1b}[31m" in drawn


async def test_another_colour_redraws_and_asks_nothing() -> None:
    app = PaneApp()
    async with app.run_test(size=(120, 40)) as pilot:
        app.pane.show(step(neighbourhood()))
        await pilot.pause()
        app.pane.query_one("#colour", Choice).focus()
        before = app.pane.query_one(RowList).rows
        await pilot.press("right")
        await settled(pilot)
        after = app.pane.query_one(RowList).rows
        assert app.pane.query_one("#colour", Choice).chosen == "output_norm"
        assert [row.plain for row in before] != [row.plain for row in after]
        assert app.heard == []


async def test_a_colour_that_stays_is_recorded_with_the_outcome_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours_pane, "SETTLE_PAUSE", 0.02)
    app = PaneApp()
    record = neighbourhood()
    async with app.run_test(size=(120, 40)) as pilot:
        app.pane.show(step(record))
        await pilot.pause()
        app.pane.query_one("#colour", Choice).focus()
        await pilot.press("right")
        await until(pilot, lambda: bool(app.heard))
        (settled_view,) = app.heard
        assert isinstance(settled_view, ViewSettled)
        assert settled_view.request == coloured("output_norm")
        assert settled_view.outcome is record
        app.pane.query_one(RowList).cursor = 3
        app.pane.show(Step(number=2, at="", seconds=0, request=settled_view.request, outcome=record))
        await settled(pilot)
        assert app.pane.query_one(RowList).cursor == 3
        assert len(app.heard) == 1


async def test_the_next_question_and_a_shown_step_have_the_colour_that_is_chosen() -> None:
    app = PaneApp()
    async with app.run_test(size=(120, 40)) as pilot:
        app.pane.selection = selection()
        app.pane.show(Step(number=1, at="", seconds=0, request=coloured("output_norm"), outcome=neighbourhood()))
        await pilot.pause()
        assert app.pane.query_one("#colour", Choice).chosen == "output_norm"
        app.pane.run_default()
        await pilot.pause()
        (ask,) = app.heard
        assert isinstance(ask, Ask)
        assert ask.request == coloured("output_norm")
        app.pane.show(step(neighbourhood()))
        assert app.pane.query_one("#colour", Choice).chosen == "input_norm"


async def test_two_hundred_neighbours_never_take_50_ms_of_the_event_loop() -> None:
    app = PaneApp()
    async with app.run_test(size=(200, 60)) as pilot:
        app.pane.query_one(RowList).focus()

        async def longest() -> float:
            async with bursts() as found:
                app.pane.show(step(neighbourhood(200)))
                await pilot.press("down")
                await until(pilot, lambda: all(worker.is_finished for worker in app.workers))
            return max(found)

        assert await fastest_of(longest, STALL) < STALL


# ── the pure functions ──


def test_numbers_align_on_the_decimal_point() -> None:
    for values in ([0.1234567, 12.5, None], [-1.5, 0.25], [1e-5, 2e-6], [12345.6, 1.0], [0.0], [float("nan"), 1.0]):
        texts = even_decimals(values)
        assert len({len(text) for text in texts}) == 1
        assert len({text.find(".") for text in texts if "." in text}) <= 1
    assert even_decimals([0.5, 12.25]) == [" 0.50", "12.25"]


@pytest.mark.parametrize("width", [30, 45, 57, 77, 150])
def test_rows_and_header_share_their_columns(width: int) -> None:
    header, rows = list_rows(neighbourhood(), "input_norm", width)
    assert len({row.cell_length for row in rows} | {header.cell_length}) == 1
    assert len(rows) == len(HOSTILE)
    if width >= 57:
        assert header.cell_length <= width


def test_the_ramp_runs_from_the_5th_to_the_95th_percentile() -> None:
    ends = (1.0, 2.0, 8.0)
    steps = [ramp_step(value, ends) for value in (-5.0, 1.0, 2.0, 4.5, 7.9, 8.0, 100.0)]
    assert steps == [0, 0, 1, 3, 6, 6, 6]
    assert ramp_step(None, ends) is None
    assert ramp_step(float("nan"), ends) is None
    assert ramp_step(1.0, None) is None
    assert ramp_step(1.0, (1.0, 1.0, 1.0)) == 3


def test_the_plot_shows_every_member_and_marks_subject_and_cursor() -> None:
    record = neighbourhood()
    drawing = scatter(plot(coloured("input_norm"), record), record, 4)(58, 20, PALETTE)
    assert len(drawing.points) == len(record.neighbours) + 1
    glyphs = [point.glyph for point in drawing.points]
    assert glyphs.count("◆") == glyphs.count("◉") == 1
    assert all(cell_len(glyph) == 1 for glyph in glyphs)
    assert drawing.points[-1].glyph == "◉"  # drawn last: never hidden by another
    assert {point.column for point in drawing.points} >= {0, 57}
    assert {point.row for point in drawing.points} >= {0, 19}
    bold = {label.text for label in drawing.labels if label.bold}
    assert bold == {"·VelvetTurbine", "\\u{202e}"}


def test_a_neighbourhood_without_extent_or_numbers_is_still_drawn() -> None:
    alone = neighbourhood(0)
    drawing = scatter(plot(coloured("absent"), alone), alone, None)(20, 9, PALETTE)
    assert [(point.column, point.row) for point in drawing.points] == [(9, 4)]
    assert list_rows(alone, "absent", 60)[1] == []
    assert "subject" in legend(alone, "absent", 60).plain


def test_the_legend_gives_the_ends_of_the_scale() -> None:
    said = legend(neighbourhood(), "input_norm", 100).plain
    assert f"{GLYPHS[0]} ≤0.300" in said
    assert f"{GLYPHS[6]} ≥1.200" in said


@pytest.mark.parametrize("ends", [(0.3, 0.8, 1.2), (0.573, 1.496, 1.69), (0.3, 0.31, 1.2), (0.3, 1.2, 1.2)])
@pytest.mark.parametrize("width", [40, 57, 77, 120])
def test_the_legend_has_each_glyph_once_and_is_never_cut(ends: tuple[float, float, float], width: int) -> None:
    record = msgspec.structs.replace(neighbourhood(), indicator_ranges={"input_norm": ends})
    said = legend(record, "input_norm", width)
    glyphs = [character for character in said.plain if character in (*GLYPHS, SUBJECT_GLYPH)]
    assert len(glyphs) == len(set(glyphs))
    assert said.cell_length <= width
    assert all(f"{end:.3f}" in said.plain for end in ends)
    assert ("95 %" in said.plain) == (width > 40)


@pytest.mark.parametrize("colour", ["input_norm", "output_centroid_cosine_distance", "a_plug_in_s_long_indicator"])
def test_the_coloured_indicator_heads_its_column_whole_or_with_dots(colour: str) -> None:
    header, rows = list_rows(neighbourhood(), colour, 57)
    assert header.plain.rstrip().endswith({"input_norm": "‖W_E‖  meaning"}.get(colour, "  meaning"))
    assert "1-cos(W_U)" in header.plain or "…" in header.plain or "‖W_E‖" in header.plain
    assert len({header.cell_length, *(row.cell_length for row in rows)}) == 1


def test_the_heading_names_the_subject_safely() -> None:
    assert heading(neighbourhood()).plain == "◆ ·VelvetTurbine  742 · cosine · input · mynah"
