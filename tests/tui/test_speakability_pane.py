"""The Speakability tab in the whole program, on the zoo."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from explorer.base.records.models import UnloadModel
from explorer.base.records.speakability import ProveSpeakability, RowsLost, SpeakabilityResult
from explorer.base.records.unions import Cancelled, Step
from explorer.base.text import visible
from explorer.engine.answers.speakability import answer as speaking
from explorer.engine.core.speakability.prove import prove
from explorer.engine.handlers import Engine
from explorer.tui.panes.speakability.lines import summary_lines
from explorer.tui.panes.speakability.pane import SpeakabilityPane
from explorer.tui.widgets.option_line import Choice
from explorer.zoo import zoo_dir
from tests.app_driver import SIZES, asked, running, screen_text, until
from tests.direct_client import Gate
from tests.hostile import hostile_model
from tests.specs.test_speakability_spec import result as proved

MYNAH = ("zoo:mynah",)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking, "cache_folder", lambda: tmp_path / "cache")


@pytest.mark.parametrize("size", SIZES)
async def test_the_selected_token_is_proved_in_every_mode(
    engine: Engine, tmp_path: Path, size: tuple[int, int]
) -> None:
    async with running(engine, tmp_path, size, MYNAH) as (app, pilot):
        pane = app.query_one(SpeakabilityPane)
        await pilot.press("a")
        await until(pilot, lambda: len(asked(app, ProveSpeakability)) == 4 and not app.runs.running)
        token = app.selection.token
        assert token is not None
        text = lines(pane)
        for mode in ("ball", "box", "cone", "own direction"):
            assert f"{mode}, " in text
        assert visible(token.text) in text
        assert "✓ the proof was checked again and holds" in text
        results = [step.outcome for step in asked(app, ProveSpeakability)]
        assert all(isinstance(found, SpeakabilityResult) and found.tokens == 1 for found in results)
        assert "ball, with bias" in screen_text(app)
        assert_recorded_alone(pane, asked(app, ProveSpeakability), text)


async def test_a_run_over_all_fills_columns_and_is_known_to_each_token(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, (160, 50), MYNAH) as (app, pilot):
        pane = app.query_one(SpeakabilityPane)
        pane.query_one("#which", Choice).choose("all tokens")
        pane.query_one("#mode", Choice).choose("cone")
        await pilot.press("a")
        await until(pilot, lambda: len(asked(app, ProveSpeakability)) == 1 and not app.runs.running)
        result = asked(app, ProveSpeakability)[0].outcome
        assert isinstance(result, SpeakabilityResult)
        assert f"{result.speakable:,} speakable" in lines(pane)
        added = app.workspace.token_pane.views.added["mynah"]
        await until(pilot, lambda: not pane.telling.is_due)
        assert set(added) >= {"speakable_cone", "margin_cone", "own_direction_winner"}
        keys = added["speakable_cone"].keys
        assert int((keys == 2).sum()) == result.speakable
        assert int((keys == 0).sum()) == result.unspeakable
        unspeakable = np.flatnonzero(keys == 0)
        if len(unspeakable):
            shown = added["speakable_cone"].show(int(unspeakable[0]))
            assert shown == "✗ no"
        headings = [column.label for column in app.workspace.token_pane.table.drawing.painter.layout.moving]  # type: ignore[union-attr]
        assert headings[3:6] == ["own row", "cone", "lead"]
        # A second run finds everything on disk, and the columns are full all the same.
        app.workspace.token_pane.views.added.clear()
        pane.clear()
        await pilot.press("a")
        await until(pilot, lambda: len(asked(app, ProveSpeakability)) == 2 and not app.runs.running)
        again = asked(app, ProveSpeakability)[1].outcome
        assert isinstance(again, SpeakabilityResult)
        assert (again.reused, again.digest) == (result.tokens, result.digest)
        await until(pilot, lambda: not pane.telling.is_due)
        assert np.array_equal(
            app.workspace.token_pane.views.added["mynah"]["speakable_cone"].keys, keys, equal_nan=True
        )


async def test_a_run_is_paused_and_goes_on(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()

    def held(*given: Any, **named: Any) -> Iterator[Any]:
        for verdicts in prove(*given, **named):
            yield verdicts
            gate.wait()

    monkeypatch.setattr(speaking, "prove", held)
    async with running(engine, tmp_path, (120, 40), MYNAH) as (app, pilot):
        pane = app.query_one(SpeakabilityPane)
        pane.query_one("#which", Choice).choose("all tokens")
        pane.query_one("#mode", Choice).choose("box")
        await pilot.press("a")
        await until(pilot, gate.reached.is_set)
        await pilot.press("p")
        gate.opened.set()
        await until(pilot, lambda: len(asked(app, ProveSpeakability)) == 1 and not app.runs.running)
        assert isinstance(asked(app, ProveSpeakability)[0].outcome, Cancelled)
        assert list(app.runs.paused) == [asked(app, ProveSpeakability)[0].request]
        assert "paused with" in screen_text(app)
        await pilot.press("p")
        await until(pilot, lambda: len(asked(app, ProveSpeakability)) == 2 and not app.runs.running)
        assert isinstance(asked(app, ProveSpeakability)[1].outcome, SpeakabilityResult)
        assert not app.runs.paused


async def test_a_model_without_an_unembedding_is_told_in_one_line(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, (120, 40), ("weights:zoo:mynah",)) as (app, pilot):
        pane = app.query_one(SpeakabilityPane)
        pane.query_one("#mode", Choice).choose("ball")
        await pilot.press("a")
        await until(pilot, lambda: len(asked(app, ProveSpeakability)) == 1 and not app.runs.running)
        assert "✗" in screen_text(app)
        assert "no final norm to fold" in " ".join(lines(pane).split("\n"))
        assert "no final norm to fold into them. Ask about the raw weights (--raw, or weights: raw" in " ".join(
            lines(pane).split()
        )
        pane.query_one("#weights", Choice).choose("raw")
        await pilot.press("a")
        await until(pilot, lambda: len(asked(app, ProveSpeakability)) == 2 and not app.runs.running)
        assert isinstance(asked(app, ProveSpeakability)[1].outcome, SpeakabilityResult)
        assert "raw weights" in lines(pane)
        assert "✗ mynah" not in lines(pane)


async def test_another_checkpoint_of_the_same_name_has_none_of_what_was_proved_before(tmp_path: Path) -> None:
    first = hostile_model(tmp_path / "first" / "same")
    second = Path(shutil.copytree(zoo_dir("mynah"), tmp_path / "second" / "same"))
    async with running(Engine(), tmp_path, (160, 50), (str(first),)) as (app, pilot):
        pane = app.query_one(SpeakabilityPane)
        pane.query_one("#which", Choice).choose("all tokens")
        pane.query_one("#mode", Choice).choose("own_direction")
        await pilot.press("a")
        await until(
            pilot, lambda: len(asked(app, ProveSpeakability)) == 1 and not app.runs.running and not pane.telling.is_due
        )
        assert app.workspace.token_pane.table.drawing.added
        app.runs.ask(UnloadModel(model="same"))
        await until(pilot, lambda: app.selection.model is None)
        app.models.load(app.models.request_for(str(second)))
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        await pilot.press("1", "end", "home")
        assert app.selection.model is not None
        assert app.selection.model.vocab_size == 3072
        assert not app.workspace.token_pane.table.drawing.added
        assert "own row" not in screen_text(app)
        assert "hard to speak:" not in lines(pane)
        assert "are hard to speak" not in lines(pane)


def lines(pane: SpeakabilityPane) -> str:
    return "\n".join(line.content.plain for line in pane._lines)


def assert_recorded_alone(pane: SpeakabilityPane, steps: list[Step], live: str) -> None:
    """The recorded steps alone give the same, with the check of the proofs."""
    selection = pane.selection
    pane.clear()
    pane.set_reactive(SpeakabilityPane.selection, type(selection)(model=selection.model, token=selection.token))
    for step in steps:
        pane.show(step)
    assert lines(pane) == live


@pytest.mark.parametrize("rows", [None, RowsLost(tokens=6, lost=2, winners=())])
def test_the_tokens_that_are_hard_to_speak_are_counted_once(rows: RowsLost | None) -> None:
    found = msgspec.structs.replace(proved(), tokens=6, hard=2, own_rows=rows, centred_rows=None)
    text = " ".join(line.content.plain for line in summary_lines(found, 200))
    assert text.count("hard to speak") == 1
    assert text.count("2 of 6") == 1
