"""The Lineage pane: what is chosen in it, children shown as they come, and rows that tell all of themselves."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from explorer.base.records.lineage import PROMPTS, FindLineage, Lineage, LineagePart
from explorer.base.records.record import Progress
from explorer.base.records.unions import Cancelled
from explorer.base.templates import find_template
from explorer.tui.panes.base import Showing
from explorer.tui.panes.lineage.pane import LineagePane
from explorer.tui.panes.lineage.roles import RoleTicks
from explorer.tui.panes.takeaway import takeaway_of
from explorer.tui.shell.messages import Selection
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.option_line import Choice, Field
from explorer.tui.widgets.row_list import RowList
from tests.tui.pane_samples import MODELS, SELECTION, SIZES, Harness, step
from tests.tui.snapshot_samples import LINEAGE_FOUND, LINEAGE_REQUEST

TEMPLATES = tuple(map(find_template, PROMPTS))
SHOWN = MODELS[1]
"""mynah-instruct."""
SELECTED = Selection(roster=SELECTION.roster, model=SHOWN, marked=frozenset({9, 4}))


def harness() -> Harness:
    return Harness(LineagePane(), SELECTED)


async def test_the_shown_model_is_the_child_and_all_others_are_bases() -> None:
    app = harness()
    async with app.run_test(size=SIZES[0]) as pilot:
        app.pane.run_default()
        await pilot.pause()
        assert app.asked == [
            FindLineage(children=("mynah-instruct",), bases=("mynah", "lyrebird", "starling"), templates=TEMPLATES)
        ]


async def test_roles_tokens_and_format_are_chosen_by_keys() -> None:
    app = harness()
    async with app.run_test(size=SIZES[1]) as pilot:
        app.pane.query_one(RoleTicks).focus()
        await pilot.press("left", "x")  # starling, the last: a reference
        await pilot.press("left", "x", "x")  # lyrebird is not asked
        assert any("ref starling" in line and "– lyrebird" in line for line in app.screen_lines())
        app.pane.query_one("#tokens", Choice).choose("marked")
        app.pane.query_one("#format", Choice).choose("chat format")
        app.pane.query_one("#prompts", Field).value = "word-is"
        app.pane.query_one("#alpha", Field).focus()
        await pilot.press("enter")
        assert app.asked == [
            FindLineage(
                children=("mynah-instruct",), bases=("mynah",), references=("starling",), token_ids=(4, 9),
                templates=TEMPLATES[:1], chat="auto",
            )
        ]  # fmt: skip
        app.pane.query_one("#tokens", Choice).choose("least input_norm")
        app.pane.run_default()
        await pilot.pause()
        asked = app.asked[-1]
        assert isinstance(asked, FindLineage)
        assert (asked.indicator, asked.token_ids) == ("input_norm", ())


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("#prompts", "word-is,nosuch", "no template 'nosuch'"),
        ("#count", "1", "from 2 to 200"),
        ("#alpha", "2", "between 0 and 1"),
        ("#prompts", "", "name templates"),
    ],
)
async def test_what_cannot_be_asked_is_said_in_place(field: str, value: str, said: str) -> None:
    app = harness()
    async with app.run_test(size=SIZES[1]) as pilot:
        app.pane.query_one(field, Input).value = value
        await pilot.pause()
        assert any(said in line for line in app.screen_lines())
        app.pane.run_default()
        await pilot.pause()
        assert app.asked == []
        assert said in app.remarks[0]


async def test_a_child_and_a_base_are_needed_and_marked_tokens_must_be_marked() -> None:
    app = Harness(LineagePane(), Selection(roster=SELECTION.roster))
    async with app.run_test(size=SIZES[1]) as pilot:
        app.pane.run_default()
        await pilot.pause()
        assert "one child and one base" in app.remarks[0]
        app.pane.selection = Selection(roster=SELECTION.roster, model=SHOWN)
        app.pane.query_one("#tokens", Choice).choose("marked")
        app.pane.run_default()
        await pilot.pause()
        assert "space marks" in app.remarks[1]
        assert app.asked == []


async def test_each_child_is_shown_as_it_comes_and_kept_when_the_rest_is_stopped() -> None:
    app = harness()
    async with app.run_test(size=SIZES[1]) as pilot:
        pane = app.pane
        pane.show_asked(LINEAGE_REQUEST)
        pane.show_part(LINEAGE_REQUEST, Progress(done=3, total=16, what="prompts of mynah"))
        await pilot.pause()
        assert any("3 of 16 prompts of mynah" in line for line in app.screen_lines())
        first = LINEAGE_FOUND.pairs
        pane.show_part(LINEAGE_REQUEST, LineagePart(pairs=first, favourites=LINEAGE_FOUND.favourites))
        await pilot.pause()
        rows = pane.query_one(RowList)
        assert [row.plain.split()[0] for row in rows.rows] == ["mynah", "lyrebird", "none"]
        partial = Lineage(pairs=first, favourites=LINEAGE_FOUND.favourites)
        pane.show(step(LINEAGE_REQUEST, Cancelled(partial=partial)))
        await pilot.pause()
        assert len(rows.rows) == 3
        assert any("B goes on where it was" in line for line in app.screen_lines())


async def test_the_row_under_the_cursor_tells_all_of_itself() -> None:
    app = harness()
    async with app.run_test(size=SIZES[1]) as pilot:
        app.pane.show(step(LINEAGE_REQUEST, LINEAGE_FOUND))
        await pilot.pause()
        app.pane.focus_content()
        told = app.pane.query_one(LinesView)

        def said() -> str:
            return "\n".join(line.plain for line in told.lines)

        assert "mynah-instruct and mynah: related (by B1 r): as near as a fine-tune" in said()
        assert "B1: are the answers to the same token more alike" in said().replace("\n", " ")
        assert "Gate: were these tokens never trained?" in said().replace("\n", " ")
        assert "B2:" not in said(), "only what was the test here"
        assert "-1.410 / 24.41%" in said(), "the form of the posts"
        await pilot.press("down")
        assert "mynah-instruct and lyrebird: none" in said()
        await pilot.press("down")
        assert "mynah-instruct: a candidate is related to it" in said()
        await pilot.press("enter")
        assert app.focused is told, "to scroll"


@pytest.mark.parametrize("size", SIZES)
async def test_columns_give_way_and_no_verdict_is_cut(size: tuple[int, int]) -> None:
    app = harness()
    async with app.run_test(size=size) as pilot:
        app.pane.show(step(LINEAGE_REQUEST, LINEAGE_FOUND))
        await pilot.pause()
        rows = [row.plain for row in app.pane.query_one(RowList).rows]
        assert all("…" not in row for row in rows)
        assert "related" in rows[0]


async def test_a_replay_shows_how_it_was_asked() -> None:
    app = harness()
    async with app.run_test(size=SIZES[1]) as pilot:
        recorded = step(LINEAGE_REQUEST, LINEAGE_FOUND)
        app.pane.restore(Showing(steps=(recorded,), selection=SELECTED))
        app.pane.show(recorded)
        await pilot.pause()
        roles = app.pane.query_one(RoleTicks)
        assert (roles.in_role("child"), roles.in_role("base")) == (("mynah-instruct",), ("mynah", "lyrebird"))
        assert roles.in_role("not asked") == ("starling",)
        assert app.pane.query_one("#prompts", Field).value == ",".join(PROMPTS)
        assert takeaway_of(app.pane) is not None
        app.pane.clear()
        await pilot.pause()
        assert takeaway_of(app.pane) is None
