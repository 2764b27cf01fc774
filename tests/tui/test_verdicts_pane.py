"""The Verdicts tab in the whole program, on the zoo."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import numpy as np
import pytest
from textual import events
from textual.widgets import Input

from explorer.base.records.tokens import TokenRef
from explorer.base.records.unions import Cancelled, Step
from explorer.base.records.verification import (
    DefinitionSummary,
    ReadEvidence,
    VerdictCell,
    VerdictRow,
    VerificationResult,
    Verify,
)
from explorer.base.records.vocabulary import RankTokens
from explorer.engine.answers.verification import answer as verification
from explorer.engine.handlers import Engine
from explorer.tui.panes.verdicts.matrix import MatrixList
from explorer.tui.panes.verdicts.pane import VerdictsPane
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.option_line import Choice, Field
from explorer.tui.widgets.plot import PlotView
from tests.app_driver import SIZES, asked, running, screen_text, settled, until

MYNAH = ("zoo:mynah",)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "cache_folder", lambda: tmp_path / "cache")


def ask_quickly(pane: VerdictsPane, percent: str = "20") -> None:
    pane.query_one("#percent", Field).value = percent
    pane.query_one("#definitions", Choice).choose("quick ones")


@pytest.mark.parametrize("size", SIZES)
async def test_a_sweep_fills_matrix_columns_curves_and_evidence(
    engine: Engine, tmp_path: Path, size: tuple[int, int]
) -> None:
    async with running(engine, tmp_path, size, MYNAH) as (app, pilot):
        pane = app.query_one(VerdictsPane)
        ask_quickly(pane)
        await pilot.press("v")
        await until(pilot, lambda: len(asked(app, Verify)) == 1 and not app.runs.running)
        result = asked(app, Verify)[0].outcome
        assert isinstance(result, VerificationResult)
        await until(pilot, lambda: not pane.redraw.is_due and not pane.workers._workers)
        rows = pane.query_one(MatrixList)
        called = {row.token.token_id for row in result.rows}
        assert len(rows.rows) >= len(called) == 200, "a result lists so many of those called"
        assert "V " in rows.rows[0].plain
        # Every definition is a column of the token table, sorted with the called ones first.
        added = app.workspace.token_pane.views.added["mynah"]
        assert set(added) == {definition.name for definition in result.definitions}
        keys = added["glitchminer"].keys
        verified = next(one.verified for one in result.definitions if one.name == "glitchminer")
        first = np.argsort(np.where(np.isnan(keys), np.inf, keys))[:verified]
        assert all(added["glitchminer"].show(int(token_id)).startswith("V ") for token_id in first)
        assert int(np.isfinite(keys).sum()) == result.tokens
        # Filters.
        for agreement in ("disagree", "all agree", "all"):
            pane.query_one("#agreement", Choice).value = agreement
            await pilot.pause()
            assert pane.sweep.matrix is not None
            assert len(rows.rows) == int(pane.sweep.matrix.where(agreement).sum())
        # Evidence of a cell of the second definition.
        await pilot.press("6")
        rows.focus()
        await pilot.press("home", "right", "enter")
        await until(pilot, lambda: len(asked(app, ReadEvidence)) == 1 and not app.runs.running)
        evidence = "\n".join(line.plain for line in pane.query_one("#evidence", LinesView).lines)
        assert asked(app, ReadEvidence)[0].request.definition == result.definitions[1].name  # type: ignore[union-attr]
        assert result.definitions[1].title in evidence
        assert "→" in evidence
        assert f"  {result.definitions[1].value} " in evidence, "words of ours, whose spaces are no token's"
        # Curves.
        pane.query_one("#view", Choice).value = "curves"
        await until(pilot, lambda: bool(pane.query_one("#roc", PlotView)._strips))
        assert "ROC-AUC" in screen_text(app)
        pane.query_one("#view", Choice).value = "definitions"
        await until(pilot, lambda: "GlitchMiner" in screen_text(app))


async def test_the_recorded_step_alone_shows_matrix_definitions_and_curves(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, (160, 50), MYNAH) as (app, pilot):
        pane = app.query_one(VerdictsPane)
        ask_quickly(pane)
        await pilot.press("v")
        await until(pilot, lambda: len(asked(app, Verify)) == 1 and not app.runs.running)
        await until(pilot, lambda: not pane.redraw.is_due)
        live = {row.plain for row in pane.query_one(MatrixList).rows}
        step = asked(app, Verify)[0]
        pane.clear()
        pane.sweep.live.clear()
        pane.show(step)
        replayed = {row.plain for row in pane.query_one(MatrixList).rows}
        assert len(replayed) == 200
        assert replayed <= live
        assert not pane.sweep.is_whole
        pane.query_one("#view", Choice).value = "curves"
        await until(pilot, lambda: bool(pane.query_one("#roc", PlotView)._strips))
        assert not app.runs.running, "a recorded step asks nothing"


async def test_a_sweep_is_paused_and_goes_on_where_it_was(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, (120, 40), MYNAH) as (app, pilot):
        pane = app.query_one(VerdictsPane)
        pane.query_one("#percent", Field).value = "40"
        await pilot.press("v")
        await until(pilot, lambda: pane.sweep.matrix is not None and bool(pane.sweep.matrix.decided().any()))
        await pilot.press("p")
        await until(pilot, lambda: len(asked(app, Verify)) == 1 and not app.runs.running)
        paused = asked(app, Verify)[0].outcome
        assert isinstance(paused, Cancelled)
        assert "paused with" in screen_text(app)
        await pilot.press("l")  # a quick question in between
        await pilot.press("p")
        await until(pilot, lambda: len(asked(app, Verify)) == 2 and not app.runs.running, seconds=120)
        result = asked(app, Verify)[1].outcome
        assert isinstance(result, VerificationResult)
        assert result.reused > 0
        assert pane.sweep.request is not None
        assert result.tokens > paused.partial.tokens  # type: ignore[union-attr]


async def test_sorting_by_a_definition_is_not_recorded_and_export_writes_what_is_shown(
    engine: Engine, tmp_path: Path
) -> None:
    async with running(engine, tmp_path, (120, 40), MYNAH) as (app, pilot):
        pane = app.query_one(VerdictsPane)
        await pilot.press("6", "e")
        await until(pilot, lambda: any("nothing to export" in note.message for note in app._notifications))
        await until(pilot, lambda: not app.dispatcher.waits)  # for the box that does not come
        ask_quickly(pane)
        await pilot.press("v")
        await until(pilot, lambda: len(asked(app, Verify)) == 1 and not app.runs.running)
        await until(pilot, lambda: "glitchminer" in app.workspace.token_pane.views.added.get("mynah", {}))
        app.workspace.token_pane.commands.sort_by("glitchminer")
        await settled(pilot)
        assert not [step for step in asked(app, RankTokens) if step.request.sort == "glitchminer"]  # type: ignore[union-attr]
        await pilot.press("e")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        target = tmp_path / "called.csv"
        app.screen.query_one(Input).post_message(events.Paste(str(target)))
        await pilot.press("enter")
        shown = len(pane.query_one(MatrixList).listed.places)
        await until(
            pilot,
            lambda: any(
                f"The {shown} shown tokens: written to {target}" in note.message for note in app._notifications
            ),
        )
        with target.open(newline="") as file:
            written = list(csv.DictReader(file))
        assert len(written) == shown > 0
        assert {"token_id", "glitchminer", "glitchminer value"} <= set(written[0])


async def test_a_sweep_of_other_tokens_leaves_the_columns_of_those_tested_before(
    engine: Engine, tmp_path: Path
) -> None:
    async with running(engine, tmp_path, (120, 40), MYNAH) as (app, pilot):
        pane = app.query_one(VerdictsPane)
        ask_quickly(pane, "2")
        await pilot.press("v")
        await until(pilot, lambda: len(asked(app, Verify)) == 1 and not app.runs.running)
        await until(pilot, lambda: not pane.redraw.is_due and not pane.workers._workers)
        before = app.workspace.token_pane.views.added["mynah"]["glitchminer"]
        tested = np.flatnonzero(np.isfinite(before.keys)).tolist()
        assert len(tested) == 57
        other = next(token_id for token_id in range(400, 500) if token_id not in tested)
        app.workspace.token_pane.table.go_to(other)
        await until(pilot, lambda: app.selection.token is not None and app.selection.token.token_id == other)
        pane.query_one("#which", Choice).choose("selected")
        await pilot.press("v")
        await until(pilot, lambda: len(asked(app, Verify)) == 2 and not app.runs.running)
        await until(pilot, lambda: not pane.redraw.is_due and not pane.workers._workers)
        assert len(pane.sweep.matrix or ()) == 1, "the pane shows what was asked last"
        after = app.workspace.token_pane.views.added["mynah"]["glitchminer"]
        assert np.flatnonzero(np.isfinite(after.keys)).tolist() == sorted([*tested, other])
        assert [after.show(one) for one in tested] == [before.show(one) for one in tested]
        assert after.show(other)
        # Another checkpoint of that name knows nothing of it.
        info = app.selection.model
        assert info is not None
        app.models.note_identity(msgspec.structs.replace(info, weights_digest="f" * 32))
        await pilot.press("v")
        await until(pilot, lambda: len(asked(app, Verify)) == 3 and not app.runs.running)
        await until(pilot, lambda: not pane.redraw.is_due and not pane.workers._workers)
        anew = app.workspace.token_pane.views.added["mynah"]["glitchminer"]
        assert np.flatnonzero(np.isfinite(anew.keys)).tolist() == [other]


async def test_a_model_without_its_layers_is_tested_by_geometry_alone(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, (120, 40), ("weights:zoo:mynah",)) as (app, pilot):
        pane = app.query_one(VerdictsPane)
        await pilot.press("v")
        await until(pilot, lambda: len(asked(app, Verify)) == 1 and not app.runs.running)
        assert "Choose geometric definitions only" in " ".join(screen_text(app).split())
        pane.query_one("#definitions", Choice).choose("geometric")
        pane.query_one("#which", Choice).choose("all tokens")
        await pilot.press("v")
        await until(pilot, lambda: len(asked(app, Verify)) == 2 and not app.runs.running)
        result = asked(app, Verify)[1].outcome
        assert isinstance(result, VerificationResult)
        assert [found.name.partition(":")[0] for found in result.definitions] == ["geometric"]


async def test_hostile_names_in_a_result_are_harmless(engine: Engine, tmp_path: Path) -> None:
    evil = "[/x]\x1b]52;c;AAAA\x07‮"
    definition = DefinitionSummary(
        name=evil, title=evil, rule=evil, source=evil, value=evil, verified=1, weak=0, rejected=0, inconclusive=0
    )
    row = VerdictRow(
        token=TokenRef(token_id=7, token_bytes=evil.encode().hex(), text=evil),
        category="ok",
        verdicts={evil: VerdictCell(verdict="verified", value=float("inf"))},
    )
    result = VerificationResult(model=evil, tokens=1, definitions=(definition,), pairs=(), rows=(row,), notes=(evil,))
    async with running(engine, tmp_path, (80, 24), MYNAH) as (app, pilot):
        pane = app.query_one(VerdictsPane)
        await pilot.press("6")
        pane.show(Step(number=1, at="", seconds=0.0, request=Verify(model=evil), outcome=result))
        for name in ("matrix", "definitions", "curves"):
            pane.query_one("#view", Choice).value = name
            await pilot.pause()
            shown = screen_text(app)
            assert "\x1b" not in shown
            assert "\x07" not in shown
            assert "‮" not in shown
