"""The neighbours of a token in two models, one list beside the other: rows, hostile names, the form, Enter."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from explorer.base.records.models import Roster
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood, NeighboursThere, NeighbourThere
from explorer.base.records.tokens import TokenRef
from explorer.tui.panes.neighbours.both import rows_of
from explorer.tui.shell.messages import Ask, NeighbourOpened
from explorer.tui.widgets.option_line import Choice
from explorer.tui.widgets.row_list import RowList
from tests.app_driver import settled
from tests.tui.panes.test_neighbours_pane import HOSTILE, SIZES, PaneApp, neighbourhood, selection, step


def in_both(more: int = 2) -> Neighbourhood:
    """The first two of the other list are of both; `more` rows than the first model has."""
    words = [*HOSTILE[:2], *(b" other%d" % place for place in range(len(HOSTILE) - 2 + more))]
    entries = tuple(
        NeighbourThere(
            token=TokenRef(token_id=500 + place, token_bytes=word.hex(), text=""), category="ok", distance=0.1 * place
        )
        for place, word in enumerate(words)
    )
    there = NeighboursThere(
        model="bad\x1b[2J", token=entries[0].token, neighbours=entries, absent=(104,), absent_here=(505,), moved=0.5,
        moved_more_than=0.25,
    )  # fmt: skip
    return msgspec.structs.replace(neighbourhood(), there=there)


@pytest.mark.parametrize("width", [45, 57, 77, 150])
def test_each_row_has_both_and_all_share_their_columns(width: int) -> None:
    header, rows = rows_of(in_both(), "input_norm", width)
    assert len({row.cell_length for row in rows} | {header.cell_length}) == 1
    assert header.cell_length <= max(width, 46)
    assert len(rows) == len(HOSTILE) + 2
    assert [row.plain.count("= ") for row in rows[:4]] == [2, 2, 0, 0]
    assert ("∅" in rows[4].plain, "∅" in rows[5].plain) == (True, True)
    assert rows[-1].plain.count("other") == 1


def test_without_a_namesake_the_list_is_the_usual_one() -> None:
    alone = msgspec.structs.replace(neighbourhood(), there=NeighboursThere(model="b"))
    assert rows_of(alone, "input_norm", 60) == rows_of(neighbourhood(), "input_norm", 60)


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_names_stay_inside_their_cells_and_the_heading_says_what_was_kept(size: tuple[int, int]) -> None:
    app = PaneApp()
    async with app.run_test(size=size) as pilot:
        app.pane.show(step(in_both()))
        await settled(pilot)
        lines = app.screen_lines()
        assert all(line.isprintable() and "\u202e" not in line for line in lines)
        said = " ".join("".join(lines).split())
        assert "2 of 13 near in bad" in said
        assert "moved 0.50" in said


async def test_enter_opens_the_token_of_this_model_and_nothing_on_a_row_without_one() -> None:
    app = PaneApp()
    async with app.run_test(size=SIZES[2]) as pilot:
        app.pane.show(step(in_both()))
        app.pane.query_one(RowList).focus()
        await pilot.press("down", "enter", "end", "enter")
        await settled(pilot)
        (opened,) = app.heard
        assert isinstance(opened, NeighbourOpened)
        assert opened.token_id == 101


async def test_the_form_offers_the_other_models_that_have_weights_and_asks_with_one() -> None:
    app = PaneApp()
    async with app.run_test(size=SIZES[0]) as pilot:
        chosen = selection()
        assert chosen.model is not None
        app.pane.selection = chosen
        await pilot.pause()
        assert not app.pane.query_one("#in-both").display
        models = (
            chosen.model,
            msgspec.structs.replace(chosen.model, name="far", abilities=("vocabulary",)),
            msgspec.structs.replace(chosen.model, name="lyrebird", abilities=("weights",)),
        )
        app.pane.selection = replace(chosen, roster=Roster(models=models, devices=()))
        await pilot.pause()
        other = app.pane.query_one("#other", Choice)
        assert other.names == ("no other model", "lyrebird")
        other.choose("lyrebird")
        app.pane.run_default()
        await pilot.pause()
        (ask,) = app.heard
        assert isinstance(ask, Ask)
        assert isinstance(ask.request, FindNeighbours)
        assert ask.request.other == "lyrebird"
