"""In a replay every pane speaks of the step's token, or says of which other one it speaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from explorer.base.records.inspect import InspectToken
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.notes import WriteNote
from explorer.base.records.unions import Step
from explorer.sessions.file.recent import sample_sessions
from explorer.specs.blocks import token_text
from explorer.tui.panes.base import Pane
from explorer.tui.replay.app import ReplayApp
from explorer.tui.replay.subjects import subject_of
from explorer.tui.shell.tabs import follows_token, in_row, pane_titles, tab_name_of
from tests.app_driver import settled, until
from tests.replay_driver import at, rendered, replaying
from tests.sessions.example_sessions import Exchange, exchanges, info, write_session

SAMPLES = [listed.path for listed in sample_sessions()]
CURSOR = "▸"


def table_faults(app: ReplayApp) -> Iterator[str]:
    """What is wrong with the token table: a cursor on a row that is not the selected token's, or one that is named
    nowhere."""
    token, pane = app.selection.token, app.workspace.token_pane
    if token is None or not pane.table.display:
        return
    lines, named = rendered(pane), f"Selected: {token.token_id} {token_text(token)}, whose row"
    under = [line for line in lines if line.startswith(CURSOR)]
    if under:
        yield from (f"cursor on {line}" for line in under if str(token.token_id) not in line.split()[:3])
        yield from ("named beside its row" for _ in under if "whose row" in " ".join(lines))
    elif named not in " ".join(" ".join(lines[:5]).split()):
        yield f"{named!r} not in {lines[:5]}"


def last_steps(app: ReplayApp, tab: str) -> list[Step]:
    showing = app.current.situation.showing.values()
    steps = [each.steps[-1] for each in showing if tab_name_of(each.steps[-1].request) == tab]
    return sorted(steps, key=lambda step: step.number)


def pane_faults(app: ReplayApp) -> Iterator[str]:
    """Which panes show a step about another token than the selected one and do not say so."""
    selected = app.selection.token
    for tab in in_row(app.workspace.tabs):
        steps = last_steps(app, tab.name)
        told = subject_of(steps[-1]) if steps and tab.side == "right" and follows_token(tab) else None
        pane: Pane = app.workspace.pane(tab.name)
        if told is not None and (selected is None or told.token_id != selected.token_id):
            titles = pane_titles(tab, pane.selection, app.selection)
            yield from (f"{tab.name}: {title}" for title in titles if f"{told.token_id} " not in title)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
async def test_every_pane_of_a_sample_shows_the_steps_token_or_names_the_other(path: Path) -> None:
    async with replaying(path) as (app, pilot):
        same = (WriteNote, LoadModel)  # they change no subject
        for position in [
            place for place, step in enumerate(app.session) if not place or type(step.request) not in same
        ]:
            app.current.go_to(position)
            await settled(pilot)
            assert not [*table_faults(app), *pane_faults(app)], f"step {position + 1}"
            detail = rendered(app.query_one("#detail-pane"))
            assert app.selection.token is None or str(app.selection.token.token_id) in detail[0]


async def test_a_pane_with_nothing_of_the_token_under_the_cursor_names_it(tmp_path: Path) -> None:
    async with replaying(write_session(tmp_path / "s.jsonl", exchanges())) as (app, pilot):
        await at(app, pilot, 3)
        app.workspace.show_tab("tokens")
        await pilot.press("down")
        await until(pilot, lambda: app.selection.token is not None and app.selection.token.token_id == 6)
        await settled(pilot)
        assert "Nothing of this kind is recorded of 6 " in " ".join(rendered(app.workspace.pane("repeat")))


async def test_no_row_is_under_the_cursor_where_the_view_is_without_the_steps_token(tmp_path: Path) -> None:
    steps: list[Exchange] = [(LoadModel(source="zoo:mynah"), ModelLoaded(info=info("mynah"))), *exchanges()[1:3]]
    asked, detail = steps[-1]
    assert isinstance(asked, InspectToken)
    other = msgspec.structs.replace(detail.row, token_id=723)  # type: ignore[union-attr]
    steps.append((msgspec.structs.replace(asked, token_id=723), msgspec.structs.replace(detail, row=other)))
    async with replaying(write_session(tmp_path / "s.jsonl", steps)) as (app, pilot):
        pane = app.workspace.token_pane
        await at(app, pilot, 2)
        assert pane.table.token_id == 5
        assert not list(table_faults(app))
        await at(app, pilot, 3)
        assert pane.table.token_id is None
        assert not list(table_faults(app))
        assert app.selection.token is not None
        assert app.selection.token.token_id == 723
        await pilot.press("1", "up")
        await until(pilot, lambda: app.selection.token is not None and app.selection.token.token_id == 5)
        await settled(pilot)
        assert pane.table.token_id == 5
        assert not list(table_faults(app))


@pytest.mark.parametrize("zoomed", [False, True])
async def test_a_view_of_the_table_is_in_sight_at_its_step_in_a_zoomed_window_too(tmp_path: Path, zoomed: bool) -> None:
    _, view, detail, replies, *_ = exchanges()
    loaded: Exchange = (LoadModel(source="zoo:mynah"), ModelLoaded(info=info("mynah")))
    async with replaying(write_session(tmp_path / "s.jsonl", [loaded, replies, view, detail])) as (app, pilot):
        if zoomed:
            await pilot.press("z")
        repeat, tokens = app.workspace.pane("repeat"), app.workspace.token_pane
        await at(app, pilot, 1)
        assert (repeat.is_on_screen, tokens.is_on_screen) == (True, not zoomed)
        await at(app, pilot, 2)
        assert (repeat.is_on_screen, tokens.is_on_screen) == (not zoomed, True)
