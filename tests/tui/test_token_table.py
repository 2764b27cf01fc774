"""Laws of the token table: what it draws is safe and aligned, and the cursor stays with its token."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from rich.cells import cell_len
from rich.style import Style
from textual.message import Message

from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.tables.number_format import NumberFormat
from explorer.tables.ranking import ranked, select
from explorer.tables.table import AddedColumn, TokenColumns
from explorer.tui.panes.tokens.table import TokenTable
from explorer.tui.panes.tokens.table_drawing import TableDrawing, read_palette
from explorer.tui.panes.tokens.table_layout import (
    RAMP_EDGES,
    Column,
    Layout,
    Sort,
    fit,
    flag_letters,
    lay_out,
    ramp_step,
)
from explorer.tui.panes.tokens.table_rows import LoadedRows, ReplayedRows
from tests.tui.token_samples import HOSTILE, SIZES, ThemedApp, assert_harmless, ordinary, row, screen_lines, vocabulary

ID_END = 4 + 4
"""Cells of the marker column and the id column, without the last gap."""


class TableApp(ThemedApp):
    """A table over the whole screen that keeps what it says."""

    def __init__(self) -> None:
        super().__init__(TokenTable())
        self.said: list[Message] = []

    @property
    def table(self) -> TokenTable:
        return self.query_one(TokenTable)

    def show(self, columns: TokenColumns, query: str = "", sort: str = "input_norm", descending: bool = False) -> None:
        request = RankTokens(model="mynah", sort=sort, descending=descending, filter=query)
        rows = LoadedRows(columns, select(columns, request))
        self.table.show_rows(rows, sort=sort, descending=descending, lead="input_norm")

    def on_token_table_row_highlighted(self, message: TokenTable.RowHighlighted) -> None:
        self.said.append(message)

    def on_token_table_row_opened(self, message: TokenTable.RowOpened) -> None:
        self.said.append(message)

    def on_token_table_header_clicked(self, message: TokenTable.HeaderClicked) -> None:
        self.said.append(message)


@pytest.fixture(scope="module")
def columns() -> TokenColumns:
    return TokenColumns(vocabulary(ordinary(500)))


# ── drawing ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_tokens_are_harmless_and_leave_columns_aligned(size: tuple[int, int]) -> None:
    columns = TokenColumns(vocabulary(HOSTILE))
    app = TableApp()
    async with app.run_test(size=size) as pilot:
        app.show(columns, sort="id")
        texts = [token.decode("latin-1") for token in HOSTILE]
        app.table.set_added({"[/x]\x1b[31m": AddedColumn(np.zeros(len(texts), np.float32), texts.__getitem__)})
        for key in ("end", "right", "right", "home", "left", "left"):
            await pilot.press(key)
            assert_harmless(app)
        lines = screen_lines(app)[1:]
        starts = {cell_len(line[: line.index(columns.category(number))]) for number, line in enumerate(lines[:20])}
        assert len(starts) == 1


async def test_every_row_stands_where_its_order_says(columns: TokenColumns) -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.show(columns, descending=True)
        await pilot.press("end", "pageup", "pageup")
        await pilot.pause()
        order = select(columns, RankTokens(model="", sort="input_norm", descending=True))
        top = app.table.scroll_offset.y
        ids = [int(line[:ID_END].strip(" ▸✓wp")) for line in screen_lines(app)[1:]]
        assert ids == [int(token_id) for token_id in order[top : top + len(ids)]]


async def test_the_heading_shows_the_sorted_column_and_its_direction(columns: TokenColumns) -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        for descending, arrow in ((False, "▲ ‖W_E‖"), (True, "▼ ‖W_E‖")):
            app.show(columns, descending=descending)
            await pilot.pause()
            assert arrow in screen_lines(app)[0]


async def test_streaming_a_column_moves_nothing(columns: TokenColumns) -> None:
    app = TableApp()
    async with app.run_test(size=(120, 24)) as pilot:
        app.show(columns, sort="id")
        told: dict[int, str] = {}
        keys = np.full(columns.vocab_size, np.nan, np.float32)
        app.table.set_added({"repeats": AddedColumn(keys, lambda token_id: told.get(token_id, ""))})
        await pilot.pause()
        before = screen_lines(app)
        told.update({3: "0/8", 5: "0.500", 7: "a very long verdict indeed"})
        app.table.set_added({"repeats": AddedColumn(keys, lambda token_id: told.get(token_id, ""))})
        await pilot.pause()
        after = screen_lines(app)
        assert "0/8" in after[4]
        assert "0.500" in after[6]
        assert [line.replace("0/8", "   ") for line in after[:6]] == before[:6]
        assert {cell_len(line) for line in after} == {120}


async def test_marks_and_flags_are_letters_with_a_legend(columns: TokenColumns) -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.show(columns, query="flag:withheld", sort="id")
        marked = app.table.token_id
        assert marked is not None
        app.table.set_marked({marked})
        await pilot.pause()
        assert all(line[2] == "w" for line in screen_lines(app)[1:])
        assert [line[1] for line in screen_lines(app)[1:4]] == ["✓", " ", " "]
        assert app.table.drawing.legend == "w withheld · p published"


async def test_sideways_the_token_stays_and_other_columns_come(columns: TokenColumns) -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.show(columns, sort="id")
        await pilot.pause()
        before = screen_lines(app)
        assert before[0].rstrip().endswith("›")
        await pilot.press("right", "right")
        after = screen_lines(app)
        assert after[1][:20] == before[1][:20]
        assert "category" not in after[0]
        assert "‹" in after[0]
        await pilot.press("left", "left")
        assert screen_lines(app) == before


def test_no_number_is_cut_through_the_middle_however_wide_the_table_and_wherever_it_is_scrolled() -> None:
    columns = TokenColumns(vocabulary(ordinary(40)))
    drawing = TableDrawing(lambda: read_palette(lambda part: Style.null(), Style.null()))
    drawing.set_rows(LoadedRows(columns, np.arange(40)), Sort("id"), "input_norm")
    drawing.set_added({"own": AddedColumn(np.zeros(40, np.float32), lambda token_id: f"#88{token_id:02}"),
                       "verdict": AddedColumn(np.zeros(40, np.float32), lambda token_id: "V 5.8e-10")})  # fmt: skip
    formats = {name: drawing.rows.number_format(name) for name in columns.indicators}  # type: ignore[union-attr]
    for width in range(44, 130):
        drawing.paint(width, layout=True)
        for left in (0, 3, 9, 14, 30):
            drawing.forget_strips()
            for place in range(5):
                line = drawing.line(place + 1, left, 0, width, -1)
                assert line is not None
                assert line.cell_length == width
                numbers = {form.show(columns.values(name)[place]).strip() for name, form in formats.items()}
                percentile = columns.percentiles("input_norm")[place]
                whole = {f"{percentile:.1f}", f"#88{place:02}", "V", "5.8e-10", "…", "–", *numbers}
                seen = line.text[drawing.painter.layout.fixed_width :].split()  # type: ignore[union-attr]
                cut_words = {word for word in seen if word not in whole and not word.isalpha()}
                assert not [word for word in cut_words if "…" not in word], (width, left, line.text)


def test_a_column_of_which_the_edge_leaves_a_sliver_is_left_out() -> None:
    layout = Layout(fixed=(), moving=(Column("indicator", "a", "a", 6), Column("indicator", "b", "b", 6)))
    seen = {room: [column.width for column in layout.within(0, room)] for room in (6, 8, 9, 10, 13, 20)}
    assert seen == {6: [6], 8: [6], 9: [6], 10: [6, 3], 13: [6, 6], 20: [6, 6]}
    assert [column.width for column in layout.within(5, 12)] == [1, 6], "at the left nothing may move"


async def test_an_empty_view_says_so(columns: TokenColumns) -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.show(columns, query="nowhere")
        await pilot.press("down", "enter", "end", "pageup")
        assert "no token passes the filter" in screen_lines(app)[1]
        assert app.table.token_id is None
        assert not app.said


async def test_a_replayed_window_stands_at_its_positions() -> None:
    rows = tuple(row(token, token_id) for token_id, token in enumerate(HOSTILE))
    request = RankTokens(model="mynah", sort="input_norm", first=10, top=len(rows))
    outcome = RankedTokens(
        model="mynah", sort="input_norm", default_rule="", rows=rows, matching=100, total=5000, digest=""
    )
    app = TableApp()
    async with app.run_test(size=(80, 60)) as pilot:
        app.table.show_rows(ReplayedRows(request, outcome), sort="input_norm", descending=False, lead="input_norm")
        assert app.table.go_to(0)
        await pilot.pause()
        assert_harmless(app)
        lines = screen_lines(app)
        assert app.table.cursor == 10
        assert all("…" in line and "0.61" not in line for line in lines[1:11])
        assert all("0.61" in line for line in lines[11 : 11 + len(rows)])
        assert "0.61" not in lines[11 + len(rows)]


def test_a_recorded_view_writes_numbers_as_the_live_one_and_an_older_one_as_its_rows_have_them() -> None:
    columns = TokenColumns(vocabulary([b"a%d" % number for number in range(200)]))
    request = RankTokens(model="mynah", sort="input_norm", top=2)
    order = select(columns, request)
    outcome = ranked(columns, request, order)
    live, replayed = LoadedRows(columns, order), ReplayedRows(request, outcome)
    assert outcome.formats
    assert {name: replayed.number_format(name) for name in live.indicators} == {
        name: live.number_format(name) for name in live.indicators
    }
    older = ReplayedRows(request, msgspec.structs.replace(outcome, formats={}))
    held = np.array([row.indicators["input_norm"] for row in outcome.rows])
    assert older.number_format("input_norm") == NumberFormat.of(held)


# ── the cursor ────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_cursor_stays_on_its_token_and_returns_to_it(columns: TokenColumns) -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.focus()
        app.show(columns)
        await pilot.press("pagedown", "pagedown", "j", "k", "down")
        token_id = app.table.token_id
        assert token_id is not None
        app.show(columns, descending=True)
        assert app.table.token_id == token_id
        app.show(columns, query=f'-"{columns.text(token_id)}"')
        assert app.table.cursor == 0
        app.show(columns)
        assert app.table.token_id == token_id
        await pilot.pause()
        assert any(line.startswith("▸") and str(token_id) in line for line in screen_lines(app))


async def test_keys_move_within_the_view_and_say_where_they_are(columns: TokenColumns) -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.focus()
        app.show(columns, sort="id")
        await pilot.press("up", "home", "end", "down", "pagedown")
        assert app.table.token_id == 499
        await pilot.press("up", "enter")
        last = [message.token_id for message in app.said[-2:] if hasattr(message, "token_id")]
        assert last == [498, 498]
        assert isinstance(app.said[-1], TokenTable.RowOpened)


async def test_the_mouse_selects_opens_sorts_and_scrolls(columns: TokenColumns) -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.show(columns, sort="id")
        await pilot.pause()
        await pilot.click(TokenTable, offset=(20, 5))
        assert app.table.token_id == 4
        await pilot.click(TokenTable, offset=(20, 7), times=2)
        assert isinstance(app.said[-1], TokenTable.RowOpened)
        await pilot.click(TokenTable, offset=(10, 0))
        clicked = app.said[-1]
        assert isinstance(clicked, TokenTable.HeaderClicked)
        assert clicked.name == "token"
        app.table.scroll_down(animate=False)
        await pilot.pause()
        assert app.table.scroll_offset.y > 0
        await pilot.click(TokenTable, offset=(20, 1))
        assert app.table.token_id == app.table.scroll_offset.y


async def test_a_resize_keeps_the_cursor_in_sight(columns: TokenColumns) -> None:
    app = TableApp()
    async with app.run_test(size=(120, 40)) as pilot:
        app.show(columns, sort="id")
        app.table.go_to(38)
        await pilot.resize_terminal(60, 10)
        await pilot.pause()
        assert app.table.scroll_offset.y <= 38 < app.table.scroll_offset.y + 9
        assert_harmless(app)


# ── layout and numbers ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", range(20, 220, 7))
def test_columns_never_overlap_and_the_lead_comes_first(columns: TokenColumns, width: int) -> None:
    rows = LoadedRows(columns, np.arange(500))
    layout = lay_out(rows, "output_norm", {"repeats": AddedColumn(np.zeros(500, np.float32), str)}, width)
    assert [column.name for column in layout.moving][:4] == ["category", "output_norm", "", "repeats"]
    shown = [column.name for column in layout.moving if column.kind == "indicator"]
    assert sorted(shown) == sorted(columns.indicators)
    ends = [(*layout.fixed, *layout.moving)[-1], *layout.starts()]
    assert len(ends) == len(layout.moving) + 1
    under = [layout.column_at(x, 0) for x in range(layout.width)]
    assert [column for number, column in enumerate(under) if number == 0 or column != under[number - 1]] == [
        *layout.fixed,
        *layout.moving,
    ]
    assert layout.column_at(layout.width, 0) is None


@pytest.mark.parametrize("text", ["", "a", "龍" * 9, "a龍" * 9, "x" * 300, "e\u0301" * 30])
@pytest.mark.parametrize("right", [False, True])
def test_a_fitted_cell_has_exactly_its_width(text: str, right: bool) -> None:
    for width in range(2, 12):
        assert cell_len(fit(text, Column("token", "", "", width, right))) == width + 1


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_decimal_points_of_a_column_stand_in_one_line(scale: float) -> None:
    values = np.random.default_rng(0).normal(0, scale, 200).astype(np.float32)
    form = NumberFormat.of(values)
    shown = [form.show(float(value)) for value in values]
    assert {len(text) for text in shown} == {form.width}
    assert len({text.find(".") for text in shown}) == 1
    assert len(set(shown)) > 100, "three digits of the spread tell most tokens apart"


def test_what_the_decimals_leave_nothing_of_is_not_called_nought() -> None:
    form = NumberFormat.of(np.array([0.0, 4.8e-8, 3e-4, -3e-4, *np.linspace(0.1, 0.7, 60)], dtype=np.float32))
    assert [form.show(value).strip() for value in (0.0, 4.8e-8, 3e-4, 6e-4)] == ["0.000", "<.001", "<.001", "0.001"]
    assert form.show(-3e-4).strip() == ">-.001"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_keep_the_width(value: float) -> None:
    form = NumberFormat.of(np.array([0.5, -12.25, math.nan, math.inf], dtype=np.float32))
    assert cell_len(form.show(value)) == form.width
    assert not any(letter.isalpha() for letter in form.show(value))


def test_a_column_of_equal_or_missing_values_has_a_format() -> None:
    assert NumberFormat.of(np.full(9, 2.0)).show(2.0).strip() == "2.000"
    assert NumberFormat.of(np.full(9, np.nan)).show(math.nan).strip() == "–"


def test_both_tails_have_colours_of_their_own() -> None:
    steps = [ramp_step(float(percentile)) for percentile in np.linspace(0, 100, 2001)]
    assert steps == sorted(steps, key=lambda step: step or 0)
    assert set(steps) == set(range(len(RAMP_EDGES) + 1))
    assert ramp_step(math.nan) is None


def test_flags_have_different_letters() -> None:
    letters = flag_letters(("withheld", "weird", "wwww", "published"))
    assert letters["withheld"] == "w"
    assert len(set(letters.values())) == 4
