"""Laws of the replay: forms, filters, proofs and verdicts stand as they stood, and no model shows another's numbers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.app import App
from textual.widgets import Input, Tabs

from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.speakability import ProveSpeakability
from explorer.base.records.unions import Cancelled
from explorer.base.records.verification import ReadEvidence, VerificationResult, Verify
from explorer.base.records.vocabulary import RankTokens
from explorer.engine.handlers import Engine
from explorer.tui.panes.speakability.form import MODES
from explorer.tui.panes.verdicts.matrix import MatrixList
from explorer.tui.replay.foot import notes_in
from explorer.tui.widgets.option_line import Choice
from tests.app_driver import SIZES, asked, resuming, running, screen_text, settled, steps, until
from tests.replay_driver import at, rendered, replaying
from tests.sessions.example_sessions import Exchange, info, neighbourhood, write_session


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


# ── the model in the table ────────────────────────────────────────────────────────────────────────────────


async def mark_after_model_change(engine: Engine, folder: Path) -> tuple[list[str], list[str]]:
    """What the table and the details showed when a token of the second model was marked."""
    async with running(engine, folder) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: len(asked(app, RankTokens)) == 1 and not app.runs.running)
        await pilot.press("down", "down")
        await settled(pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "mynah-instruct" in app.models.vocabularies and not app.runs.running)
        await until(pilot, lambda: "· mynah-instruct" in screen_text(app))
        await settled(pilot)
        await pilot.press("space")
        await until(pilot, lambda: len(asked(app, MarkToken)) == 1 and not app.runs.running)
        await until(pilot, lambda: "✓" in screen_text(app))
        seen = rendered(app.workspace.token_pane), rendered(app.query_one("#detail-pane"))
        await app.recorder.finish(60)
    return seen


async def test_a_mark_after_a_change_of_model_replays_with_the_table_it_was_made_at(
    engine: Engine, tmp_path: Path
) -> None:
    table, details = await mark_after_model_change(engine, tmp_path)
    async with replaying(tmp_path / "session.jsonl", (120, 44)) as (app, pilot):
        await at(app, pilot, len(app.session) - 1)
        assert isinstance(app.session[app.current.position].request, MarkToken)
        assert rendered(app.workspace.token_pane) == table
        assert rendered(app.query_one("#detail-pane"))[0] == details[0]


async def test_no_row_of_another_model_is_shown_as_the_selected_ones(engine: Engine, tmp_path: Path) -> None:
    await mark_after_model_change(engine, tmp_path)
    whole = (tmp_path / "session.jsonl").read_bytes().splitlines(keepends=True)
    views = [line for line in whole if b'"kind":"RankTokens"' in line and b'"mynah-instruct"' in line]
    older = tmp_path / "older.jsonl"  # as earlier versions wrote it: without the view of the second model
    older.write_bytes(b"".join(line for line in whole if line not in views))
    async with replaying(older) as (app, pilot):
        await at(app, pilot, len(app.session) - 1)
        assert app.selection.model is not None
        assert app.selection.model.name == "mynah-instruct"
        assert app.selection.token is not None
        assert not app.selection.token.indicators
        assert not app.workspace.token_pane.table.display


async def test_a_mark_before_any_view_has_its_table(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, (80, 24)) as (app, pilot):
        await pilot.press("space")
        await until(pilot, lambda: len(asked(app, MarkToken)) == 1)
        kinds = [type(step.request) for step in steps(app)]
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 2)
        await pilot.press("1", "down", "space")
        await until(pilot, lambda: len(asked(app, MarkToken)) == 2)
        await app.recorder.finish(60)
    assert kinds[-2:] == [RankTokens, MarkToken]
    async with replaying(tmp_path / "session.jsonl", (80, 24)) as (app, pilot):
        await at(app, pilot, len(kinds) - 1)
        assert app.workspace.token_pane.table.display
        await at(app, pilot, len(app.session) - 1)
        assert app.query_one("#tabs", Tabs).active == "tokens"


async def test_a_note_after_a_change_of_model_is_about_that_model(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: len(asked(app, RankTokens)) == 1 and not app.runs.running)
        await pilot.press("right_square_bracket")
        await until(
            pilot, lambda: "mynah-instruct" in app.models.vocabularies and "· mynah-instruct" in screen_text(app)
        )
        await pilot.press("N")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press(*"odd", "enter")
        await until(pilot, lambda: len(asked(app, WriteNote)) == 1)
        await app.recorder.finish(60)
    async with replaying(tmp_path / "session.jsonl") as (app, pilot):
        await at(app, pilot, len(app.session) - 1)
        assert app.selection.model is not None
        assert app.selection.model.name == "mynah-instruct"
        assert "· mynah-instruct" in screen_text(app)


# ── proofs ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_proofs_of_every_mode_stand_together_again(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("a")
        await until(pilot, lambda: len(asked(app, ProveSpeakability)) == 4 and not app.runs.running)
        await app.recorder.finish(60)
        app.session.close()
    async with replaying(tmp_path / "session.jsonl", (120, 80)) as (app, pilot):
        await at(app, pilot, len(app.session) - 1)
        shown = "\n".join(rendered(app.query_one("#speakability-pane")))
        assert all(mode.replace("_", " ") in shown for mode in MODES)
        assert shown.count("✓ the proof was checked again and holds") == len(MODES) - 1  # own directions have no proof
        assert "every mode" in shown
        await at(app, pilot, next(p for p, s in enumerate(app.session) if isinstance(s.request, ProveSpeakability)))
        earlier = rendered(app.query_one("#speakability-pane"))
        assert not any("own direction" in line for line in earlier)
    async with resuming(engine, tmp_path / "session.jsonl") as (app, _):
        shown = "\n".join(rendered(app.query_one("#speakability-pane")))
        assert "every mode" in shown


# ── the filter ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", SIZES)
async def test_the_filter_in_force_stands_above_the_replayed_table(
    engine: Engine, tmp_path: Path, size: tuple[int, int]
) -> None:
    async with running(engine, tmp_path, size) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: len(asked(app, RankTokens)) == 1)
        await pilot.press("slash", *"cat:ok", "enter")
        await until(pilot, lambda: len(asked(app, RankTokens)) == 2 and not app.runs.running)
        await settled(pilot)
        live = rendered(app.workspace.token_pane)
        await app.recorder.finish(60)
    assert any(line.strip() == "cat:ok" for line in live)
    foot = 3 if size[1] < 32 else 4
    async with replaying(tmp_path / "session.jsonl", (size[0], size[1] + foot)) as (app, pilot):
        await at(app, pilot, len(app.session) - 1)
        app.workspace.show_tab("tokens")
        await settled(pilot)
        assert rendered(app.workspace.token_pane) == live
        place = next(p for p, s in enumerate(app.session) if isinstance(s.request, RankTokens))
        await at(app, pilot, place)
        assert "cat:ok" not in "\n".join(rendered(app.workspace.token_pane))


async def test_the_filter_in_force_can_be_changed_after_resuming(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("slash", *"cat:ok", "enter")
        await until(pilot, lambda: len(asked(app, RankTokens)) == 1 and not app.runs.running)
        await app.recorder.finish(60)
        app.session.close()
    async with resuming(engine, tmp_path / "session.jsonl") as (app, pilot):
        await settled(pilot)
        assert "match" in screen_text(app)
        assert any(line.strip() == "cat:ok" for line in rendered(app.workspace.token_pane))
        await pilot.press("slash")
        await settled(pilot)
        box = app.query_one("#filter", Input)
        assert box.has_focus
        assert box.value == "cat:ok"


# ── who was asked ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_models_that_were_ticked_are_ticked(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 2 and not app.runs.running)
        app.query_one("#models").focus()
        await pilot.press("x", "1", "r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 3 and not app.runs.running)
        await app.recorder.finish(60)
    async with replaying(tmp_path / "session.jsonl") as (app, pilot):
        places = [place for place, step in enumerate(app.session) if isinstance(step.request, RepeatBack)]
        ticked = ["[x] mynah  [x] mynah-i"] * 2 + ["[ ] mynah  [x] mynah-i"]
        for place, line in zip(places, ticked, strict=True):
            await at(app, pilot, place)
            assert line in screen_text(app)


# ── verdicts ──────────────────────────────────────────────────────────────────────────────────────────────


def matrix_lines(app: App[int] | App[None]) -> list[str]:
    return [line for line in rendered(app.query_one("#matrix")) if line.strip()]


async def test_the_matrix_and_its_evidence_stand_as_they_stood(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: len(asked(app, RankTokens)) == 1)
        app.query_one("#percent", Input).value = "1"
        app.query_one("#definitions", Choice).choose("quick ones")
        await pilot.press("v")
        await until(pilot, lambda: len(asked(app, Verify)) == 1 and not app.runs.running)
        await pilot.press("6", "down", "down", "right")
        await settled(pilot)
        await until(pilot, lambda: bool(app.workspace.token_pane.table.drawing.added))
        await pilot.press("enter")
        await until(pilot, lambda: len(asked(app, ReadEvidence)) == 1 and not app.runs.running)
        await settled(pilot)
        (sweep,) = asked(app, Verify)
        token = app.selection.token
        live, columns = matrix_lines(app), list(app.workspace.token_pane.table.drawing.added)
        await app.recorder.finish(60)
    async with replaying(tmp_path / "session.jsonl", (120, 44)) as (app, pilot):
        await at(app, pilot, len(app.session) - 1)
        assert isinstance(app.session[app.current.position].request, ReadEvidence)
        assert app.query_one(MatrixList).cursor == 2
        assert matrix_lines(app) == live
        assert app.selection.token == token  # the table's cursor stays while evidence is read
        await until(pilot, lambda: list(app.workspace.token_pane.table.drawing.added) == columns)
        await at(app, pilot, next(p for p, s in enumerate(app.session) if s.number == sweep.number))
        assert not app.query_one("#evidence").has_class("-open")
        await at(app, pilot, next(p for p, s in enumerate(app.session) if isinstance(s.request, RankTokens)))
        await settled(pilot)
        assert not app.workspace.token_pane.table.drawing.added


async def test_a_sweep_that_was_stopped_says_so(tmp_path: Path) -> None:
    partial = VerificationResult(model="mynah", tokens=0, definitions=(), pairs=())
    pairs: list[Exchange] = [(LoadModel(source="zoo:mynah"), ModelLoaded(info=info("mynah")))]
    pairs += [(Verify(model="mynah"), Cancelled(partial=partial))]
    async with replaying(write_session(tmp_path / "s.jsonl", pairs)) as (app, pilot):
        await at(app, pilot, 1)
        screen = screen_text(app)
        assert "Cancelled before any token had every verdict" in screen
        assert "No token here passes" not in screen
        assert "cancelled" in rendered(app.query_one("#replay-place"))[0]


# ── the foot ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_damaged_line_says_what_is_wrong_and_has_no_notes(tmp_path: Path) -> None:
    pairs: list[Exchange] = [(WriteNote(text="first"), Noted()), (WriteNote(text="second"), Noted())]
    pairs += [(WriteNote(text="on the third", step=2), Noted())]
    path = write_session(tmp_path / "s.jsonl", pairs)
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    path.write_bytes(b"".join([*lines[:2], b"{broken}\n", *lines[3:]]))
    async with replaying(path) as (app, pilot):
        await at(app, pilot, 1)
        foot = "\n".join(rendered(app.query_one("#foot")))
        assert "line 3 is damaged" in foot
        assert "on the third" not in foot
        assert "note" not in foot
        app.workspace.show_tab("session")
        await settled(pilot)
        row = next(line for line in rendered(app.query_one("#session-steps")) if "line 3 is damaged" in line)
        assert "unreadable" not in row
        assert "note" not in row


@pytest.mark.parametrize(("width", "height"), [(78, 2), (40, 1), (118, 2)])
def test_notes_that_are_cut_say_so(width: int, height: int) -> None:
    short = notes_in([WriteNote(text="odd")], width, height)
    assert short.plain == "N odd"
    cut = notes_in([WriteNote(text="odd words " * 60)], width, height).plain.splitlines()
    assert len(cut) == height
    assert all(len(line) <= width for line in cut)
    assert cut[-1].endswith("… all in 5 Session")


async def test_a_replayed_plot_has_the_colour_that_was_chosen(tmp_path: Path) -> None:
    found = neighbourhood()
    found = msgspec.structs.replace(
        found, indicator_ranges={"input_norm": (0.0, 0.5, 1.0), "output_norm": (0.0, 0.5, 1.0)}
    )
    asked = FindNeighbours(model="mynah", token_id=found.subject.token.token_id, colour="output_norm")
    pairs: list[Exchange] = [(LoadModel(source="zoo:mynah"), ModelLoaded(info=info("mynah")))]
    pairs += [(asked, found), (msgspec.structs.replace(asked, colour="input_norm"), found)]
    async with replaying(write_session(tmp_path / "s.jsonl", pairs)) as (app, pilot):
        for position, colour in ((1, "output_norm"), (2, "input_norm"), (1, "output_norm")):
            await at(app, pilot, position)
            assert app.query_one("#neighbours-pane #colour", Choice).chosen == colour
