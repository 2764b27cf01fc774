"""The Compare pane: what it asks of the marks, and what it shows in any width."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from explorer.base.records.compare import CompareTokens, KnownReplies
from explorer.base.records.notes import MarkToken
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.tokens import LABELS
from explorer.base.templates import find_template
from explorer.engine.handlers import Engine
from explorer.sessions.file.reader import SessionFile
from explorer.settings import Settings
from explorer.specs.compare import headings
from explorer.specs.vocabulary import percent
from explorer.tui.panes.compare.pane import ComparePane, ids_to_compare
from explorer.tui.replay.app import ReplayApp
from explorer.tui.widgets.fitted_line import fitting
from explorer.tui.widgets.lines_view import LinesView
from tests.app_driver import asked, on_screen, running, screen_text, until
from tests.tui.pane_samples import SELECTION, TOKEN, Harness, probe, reply, step
from tests.tui.snapshot_samples import COMPARED, COMPARISON


def test_the_marks_are_compared_and_one_alone_with_the_token_under_the_cursor() -> None:
    assert ids_to_compare(SELECTION) == ()
    assert ids_to_compare(dataclasses.replace(SELECTION, marked=frozenset({9, 5, 7}))) == (5, 7, 9)
    assert ids_to_compare(dataclasses.replace(SELECTION, marked=frozenset({5}))) == (5, 742)
    assert ids_to_compare(dataclasses.replace(SELECTION, marked=frozenset({742}))) == (742,)


async def test_it_asks_with_what_repeat_back_found_and_says_why_it_cannot() -> None:
    pane = ComparePane()
    app = Harness(pane)
    async with app.run_test(size=(80, 24)) as pilot:
        pane.run_default()
        pane.selection = dataclasses.replace(SELECTION, marked=frozenset(range(9)))
        pane.run_default()
        await pilot.pause()
        assert app.asked == []
        assert ["Mark 2 to 8" in app.remarks[0], "9 tokens are marked" in app.remarks[1]] == [True, True]
        request = RepeatBack(model="mynah", token_id=742, template=find_template("repeat-1"))
        replies = probe(TOKEN, "'{token}'", [reply(0, "a"), reply(1, "b")])
        pane.overhear(step(request, RepeatBackResult(model="mynah", template="repeat-1", probe=replies)))
        pane.selection = dataclasses.replace(SELECTION, marked=frozenset({742, 5}))
        pane.run_default()
        await pilot.pause()
        known = KnownReplies(token_id=742, template="repeat-1", exact=replies.exact, samples=2)
        assert app.asked == [CompareTokens(model="mynah", token_ids=(5, 742), repeated=(known,))]


@pytest.mark.parametrize("width", [57, 80, 120, 200])
async def test_every_number_is_whole_in_every_width(width: int) -> None:
    pane = ComparePane()
    app = Harness(pane)
    async with app.run_test(size=(width, 120)) as pilot:
        pane.show(step(COMPARED, COMPARISON))
        await pilot.pause()
        lines = [line.strip() for line in app.screen_lines()]
        for row in COMPARISON.rows:
            for name, value in row.indicators.items():
                told = f"{value:.4g} p{percent(row.percentiles.get(name)):>5}"
                assert any(told in line for line in lines if line.startswith((name, LABELS[name]))), (name, told)
        pairs = [line for line in lines if re.match(r"\d+ – \d+ ", line)]
        assert len(pairs) == len(COMPARISON.pairs)
        for line, pair in zip(pairs, COMPARISON.pairs, strict=True):
            assert f"{pair.input_cosine:.4f}" in line
        assert len({tuple(at.start() for at in re.finditer(r"\.", line)) for line in pairs}) == 1, "points in columns"
        assert sum("mynah" in line for line in lines) == 1, "what was asked is said once"
        assert "p: percentile" in lines[0], "what a p means is told whole"
        assert "…" not in lines[0]
        assert all("\x1b" not in line and "\u202e" not in line for line in lines)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_marked_tokens_are_compared_by_a_key_recorded_and_replayed(tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(Engine(), tmp_path, size, ("zoo:mynah",)) as (app, pilot):
        await pilot.press("space", "down", "down", "space")
        await until(pilot, lambda: len(asked(app, MarkToken)) == 2)
        await pilot.press("c")
        await until(pilot, lambda: "nearest" in screen_text(app))
        (recorded,) = asked(app, CompareTokens)
        await app.recorder.finish(60)
        app.session.close()
        app.query_one("#compare-pane LinesView", LinesView).scroll_end(animate=False)
        await until(pilot, lambda: "1 – 2" in screen_text(app))
        live = screen_text(app)
    replay = ReplayApp(SessionFile(tmp_path / "session.jsonl"), Settings())
    async with on_screen(replay, size) as pilot:
        await until(pilot, lambda: replay.is_open and replay.reading.is_complete)
        replay.current.jump(recorded.number - 1)
        replay.workspace.show_tab("compare")
        await until(pilot, lambda: "mynah: 2 tokens" in screen_text(replay))
        replay.query_one("#compare-pane LinesView", LinesView).scroll_end(animate=False)
        await until(pilot, lambda: "1 – 2" in screen_text(replay))
        assert pair_of(live) == pair_of(screen_text(replay))


def pair_of(screen: str) -> list[str]:
    """What a screen shows of the first two tokens."""
    line = next(line for line in screen.splitlines() if "1 – 2" in line)
    return line.partition("1 – 2")[2].split()


def test_the_heading_gives_up_the_names_of_the_nearest_before_their_places_and_p_last() -> None:
    told = headings(COMPARISON)
    assert all(text.endswith("p: percentile") for text in told)
    assert [len(text) for text in told] == sorted((len(text) for text in told), reverse=True)
    assert re.fullmatch(r"mynah: \d tokens, nearest \d – \d, cos -?[\d.]+; p: percentile", fitting(told, 58))
    assert re.fullmatch(r"mynah: \d tokens; p: percentile", fitting(told, 40))
    assert fitting(told, 12) == "p: percentile"
