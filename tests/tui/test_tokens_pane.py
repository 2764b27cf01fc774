"""Laws of the token pane: what is typed is what is shown, late answers are not, settled views are told once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pytest
from textual.message import Message
from textual.widgets import Input

from explorer.base.records.notes import MarkToken
from explorer.base.records.record import Failure, Progress
from explorer.base.records.unions import Cancelled
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.tables.ranking import select
from explorer.tables.table import AddedColumn, TokenColumns
from explorer.tui.panes.tokens import keeper
from explorer.tui.panes.tokens.pane import TokenPane
from explorer.tui.panes.tokens.table import TokenTable
from explorer.tui.panes.tokens.views import View, ViewMaker
from explorer.tui.shell.messages import Ask, Remark, Selection, TokenSelected, ViewSettled
from explorer.tui.widgets.line_input import LineInput
from tests.app_driver import settled
from tests.tui.token_samples import (
    HOSTILE,
    MODEL,
    SIZES,
    ThemedApp,
    assert_harmless,
    ordinary,
    read,
    screen_lines,
    step,
)
from tests.tui.token_samples import vocabulary as make_vocabulary


class TokensApp(ThemedApp):
    """A token pane over the whole screen; keeps what it says."""

    def __init__(self) -> None:
        super().__init__(TokenPane())
        self.said: list[Message] = []

    @property
    def pane(self) -> TokenPane:
        return self.query_one(TokenPane)

    @property
    def title_line(self) -> str:
        return screen_lines(self)[0].rstrip()

    def heard(self, kind: type[Message]) -> list[Message]:
        """What the pane said, of one kind."""
        return [message for message in self.said if isinstance(message, kind)]

    def on_ask(self, message: Ask) -> None:
        self.said.append(message)

    def on_view_settled(self, message: ViewSettled) -> None:
        self.said.append(message)

    def on_token_selected(self, message: TokenSelected) -> None:
        self.said.append(message)

    def on_remark(self, message: Remark) -> None:
        self.said.append(message)


@pytest.fixture(scope="module")
def vocabulary() -> VocabularyColumns:
    return make_vocabulary(ordinary(300))


@pytest.fixture(scope="module")
def columns(vocabulary: VocabularyColumns) -> TokenColumns:
    return TokenColumns(vocabulary)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "SETTLE_PAUSE", 0.02)


@pytest.fixture
def app() -> TokensApp:
    return TokensApp()


# ── a vocabulary arrives ──────────────────────────────────────────────────────────────────────────────────


async def test_an_empty_pane_says_which_key_fills_it(app: TokensApp) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert any("Press m" in line for line in screen_lines(app))
        app.pane.commands.sort_next()
        app.pane.commands.reverse()
        app.pane.commands.open_jump()
        app.pane.commands.open_filter()
        app.pane.commands.jump_to(3)
        app.pane.toggle_mark()
        await settled(pilot)
        assert app.said == app.heard(Remark), "nothing is asked"
        assert len(app.said) == 4
        assert all("m loads a model" in remark.text for remark in app.said if isinstance(remark, Remark))


@pytest.mark.parametrize("size", SIZES)
async def test_a_hostile_vocabulary_is_harmless(app: TokensApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        app.pane.show(read(make_vocabulary(HOSTILE, model="[/foo]\x1b[31m")))
        await settled(pilot)
        assert_harmless(app)
        app.pane.commands.open_filter()
        app.pane.query_one("#filter", Input).value = "[/x]\x1b]52;c;aGk=\x07\u202e /[bold/"
        await settled(pilot)
        assert_harmless(app)


async def test_the_table_opens_at_the_default_indicator_and_says_why(
    app: TokensApp, vocabulary: VocabularyColumns, columns: TokenColumns
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        assert app.title_line == "Tokens 300 · mynah · sorted by unused-cos ▲"
        assert vocabulary.default_rule in screen_lines(app)[1]
        assert app.pane.table.token_id == select(columns, RankTokens(model="mynah"))[0]


async def test_keys_go_to_the_table_as_soon_as_it_is_there(app: TokensApp, vocabulary: VocabularyColumns) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.focus_content()
        await pilot.pause()
        app.pane.show(read(vocabulary))
        await settled(pilot)
        await pilot.press("down")
        assert app.pane.table.cursor == 1


async def test_added_columns_stay_with_their_model(app: TokensApp, vocabulary: VocabularyColumns) -> None:
    async with app.run_test(size=(120, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        column = AddedColumn(np.zeros(300, np.float32), lambda token_id: "0/8")
        app.pane.views.set_columns("mynah", {"repeats": column})
        await settled(pilot)
        assert "repeats" in "\n".join(screen_lines(app))
        app.pane.show(read(vocabulary))
        await settled(pilot)
        assert "repeats" in "\n".join(screen_lines(app))
        app.pane.show(read(make_vocabulary(ordinary(300), model="lyrebird")))
        await settled(pilot)
        assert "repeats" not in "\n".join(screen_lines(app))
        app.pane.show(read(vocabulary))
        await settled(pilot)
        assert "repeats" in "\n".join(screen_lines(app)), "it comes back with its model"


async def test_an_added_column_sorts_follows_its_values_and_is_not_recorded(
    app: TokensApp, vocabulary: VocabularyColumns
) -> None:
    keys = np.full(300, np.nan, np.float32)
    keys[[7, 250, 30]] = 1.0, 2.0, 3.0

    def column(values: npt.NDArray[np.float32]) -> dict[str, AddedColumn]:
        return {"verdict": AddedColumn(values, lambda i: "" if np.isnan(values[i]) else f"<{values[i]:.0f}>")}

    async with app.run_test(size=(120, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        app.pane.views.set_columns("mynah", column(keys))
        app.pane.post_message(TokenTable.HeaderClicked("verdict"))
        await settled(pilot)
        assert [app.pane.table.rows.token_at(place) for place in range(3)] == [7, 250, 30]  # type: ignore[union-attr]
        app.pane.table.go_to(250)
        newer = keys.copy()
        newer[100], newer[7] = 0.5, 9.0
        app.pane.views.set_columns("mynah", column(newer))
        await settled(pilot)
        assert [app.pane.table.rows.token_at(place) for place in range(4)] == [100, 250, 30, 7]  # type: ignore[union-attr]
        assert app.pane.table.token_id == 250, "the cursor stays on its token"
        told = [
            message.request
            for message in app.said
            if isinstance(message, ViewSettled) and isinstance(message.request, RankTokens)
        ]
        assert not [request for request in told if request.sort == "verdict"]


async def test_reading_shows_how_far_it_is_and_failures_say_what_to_do(
    app: TokensApp, vocabulary: VocabularyColumns
) -> None:
    request = ReadVocabulary(model="mynah")
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show_asked(request)
        app.pane.show_part(request, Progress(done=2, total=7, what="shards"))
        await pilot.pause()
        assert "reading the vocabulary of mynah… 2/7 shards" in app.title_line
        app.pane.show(step(request, Failure(message="[/bold] no such file", hint="press m\x1b[31m")))
        await settled(pilot)
        text = "\n".join(screen_lines(app))
        assert "✗ [/bold] no such file" in text
        assert "press m\\u{1b}[31m" in text
        app.pane.show(read(vocabulary))
        await settled(pilot)
        assert "no such file" not in "\n".join(screen_lines(app))
        app.pane.show(step(request, Cancelled()))
        await settled(pilot)
        assert any("Cancelled" in line for line in screen_lines(app))


async def test_the_vocabulary_of_a_model_that_was_left_is_not_shown(
    app: TokensApp, vocabulary: VocabularyColumns
) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.selection = Selection(model=MODEL)
        app.pane.show(read(make_vocabulary(ordinary(20), model="starling")))
        app.pane.show(read(vocabulary))
        app.pane.show(read(make_vocabulary(ordinary(20), model="starling")))
        await settled(pilot)
        assert "mynah" in app.title_line
        app.pane.selection = Selection()
        await settled(pilot)
        assert app.title_line == "Tokens"


async def test_the_cursor_and_the_filter_stay_when_the_next_model_has_the_same_tokens(
    app: TokensApp, vocabulary: VocabularyColumns
) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        app.pane.commands.jump_to(123)
        app.pane.show(read(make_vocabulary(ordinary(300), model="lyrebird", seed=9)))
        await settled(pilot)
        assert app.pane.table.token_id == 123
        app.pane.show(read(make_vocabulary(HOSTILE, model="starling", seed=9, indicators=2)))
        await settled(pilot)
        assert app.pane.table.cursor == 0
        assert "sorted by ‖W_E‖" in app.title_line


# ── filter, sort, jump ────────────────────────────────────────────────────────────────────────────────────


async def test_typing_filters_and_escape_brings_everything_back(app: TokensApp, vocabulary: VocabularyColumns) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        first = app.pane.table.token_id
        app.pane.commands.open_filter()
        await pilot.press(*"n29")
        await settled(pilot)
        assert app.title_line.endswith("11 match")
        await pilot.press("enter")
        await settled(pilot)
        assert app.focused is app.pane.table
        app.pane.commands.open_filter()
        await pilot.press("escape")
        await settled(pilot)
        assert "match" not in app.title_line
        assert app.focused is app.pane.table
        assert app.pane.table.token_id == first


async def test_earlier_filters_come_back(app: TokensApp, vocabulary: VocabularyColumns) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        box = app.pane.query_one("#filter", Input)
        for typed in ("n1", "n29", "/(/", "n1", "n3"):
            app.pane.commands.open_filter()
            box.value = typed
            await pilot.press("enter", "escape")  # which the box hears where the filter cannot be read
            await settled(pilot)
        app.pane.commands.open_filter()
        await pilot.press("x")
        seen = []
        for key in ("up", "up", "up", "up", "down", "down", "down"):
            await pilot.press(key)
            seen.append(box.value)
        assert seen == ["n3", "n1", "n29", "n29", "n1", "n3", "x"]
        await pilot.press("up", "up")
        await settled(pilot)
        assert app.pane.commands.filter == "n1"
        assert "match" in app.title_line
        await pilot.press("enter")
        app.pane.commands.open_filter()
        await pilot.press("up")
        assert box.value == "n3", "not the filter that stands there already"
        await pilot.press("down", "down", "down")
        await settled(pilot)
        assert app.focused is app.pane.table


async def test_a_filter_that_the_map_made_is_among_the_earlier_ones(
    app: TokensApp, vocabulary: VocabularyColumns
) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        for text in ("n1", "id:3-9"):
            app.pane.commands.show_part(text)
            await settled(pilot)
        assert app.pane.commands.clear_filter()
        await settled(pilot)
        app.pane.commands.open_filter()
        box, seen = app.pane.query_one("#filter", Input), []
        for _ in range(2):
            await pilot.press("up")
            seen.append(box.value)
        await settled(pilot)
        assert seen == ["id:3-9", "n1"]
        assert app.pane.commands.filter == "n1"


async def test_a_filter_that_cannot_be_read_keeps_the_rows_and_the_box(
    app: TokensApp, vocabulary: VocabularyColumns
) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        app.pane.commands.open_filter()
        await pilot.press(*"/(/", "enter")
        await settled(pilot)
        lines = screen_lines(app)
        assert any("✗" in line and "not a regular expression" in line for line in lines)
        assert any("token" in line for line in lines[6:])
        assert app.focused is app.pane.query_one("#filter")
        await pilot.press("escape")
        await settled(pilot)
        assert not any("✗" in line for line in screen_lines(app))


async def test_an_overtaken_view_is_never_shown(
    app: TokensApp, vocabulary: VocabularyColumns, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, gate, make = threading.Event(), threading.Event(), ViewMaker.make

    def gated(self: ViewMaker, request: RankTokens, marked: Collection[int] = ()) -> View:
        if request.filter == "n1":
            begun.set()
            assert gate.wait(timeout=20)
        return make(self, request, marked)

    monkeypatch.setattr(ViewMaker, "make", gated)
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        box = app.pane.query_one("#filter", Input)
        app.pane.commands.open_filter()
        box.value = "n1"
        assert await asyncio.to_thread(begun.wait, 20)
        box.value = "n29"
        await settled(pilot)
        gate.set()
        await settled(pilot)
        assert app.title_line.endswith("11 match")


async def test_sorting_goes_round_through_every_column(app: TokensApp, vocabulary: VocabularyColumns) -> None:
    async with app.run_test(size=(120, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        start = app.title_line
        seen: list[str] = []
        while not seen or seen[-1] != start:
            app.pane.commands.sort_next()
            await settled(pilot)
            seen.append(app.title_line)
        assert len(set(seen)) == len(seen) == len(vocabulary.indicators) + 4
        app.pane.commands.sort_next(-1)
        await settled(pilot)
        assert app.title_line == seen[-2]


async def test_a_heading_sorts_and_a_second_click_turns_round(app: TokensApp, vocabulary: VocabularyColumns) -> None:
    async with app.run_test(size=(120, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        for expected in ("sorted by id ▲", "sorted by id ▼", "sorted by id ▲"):
            await pilot.click(app.pane.table, offset=(7, 0))
            await settled(pilot)
            assert app.title_line.endswith(expected)


async def test_jumping_goes_there_or_says_why_not(app: TokensApp, vocabulary: VocabularyColumns) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        app.pane.commands.open_jump()
        await pilot.press(*"299", "enter")
        await settled(pilot)
        assert app.pane.table.token_id == 299
        app.pane.commands.jump_to(300)
        app.pane.commands.open_filter()
        await pilot.press(*"n12", "enter")
        await settled(pilot)
        app.pane.commands.jump_to(5)
        await pilot.pause()
        remarks = [message.text for message in app.said if isinstance(message, Remark)]
        assert remarks[0] == "There is no token 300: ids of mynah go from 0 to 299."
        assert remarks[1].startswith("Token 5 does not pass the filter")


async def test_a_text_goes_there_too_and_what_cannot_be_meant_keeps_the_box(
    app: TokensApp, vocabulary: VocabularyColumns
) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        box = app.pane.query_one("#jump", LineInput)
        for written, token_id in (("·token77", 77), ("token78", 78), (" token79", 79), ('"token80"', 80)):
            app.pane.commands.open_jump()
            await pilot.press(*written, "enter")
            await settled(pilot)
            assert (app.pane.table.token_id, box.display) == (token_id, False)
        for written, said in (
            ("toke", "150 tokens are or begin with toke: token0 0"),
            ("hello", "no token is hello"),
            ("9" * 5000, "no token is 9"),
        ):
            app.pane.commands.open_jump()
            box.value = written
            await pilot.press("enter")
            await settled(pilot)
            lines = screen_lines(app)
            assert any(said in line for line in lines), "\n".join(lines)
            assert any(f" {written[:40]}" in line for line in lines), "what was typed stays in sight"
            assert box.has_focus
            assert app.pane.table.token_id == 80
            await pilot.press("escape")
        assert not any("no token is" in line for line in screen_lines(app))
        app.pane.commands.open_jump()
        await pilot.press(*"300", "enter")
        await settled(pilot)
        assert any("There is no token 300: ids of mynah go from 0 to 299." in line for line in screen_lines(app))
        await pilot.press("backspace", "backspace", "enter")
        await settled(pilot)
        assert app.pane.table.token_id == 3


# ── what it says ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_view_that_settled_is_told_once_with_the_rows_round_the_cursor(
    app: TokensApp, vocabulary: VocabularyColumns, columns: TokenColumns
) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        app.pane.commands.jump_to(77)
        app.pane.commands.sort_next()
        app.pane.commands.reverse()
        await settled(pilot)
        app.pane.commands.reverse()
        app.pane.commands.reverse()
        await settled(pilot)
        (message,) = app.heard(ViewSettled)
        assert isinstance(message, ViewSettled)
        request, outcome = message.request, message.outcome
        assert isinstance(request, RankTokens)
        assert isinstance(outcome, RankedTokens)
        assert (request.sort, request.descending) == ("unused_cosine_distance_centred", True)
        order = select(columns, request)
        assert [row.token_id for row in outcome.rows] == list(order[request.first : request.first + request.top])
        assert request.cursor is not None
        assert order[request.cursor] == 77
        assert 77 in [row.token_id for row in outcome.rows]


async def test_the_cursor_is_told_when_it_rests_and_when_enter_is_pressed(
    app: TokensApp, vocabulary: VocabularyColumns, columns: TokenColumns
) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        app.said.clear()
        app.pane.focus_content()
        await pilot.press("down", "down", "down")
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        token_id = int(select(columns, RankTokens(model="mynah"))[3])
        told = [(message.row, message.opened) for message in app.said if isinstance(message, TokenSelected)]
        assert told[-2:] == [(columns.row(token_id), False), (columns.row(token_id), True)]


async def test_marking_asks_for_the_opposite_and_shows_a_tick(app: TokensApp, vocabulary: VocabularyColumns) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        app.pane.commands.jump_to(5)
        app.pane.toggle_mark()
        app.pane.selection = Selection(model=MODEL, marked=frozenset({5}))
        app.pane.toggle_mark()
        await settled(pilot)
        asked = [message.request for message in app.said if isinstance(message, Ask)]
        text = " token5"
        assert asked == [MarkToken(model="mynah", token_id=5, text=text, marked=marked) for marked in (True, False)]
        assert any(line.startswith("▸✓") for line in screen_lines(app))


async def test_a_filter_for_marks_follows_them(app: TokensApp, vocabulary: VocabularyColumns) -> None:
    async with app.run_test(size=(80, 20)) as pilot:
        app.pane.show(read(vocabulary))
        app.pane.selection = Selection(model=MODEL, marked=frozenset({5, 6}))
        await settled(pilot)
        app.pane.commands.open_filter()
        await pilot.press(*"marked", "enter")
        await settled(pilot)
        assert app.title_line.endswith("2 match")
        app.pane.selection = Selection(model=MODEL, marked=frozenset({5, 6, 7}))
        await settled(pilot)
        assert app.title_line.endswith("3 match")


# ── replay ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_replayed_view_shows_what_the_live_one_showed(
    vocabulary: VocabularyColumns, columns: TokenColumns
) -> None:
    live, replayed = TokensApp(), TokensApp()
    async with live.run_test(size=(80, 30)) as pilot:
        live.pane.show(read(vocabulary))
        await settled(pilot)
        live.pane.commands.sort_next()
        await settled(pilot)
        (told,) = live.heard(ViewSettled)
        assert isinstance(told, ViewSettled)
        live_rows, live_title = screen_lines(live)[2:], live.title_line
    async with replayed.run_test(size=(80, 30)) as pilot:
        replayed.pane.show(step(told.request, told.outcome))
        await settled(pilot)
        assert replayed.title_line == live_title
        assert [row[8:50] for row in screen_lines(replayed)[2:]] == [row[8:50] for row in live_rows]
        replayed.pane.commands.sort_next()
        replayed.pane.commands.open_filter()
        await settled(pilot)
        assert len(replayed.heard(Remark)) == 2
        assert len(replayed.heard(ViewSettled)) == 0


async def test_a_replayed_view_is_applied_where_its_vocabulary_is_loaded(
    app: TokensApp, vocabulary: VocabularyColumns, columns: TokenColumns
) -> None:
    request = RankTokens(model="mynah", sort="output_norm", descending=True, filter="n1", first=3, cursor=5, top=9)
    outcome = RankedTokens(
        model="mynah",
        sort="output_norm",
        default_rule="",
        rows=tuple(columns.row(int(token_id)) for token_id in select(columns, request)[3:12]),
        matching=111,
        total=300,
        digest="",
    )
    async with app.run_test(size=(80, 30)) as pilot:
        app.pane.show(read(vocabulary))
        await settled(pilot)
        app.pane.show(step(request, outcome))
        await settled(pilot)
        assert app.title_line == "Tokens 300 · mynah · sorted by ‖W_U‖ ▼ · 111 match"
        assert app.pane.table.cursor == 5
        assert app.pane.query_one("#filter", Input).value == "n1"
        assert not app.heard(ViewSettled)
