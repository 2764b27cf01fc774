"""Text in every script: harmless, as it is written, and in its columns on terminals that disagree how wide it is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich import cells
from rich.cells import cell_len, get_character_cell_size

from explorer.base.text import show_native, visible
from explorer.engine.models.checkpoints.gguf_header import read_gguf_header
from explorer.settings import Settings
from explorer.tui.panes.detail.lines import detail_lines
from explorer.tui.panes.tokens.pane import TokenPane
from explorer.tui.panes.tokens.table_layout import Column, fit
from explorer.tui.shell.anchoring import FSI, PDI, anchor, isolate_scripts
from explorer.tui.widgets.cutting import padded
from explorer.tui.widgets.guard import CONTROLS, ControlGuard
from explorer.tui.widgets.line_input import LineInput
from explorer.tui.widgets.widths import reckon_marks
from tests.app_driver import settled
from tests.replay_driver import at, replaying
from tests.sessions.example_sessions import exchanges, write_session
from tests.tui.token_samples import ThemedApp, assert_harmless, read, row, screen_lines, vocabulary

SCRIPTS = ["காபி", "கொடு", "क्षि", " हिन्दी", "مرحبا", " שלום", "١٢٣", "নদী", "ไทย", "龍", "plain"]


@pytest.fixture(autouse=True)
def escaped() -> Iterator[None]:
    """What a test had shown as written is not so for the next one."""
    yield
    show_native(False)


COLUMN = Column("token", "token", "token", 18)
ISOLATED = re.compile(f"{FSI}([^{FSI}{PDI}]*){PDI}")
_CODES = re.compile("\x1b(7|8|\\[(\\d+)C)")


def is_mark(character: str) -> bool:
    return unicodedata.category(character) == "Mc"


def moves(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("R", "AL", "AN")


def has_cell(character: str) -> bool:
    return is_mark(character) or character in FSI + PDI


WIDTHS: dict[str, Callable[[str], int]] = {
    "kitty": lambda character: 0 if is_mark(character) else get_character_cell_size(character),
    "tmux": lambda character: 1 if is_mark(character) else get_character_cell_size(character),
    "xterm": lambda character: 1 if has_cell(character) else get_character_cell_size(character),
}
"""Cells of a character. tmux 3.3a was asked (by cursor position reports): a spacing mark has one cell there."""


def column_after(data: str, width_of: Callable[[str], int]) -> tuple[int, str]:
    """Where the cursor of a terminal stands after `data`, and what its line shows in the cells of one width."""
    column, saved, cells = 0, 0, dict[int, str]()
    at = 0
    while at < len(data):
        code = _CODES.match(data, at)
        if code is None:
            for cell in range(column, column + width_of(data[at])):
                cells[cell] = data[at]
            column += width_of(data[at])
            at += 1
            continue
        at = code.end()
        if code[1] == "7":
            saved = column
        elif code[1] == "8":
            column = saved
        else:
            column += int(code[2])
    return column, "".join(cells.get(cell, "?") for cell in range(column))


def shown_in_table(text: str) -> str:
    return fit(visible(text, native=True), COLUMN)


@given(st.text(max_size=30))
def test_text_as_it_is_written_drives_no_terminal_and_reorders_nothing_else(text: str) -> None:
    plain = visible(text, native=True)
    shown = isolate_scripts(plain)
    assert not CONTROLS.search(plain)
    assert not any(unicodedata.category(character)[0] == "C" for character in plain)
    assert not (plain and unicodedata.category(plain[0]) in ("Mn", "Mc"))
    assert shown.replace(FSI, "").replace(PDI, "") == plain
    outside, inside = ISOLATED.split(shown)[::2], ISOLATED.split(shown)[1::2]
    assert not any(moves(character) for part in outside for character in part)
    assert all(any(map(moves, part)) and " " not in part for part in inside)


@pytest.mark.parametrize("hostile", ["\u202eevil", "\u2066a", "\u2068a\u2069", "\u200f", "\u061c", "\x1b[31mا"])
def test_overrides_and_isolates_of_a_token_stay_escaped(hostile: str) -> None:
    shown = visible(hostile, native=True)
    assert not CONTROLS.search(shown)
    assert "\\u{" in shown


def test_every_script_is_written_as_it_is_and_alone_a_mark_has_a_base() -> None:
    for text in SCRIPTS:
        assert visible(text, native=True) == text.replace(" ", "·")
    assert visible("ா", native=True) == "◌ா"
    assert "\\u{" in visible("காபி")


@pytest.mark.parametrize("terminal", WIDTHS)
@given(text=st.text(st.sampled_from("கா\u0bbe\u0bcdि\u0903مشב א\u05b7a1é龍\u202e"), max_size=24))
def test_what_follows_stands_in_its_column_on_every_terminal(terminal: str, text: str) -> None:
    data = anchor(f"{shown_in_table(text)}|next")
    column, line = column_after(data, WIDTHS[terminal])
    assert column == COLUMN.width + 1 + len("|next")
    assert line.endswith("|next")
    assert "?" not in line, "no cell keeps what stood there before"


@given(st.text(max_size=30) | st.text(st.sampled_from("கா\u0903مשב 1·龍"), max_size=20), st.integers(0, 12))
def test_a_cut_leaves_no_isolate_open_and_what_is_safe_stays(text: str, cells: int) -> None:
    shown = visible(text, native=True)
    cut_short = padded(shown, cells)
    assert cell_len(cut_short) == cells
    assert not ISOLATED.sub("", isolate_scripts(cut_short)).count(FSI)
    assert not ISOLATED.sub("", isolate_scripts(cut_short)).count(PDI)
    assert visible(shown, native=True) == shown


@pytest.mark.parametrize("text", ["காபி", "कि", "நான்கு"])
def test_no_letter_is_written_over_where_a_mark_takes_a_cell(text: str) -> None:
    _, line = column_after(anchor(f"'{text}'."), WIDTHS["tmux"])
    assert [character for character in line if is_mark(character)] == [each for each in text if is_mark(each)]
    assert line.endswith("'.")


@pytest.mark.parametrize("load", [None, lambda version: ()])
def test_a_version_of_rich_that_measures_in_another_way_is_left_alone_and_told_of(
    load: Callable[[str], object] | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert reckon_marks(), "the version at hand can be told"
    assert not caplog.text
    monkeypatch.setattr(cells, "load_cell_table", load)
    assert not reckon_marks()
    assert vars(cells)["load_cell_table"] is load
    assert "no cell is kept for combining vowels" in caplog.text


def test_the_guard_lets_no_isolate_through_and_the_driver_adds_its_own() -> None:
    guard = ControlGuard()

    def guarded(text: str) -> str:
        from rich.segment import Segment
        from textual.color import Color

        return guard.apply([Segment(text)], Color(0, 0, 0))[0].text

    assert guarded(f"{FSI}مرحبا{PDI}x") == "مرحباx"
    assert guarded(f"{FSI}\u202eab{PDI}{PDI}\u2066c{FSI}d") == "abcd"
    assert isolate_scripts("مرحبا 1 ·שלום·א, காபி x") == f"{FSI}مرحبا{PDI} 1 {FSI}·שלום·א{PDI}, காபி x"
    assert anchor("plain \x1b[31mtext ─ ⠿") == "plain \x1b[31mtext ─ ⠿"
    assert anchor("\x1b[31mשלום\x1b[0m") == f"\x1b[31m\x1b7    \x1b8{FSI}שלום{PDI}\x1b8\x1b[4C\x1b[0m"


def test_the_details_show_a_token_as_it_is_written_on_a_line_of_its_own() -> None:
    for text in ("காபி", "مرحبا"):
        lines = [line.plain for line in detail_lines(row(text.encode()), None, marked=False, width=57, height=40)]
        assert [line for line in lines if line.startswith("glyphs")] == [f"glyphs        {text}"]
    override = [
        line.plain
        for line in detail_lines(row("\u202eمر".encode()), None, marked=False, width=57, height=40)
        if line.plain.startswith("glyphs")
    ]
    assert override == ["glyphs        \\u{202e}مر"]


@pytest.mark.parametrize("native", [False, True])
async def test_the_table_shows_scripts_where_the_settings_want_it(native: bool) -> None:
    show_native(native)
    pane = TokenPane(id="tokens-pane")
    app = ThemedApp(pane)
    async with app.run_test(size=(80, 24)) as pilot:
        pane.show(read(vocabulary([text.encode() for text in SCRIPTS])))
        await settled(pilot)
        assert_harmless(app)
        text = "\n".join(screen_lines(app))
        assert ("காபி" in text) == native
        assert ("مرحبا" in text) == native
        assert ("\\u{bbe}" in text) == (not native)


@pytest.mark.parametrize("native", [False, True])
async def test_every_script_can_be_typed_into_the_filter_and_what_is_hostile_in_it_is_drawn_as_a_sign(
    native: bool,
) -> None:
    show_native(native)
    pane = TokenPane(id="tokens-pane")
    app = ThemedApp(pane)
    async with app.run_test(size=(80, 24)) as pilot:
        pane.show(read(vocabulary([text.encode() for text in SCRIPTS])))
        await settled(pilot)
        box = pane.query_one("#filter", LineInput)
        for typed, position in (("ாப", 0), ("مر", 4), ("ह", 3)):
            box.value = ""
            pane.commands.open_filter()
            for letter in typed:  # a pilot gives a combining letter no character
                box.insert_text_at_cursor(letter)
            await pilot.press("enter")
            await settled(pilot)
            assert box.value == typed
            assert pane.table.token_id == position
            assert_harmless(app)
        box.value = "\x1b[31m\u202eevil"
        await settled(pilot)
        assert_harmless(app)
        assert any("\ufffd[31m\ufffdevil" in line for line in screen_lines(app))


def test_gemmas_tokens_are_readable_and_stay_in_their_columns(gemma_gguf: Path) -> None:
    """Of its 262,144 tokens 32,874 (one in eight) hold combining vowels or right-to-left letters."""
    tokens = read_gguf_header(gemma_gguf).metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, list)
    texts = [token.replace("▁", " ") for token in tokens if not token.isascii()]
    native = [(text, shown) for text in texts if (shown := visible(text, native=True)) != visible(text)]
    assert len(native) == 32_874
    for _, shown in native:
        assert not CONTROLS.search(shown)
        assert cell_len(fit(shown, COLUMN)) == COLUMN.width + 1
    for text, _ in native[::8]:
        data = anchor(shown_in_table(text))
        assert {column_after(data, width_of)[0] for width_of in WIDTHS.values()} == {COLUMN.width + 1}


async def test_every_pane_shows_scripts_where_the_settings_want_it(tmp_path: Path) -> None:
    texts = "காபி", "مرحبا"
    path = write_session(tmp_path / "s.jsonl", [pair for text in texts for pair in exchanges(text)])
    seen: dict[str, set[str]] = {}
    async with replaying(path, (80, 24), Settings(native_text=True)) as (app, pilot):
        for position in range(len(app.session)):
            await at(app, pilot, position)
            assert_harmless(app)
            lines = screen_lines(app)
            assert not any("\\u{" in line for line in lines), "nothing of a script is escaped"
            shown = {
                text for text in texts for line in lines if isolate_scripts(text).rstrip(PDI) in isolate_scripts(line)
            }
            seen.setdefault(app.workspace.focus.right, set()).update(shown)
    silent = {tab for tab, shown in seen.items() if shown != set(texts)}
    assert silent <= {"lineage"}, f"no tab hides a token's script: {silent}"
