"""Laws of the detail view: everything known of a token, safe and aligned, and never of another token."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.content import Content
from textual.message import Message

from explorer.base.records.inspect import InspectToken, MergeStep, PublishedFact, TokenDetail
from explorer.base.records.record import Failure
from explorer.base.records.tokens import TokenRow
from explorer.base.records.unions import Cancelled
from explorer.tables.table import TokenColumns
from explorer.tui.panes.detail.lines import LOW, aligned, detail_lines, safe_glyphs, significant, track
from explorer.tui.panes.detail.pane import DetailPane
from explorer.tui.shell.messages import Ask, Selection
from explorer.tui.widgets.guard import CONTROLS
from tests.tui.token_samples import (
    HOSTILE,
    MODEL,
    SIZES,
    ThemedApp,
    assert_harmless,
    inspected,
    ordinary,
    ref,
    row,
    screen_lines,
    step,
    vocabulary,
)

TOKEN = row(b" VelvetTurbine", 742)
SELECTION = Selection(model=MODEL, token=TOKEN)
FACTS: dict[str, Any] = {
    "merge_parents": (ref(b" Velvet", 300), ref(b"Turbine", 1412)),
    "merge_path": (
        MergeStep(left=ref(b"Tur", 400), right=ref(b"bine", 401), whole=ref(b"Turbine", 1412)),
        MergeStep(left=ref(b" Velvet", 300), right=ref(b"Turbine", 1412), whole=ref(b" VelvetTurbine", 742)),
    ),
    "swallowed_by": (ref(b" VelvetTurbineOil", 901), ref(b" VelvetTurbinette", 902)),
    "contained_in": (ref(b" VelvetTurbines", 812),),
    "contained_in_count": 61,
    "reencodes_to": (ref(b" Velvet", 300), ref(b"Turbine", 1412)),
    "published": (PublishedFact(model="gpt2", list_name="a list", statement="cannot be said [/x]"),),
    "ground_truth": "withheld: whimsical",
    "is_unused_reference": True,
}


class DetailApp(ThemedApp):
    """A detail pane over the whole screen; keeps what it asks."""

    def __init__(self) -> None:
        super().__init__(DetailPane())
        self.said: list[Message] = []

    @property
    def pane(self) -> DetailPane:
        return self.query_one(DetailPane)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in screen_lines(self))

    def on_ask(self, message: Ask) -> None:
        self.said.append(message)


def lines_of(
    token: TokenRow = TOKEN, detail: TokenDetail | None = None, *, width: int = 80, height: int = 40
) -> list[str]:
    return [line.plain for line in detail_lines(token, detail, marked=False, width=width, height=height)]


# ── the pane ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_empty_pane_says_how_to_fill_it() -> None:
    app = DetailApp()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert "press i" in app.text


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_tokens_are_harmless(size: tuple[int, int]) -> None:
    app = DetailApp()
    async with app.run_test(size=size) as pilot:
        for token_id, token_bytes in enumerate(HOSTILE):
            token, other = row(token_bytes, token_id), ref(token_bytes, token_id)
            app.pane.selection = Selection(model=MODEL, token=token)
            fact = PublishedFact(model="[/x]", list_name="\x1b[31m", statement=token_bytes.decode("latin-1"))
            app.pane.show(
                inspected(
                    token,
                    merge_parents=(other, other),
                    merge_path=(MergeStep(left=other, right=other, whole=other),) * 3,
                    swallowed_by=(other,) * 50,
                    contained_in=(other,) * 50,
                    contained_in_count=50,
                    reencodes_to=(other,),
                    published=(fact,),
                    ground_truth="[/x]\x1b[31m",
                )
            )
            await pilot.pause()
            assert_harmless(app)


async def test_the_row_is_there_at_once_and_the_rest_fills_in_without_moving_it() -> None:
    app = DetailApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.pane.selection = SELECTION
        await pilot.pause()
        before = screen_lines(app)
        assert "·VelvetTurbine" in before[0]
        assert any("-4.30" in line for line in before)
        app.pane.show(inspected(TOKEN, **FACTS))
        await pilot.pause()
        after = screen_lines(app)
        assert "withheld: whimsical (zoo card) · reference token · published, 1 ×" in after[1]
        assert "·Velvet 300 + Turbine 1412" in after[2]
        assert after[3].strip() == "swallowed by  2: ·VelvetTurbineOil 901, ·VelvetTurbinette 902"
        assert after[4].strip() == "contained in  61: ·VelvetTurbines 812 …"
        assert after[6:11] == before[6:11]
        assert "Tur + bine → Turbine; ·Velvet + Turbine → ·VelvetTurbine" in app.text
        assert "gpt2: cannot be said [/x] (a list)" in app.text


async def test_a_late_answer_about_a_token_that_was_left_is_not_shown() -> None:
    app = DetailApp()
    left = row(b"left", 5)
    async with app.run_test(size=(100, 40)) as pilot:
        app.pane.selection = Selection(model=MODEL, token=left)
        app.pane.show_asked(InspectToken(model="mynah", token_id=5))
        app.pane.selection = SELECTION
        app.pane.show_asked(InspectToken(model="mynah", token_id=742))
        app.pane.show(inspected(left, ground_truth="stale"))
        await pilot.pause()
        assert "stale" not in app.text
        app.pane.show(inspected(TOKEN, ground_truth="fresh"))
        await pilot.pause()
        assert "fresh" in app.text


async def test_a_replayed_answer_is_shown_whatever_is_selected() -> None:
    app = DetailApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.pane.show(inspected(TOKEN, **FACTS))
        await pilot.pause()
        assert "·VelvetTurbine" in app.text
        app.pane.selection = Selection(model=MODEL, token=row(b"other", 5))
        app.pane.show(inspected(TOKEN, **FACTS))
        await pilot.pause()
        assert "withheld" in app.text


async def test_a_failure_says_what_to_do_and_the_row_stays() -> None:
    app = DetailApp()
    request = InspectToken(model="mynah", token_id=742)
    async with app.run_test(size=(100, 40)) as pilot:
        app.pane.selection = SELECTION
        app.pane.show(step(request, Failure(message="the engine stopped [/x]", hint="press ctrl+r\x1b")))
        await pilot.pause()
        assert "✗ the engine stopped [/x]. press ctrl+r\\u{1b}" in app.text
        assert "·VelvetTurbine" in app.text
        app.pane.show(step(request, Cancelled()))
        await pilot.pause()
        assert "press i" in app.text


async def test_the_default_ask_is_a_recorded_inspection_and_marks_show() -> None:
    app = DetailApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.pane.run_default()
        app.pane.selection = replace(SELECTION, marked=frozenset({742}))
        app.pane.run_default()
        await pilot.pause()
        (ask,) = app.said
        assert isinstance(ask, Ask)
        assert ask.record
        assert ask.request == InspectToken(model="mynah", token_id=742)
        assert "✓ marked" in app.text


async def test_another_model_empties_the_pane() -> None:
    app = DetailApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.pane.selection = SELECTION
        app.pane.selection = Selection(model=MODEL)
        await pilot.pause()
        assert "No token yet" in app.text


# ── the lines ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("height", [LOW - 4, LOW + 8])
def test_every_indicator_is_shown_and_aligned(width: int, height: int) -> None:
    token = TokenColumns(vocabulary(ordinary(50))).row(7)
    lines = detail_lines(token, None, marked=False, width=width, height=height)[6:]
    shown = "\n".join(line.plain for line in lines)
    for value in token.indicators.values():
        assert significant(value) in shown
    if height >= LOW:
        numbers = [line.plain for line in lines[1 : 1 + len(token.indicators)]]
        assert len({line.index(".") for line in numbers}) == 1
        assert len({line.rindex(".") for line in numbers}) == 1
        assert max(map(cell_len, numbers)) <= max(width, 42), "the track does not wrap: it goes where there is no room"
        assert all("●" in line for line in numbers) is (width >= 60)
    else:
        assert len(lines) < len(token.indicators) or width == 40
        assert max(line.cell_length for line in lines[:-1]) <= max(width, 40)


def test_a_token_without_numbers_says_so() -> None:
    padding = TokenRow(
        token_id=9, token_bytes="", text="", category="padding", indicators={}, percentiles={}, robust_z={}
    )
    text = "\n".join(lines_of(padding))
    assert "no numbers" in text
    assert "none" in text


def test_what_a_token_re_encodes_to_is_told_apart_from_itself() -> None:
    same = TokenDetail(model="mynah", row=TOKEN, reencodes_to=(ref(b" VelvetTurbine", 742),))
    nothing = TokenDetail(model="mynah", row=TOKEN)
    assert lines_of(detail=same)[5].split() == ["re-encodes", "to", "itself"]
    assert lines_of(detail=nothing)[5].split() == ["re-encodes", "to", "nothing"]


@given(st.text(max_size=30))
def test_glyphs_hold_nothing_that_drives_a_terminal(text: str) -> None:
    shown = safe_glyphs(text)
    assert not CONTROLS.search(shown)
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in shown)
    assert not (shown and unicodedata.combining(shown[0]))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=9))
def test_aligned_numbers_have_one_width_and_one_decimal_point(values: list[float]) -> None:
    shown = aligned([significant(value) for value in values])
    assert len({len(text) for text in shown}) == 1
    assert len({text.index(".") for text in shown if "." in text}) <= 1


@given(st.floats(0, 100))
def test_a_track_has_one_dot_in_eleven_cells(percentile: float) -> None:
    assert len(track(percentile)) == len(track(math.nan)) == 11
    assert track(percentile).count("●") == 1
    assert track(percentile).index("●") <= track(min(100.0, percentile + 1)).index("●")


def test_styles_are_theme_variables() -> None:
    """A hard-coded colour would not follow the theme."""
    detail = TokenDetail(model="mynah", row=TOKEN, **FACTS)
    lines = detail_lines(TOKEN, detail, marked=True, width=80, height=40)
    styles = {str(span.style) for span in Content("\n").join(lines).spans}
    assert all(style == "bold" or style.startswith("$") for style in styles if style)
