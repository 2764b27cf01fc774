"""The whole program on a real engine, driven by keys."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from textual._callback import invoke
from textual.pilot import Pilot
from textual.widgets import Input

from explorer.base.records.inspect import InspectToken
from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.models import LoadModel
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.notes import MarkToken, WriteNote
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.tokens import INDICATORS
from explorer.base.records.unions import Cancelled, Step
from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.engine.handlers import Engine
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.settings import Settings
from explorer.tables import table
from explorer.tables.standing import midrank_percentiles
from explorer.tui.live.app import ExplorerApp
from explorer.tui.shell.commands import COMMANDS, key_names
from explorer.tui.shell.messages import Answered
from explorer.tui.shell.themes import read_theme, themes_dir
from explorer.tui.widgets.model_bar import ModelBar
from explorer.zoo import ground_truth, zoo_dir
from tests.app_driver import MODELS, SIZES, asked, on_screen, running, screen_text, steps, until
from tests.direct_client import DirectClient


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


async def type_words(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*("space" if letter == " " else letter for letter in text))


def a_withheld_token() -> str:
    kinds = ground_truth("mynah")["withheld"]
    return next(bytes.fromhex(entry["token_bytes"]).decode() for entry in kinds if entry["kind"] == "whimsical")


@pytest.mark.parametrize("size", SIZES)
async def test_the_tour_takes_under_twenty_keys_and_is_recorded(
    engine: Engine, tmp_path: Path, size: tuple[int, int]
) -> None:
    token = a_withheld_token().strip()
    async with running(engine, tmp_path, size) as (app, pilot):
        keys = ["slash", *token[:6], "enter", "s", "r", "l", "n"]
        assert len(keys) < 20
        await pilot.press(*keys[:8])
        await until(pilot, lambda: token[:6] in (app.selection.token.text if app.selection.token else ""))
        await pilot.press("s")
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 2)
        await pilot.press("l")
        await until(pilot, lambda: len(asked(app, ReadLogprobs)) == 1)
        await until(pilot, lambda: ", nats" in screen_text(app))
        await pilot.press("n")
        await until(pilot, lambda: len(asked(app, FindNeighbours)) == 1)
        for step in asked(app, RepeatBack):
            assert isinstance(step.outcome, RepeatBackResult)
            assert step.outcome.probe.exact == 0
        table = asked(app, ReadLogprobs)[0].outcome
        assert isinstance(table, LogprobTable)
        assert [column.model for column in table.columns] == ["mynah", "mynah-instruct"]
        assert isinstance(asked(app, FindNeighbours)[0].outcome, Neighbourhood)
        assert len(asked(app, LoadModel)) == 2


@pytest.mark.parametrize("size", SIZES)
async def test_every_tab_and_dialogue_opens_and_closes(engine: Engine, tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(engine, tmp_path, size) as (app, pilot):
        for key in ("2", "3", "4", "5", "1", "f2", "f1"):
            await pilot.press(key)
            await pilot.pause()
        for key in ("question_mark", "m", "u", "N", "ctrl+l", "ctrl+p"):
            await pilot.press(key)
            await until(pilot, lambda: len(app.screen_stack) == 2)
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)
        assert app.is_running


def test_every_command_has_an_act_and_no_two_share_a_key(engine: Engine, tmp_path: Path) -> None:
    keys = [key for command in COMMANDS for key in command.key.split(",")]
    assert len(keys) == len(set(keys))
    app = ExplorerApp(DirectClient(engine), SessionWriter(tmp_path / "s.jsonl"), Settings())  # type: ignore[arg-type]
    assert sorted(app.dispatcher.acts) == sorted(command.name for command in COMMANDS)


async def test_keys_can_be_changed_in_the_settings(engine: Engine, tmp_path: Path) -> None:
    session = SessionWriter(tmp_path / "s.jsonl")
    settings = Settings(models=(), keys={"help": "ctrl+k"})
    app = ExplorerApp(DirectClient(engine), session, settings)  # type: ignore[arg-type]
    async with on_screen(app) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        await pilot.press("ctrl+k")
        await until(pilot, lambda: len(app.screen_stack) == 2)


async def test_a_model_typed_in_the_dialogue_is_loaded_as_the_settings_say(engine: Engine, tmp_path: Path) -> None:
    session = SessionWriter(tmp_path / "s.jsonl")
    settings = Settings(models=(), dtype="float32", tokenizer="no/such", chat_day="2026-11-28")
    app = ExplorerApp(DirectClient(engine), session, settings)  # type: ignore[arg-type]
    async with on_screen(app) as pilot:
        await until(pilot, lambda: app.is_open)
        await pilot.press("m")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("tab", *"zoo:none", "enter")
        await until(pilot, lambda: len(asked(app, LoadModel)) == 1)
        request = asked(app, LoadModel)[0].request
    assert request == LoadModel(source="zoo:none", dtype="float32", tokenizer="no/such", chat_day="2026-11-28")


async def test_marks_and_notes_are_steps(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        assert app.selection.token is not None
        token_id = app.selection.token.token_id
        await pilot.press("space")
        await until(pilot, lambda: len(asked(app, MarkToken)) == 1)
        assert app.selection.marked == {token_id}
        await pilot.press("N")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await type_words(pilot, "odd one [/b]")
        await pilot.press("enter")
        await until(pilot, lambda: len(asked(app, WriteNote)) == 1)
        note = asked(app, WriteNote)[0].request
        assert isinstance(note, WriteNote)
        assert note.text == "odd one [/b]"
        await pilot.press("space")
        await until(pilot, lambda: len(asked(app, MarkToken)) == 2)
        assert app.selection.marked == frozenset()


async def test_enter_records_everything_known_of_a_token_and_resting_on_it_does_not(
    engine: Engine, tmp_path: Path
) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("down", "down")
        await until(pilot, lambda: not app.runs.running)
        assert asked(app, InspectToken) == []
        await pilot.press("enter")
        await until(pilot, lambda: len(asked(app, InspectToken)) == 1)


async def test_a_settled_view_is_recorded_with_the_rows_round_the_cursor(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("s", "d")
        await until(pilot, lambda: any(step.request.descending for step in asked(app, RankTokens)))  # type: ignore[union-attr]
        outcome = asked(app, RankTokens)[-1].outcome
        assert isinstance(outcome, RankedTokens)
        assert app.selection.token is not None
        assert app.selection.token.token_id in [row.token_id for row in outcome.rows]
        assert outcome.total == 3072


async def test_a_model_that_cannot_be_loaded_is_said_and_the_rest_goes_on(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:dodo", "zoo:mynah")) as (app, _):
        assert "dodo" in app.models.failures["zoo:dodo"].reason
        assert app.selection.model is not None
        assert app.selection.model.name == "mynah"
        assert app.is_running


async def test_what_could_not_be_loaded_is_listed_with_its_reason(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:dodo", "zoo:mynah")) as (app, pilot):
        await pilot.press("m")
        await until(pilot, lambda: "✗ zoo:dodo" in screen_text(app))
        to_it = ["down"] * len(app.selection.roster.models)  # the engine of these tests may hold others too
        await pilot.press(*to_it)
        await until(pilot, lambda: "could not be loaded" in screen_text(app))
        assert app.models.failures["zoo:dodo"].reason[:20] in screen_text(app)
        await pilot.press("enter")  # which tries again
        await until(pilot, lambda: len(asked(app, LoadModel)) == 3)
        await until(pilot, lambda: "zoo:dodo" in app.models.failures and not app.runs.running)
        await pilot.press("m")
        await until(pilot, lambda: "✗ zoo:dodo" in screen_text(app))
        await pilot.press(*to_it, "x")
        await until(pilot, lambda: not app.models.failures and "dodo" not in screen_text(app))


async def test_the_next_model_is_shown_without_losing_the_first(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: app.selection.model is not None and app.selection.model.name == "mynah-instruct")
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: app.selection.model is not None and app.selection.model.name == "mynah")
        await until(pilot, lambda: app.selection.token is not None)


async def test_quitting_leaves_a_whole_session(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (_, pilot):
        await pilot.press("r")
        await pilot.press("q")
        await pilot.pause()
    assert read_session(tmp_path / "session.jsonl").warning == ""


async def test_a_key_asks_about_the_row_under_the_cursor_however_fast_it_follows(
    engine: Engine, tmp_path: Path
) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        app.simulate_key("down")
        app.simulate_key("down")
        app.simulate_key("n")
        await until(pilot, lambda: len(asked(app, FindNeighbours)) == 1)
        row = app.workspace.token_pane.row_under_cursor()
        request = asked(app, FindNeighbours)[0].request
        assert row is not None
        assert isinstance(request, FindNeighbours)
        assert request.token_id == row.token_id
        assert app.workspace.token_pane.table.cursor == 2


async def test_where_all_values_stand_is_worked_out_beside_the_loop(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers: set[int] = set()

    def rank(values: table.Column, among: table.Column) -> npt.NDArray[np.float64]:
        workers.add(threading.get_ident())
        return midrank_percentiles(values, among)

    async with running(engine, tmp_path, models=MODELS[:1]) as (app, pilot):
        columns = app.selection.columns
        assert columns is not None
        drawn = {columns.default_indicator: columns.percentiles(columns.default_indicator)}
        monkeypatch.setattr(columns, "_percentiles", drawn)  # as before the vocabulary was warm
        monkeypatch.setattr(table, "midrank_percentiles", rank)
        await pilot.press("i")
        await until(pilot, lambda: len(asked(app, InspectToken)) == 1)
        assert drawn.keys() == columns.indicators.keys()
    assert workers
    assert threading.get_ident() not in workers


async def test_esc_in_a_field_of_a_box_leaves_the_box(tmp_path: Path) -> None:
    async with running(Engine(), tmp_path, models=()) as (app, pilot):
        await pilot.press("m", "tab")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "model-source")
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_with_no_row_in_the_table_nothing_is_asked(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path) as (app, pilot):
        await pilot.press("slash", *"qqqq", "enter")
        await until(pilot, lambda: app.workspace.token_pane.row_under_cursor() is None)
        await pilot.press("r")
        await until(pilot, lambda: app.selection.token is None)
        assert asked(app, RepeatBack) == []


@pytest.mark.parametrize("name", ["nightjar", "gull"])
async def test_the_chosen_theme_is_in_use_from_the_first_paint(engine: Engine, tmp_path: Path, name: str) -> None:
    session = SessionWriter(tmp_path / "s.jsonl")
    app = ExplorerApp(DirectClient(engine), session, Settings(models=(), theme=name))  # type: ignore[arg-type]
    wanted = read_theme(themes_dir() / f"{name}.toml")
    async with on_screen(app) as pilot:
        assert app.screen.styles.background.hex.lower() == wanted.background
        await until(pilot, lambda: app.is_open)
        assert app.screen.styles.background.hex.lower() == wanted.background
        assert app.theme_variables["ramp-0"] == wanted.variables["ramp-0"]


async def test_a_model_whose_loading_was_stopped_is_no_longer_on_its_way(tmp_path: Path) -> None:
    async with running(Engine(), tmp_path, models=("zoo:mynah",)) as (app, pilot):
        request = app.models.request_for("zoo:starling")
        app.query_one(ModelBar).set_model_loading(request.source)
        await until(pilot, lambda: "◐ starling" in screen_text(app))
        app.post_message(Answered(Step(number=0, request=request, outcome=Cancelled(), at="", seconds=0.1)))
        await until(pilot, lambda: "◐ starling" not in screen_text(app))


@pytest.mark.parametrize("source", ["model/", "~/model"])
async def test_a_source_spelt_otherwise_than_the_engine_names_it_is_not_loading_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """`model`, `model/` and `~/model` are directories; the engine calls them ./model and /home/…/model."""
    (tmp_path / "model").symlink_to(zoo_dir("starling"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with running(Engine(), tmp_path, models=(source,)) as (app, pilot):
        await until(pilot, lambda: "●[model]" in screen_text(app))
        assert "◐" not in screen_text(app).splitlines()[0]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".ban.json", ".md", ".parquet", ".bias.json"])
async def test_marked_tokens_are_exported_tested_or_not(engine: Engine, tmp_path: Path, suffix: str) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        assert app.selection.token is not None
        token_id = app.selection.token.token_id
        await pilot.press("space")
        await until(pilot, lambda: bool(app.selection.marked))
        await pilot.press("E")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        path = tmp_path / f"marked{suffix}"
        app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, path.exists)
    if suffix not in (".parquet",):
        assert str(token_id) in path.read_text()


async def test_the_reference_tokens_are_listed_with_their_bytes(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        await pilot.press("u")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert "\\xc0" in screen_text(app)


async def test_a_stopped_engine_is_named_in_place_of_an_answer(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        app.client.state = "stopped"
        before = len(steps(app))
        await pilot.press("r")
        await until(pilot, lambda: any("ctrl+r starts it again" in told.message for told in app._notifications))
        assert len(steps(app)) == before


async def test_the_palette_has_each_command_once_with_its_key_and_more(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(engine, tmp_path) as (app, pilot):
        offered = {command.title: command for command in app.get_system_commands(app.screen)}
        titles = list(offered)
        assert len(titles) == len(list(app.get_system_commands(app.screen)))
        assert {
            "Logprobs  (l)",
            "Go to Logprobs  (f3 or 3)",
            "Show mynah",
            "Unload mynah",
            "Theme: gull",
            "Load zoo:starling",
        } <= set(titles)
        keys = {key_names(command, {}): command for command in COMMANDS if command.name != "palette"}
        named = {title.rpartition("  (")[2].removesuffix(")") for title in titles if "  (" in title}
        assert named == set(keys), "every command, with its key"
        meant = [title.partition("  (")[0].casefold() for title in titles]
        assert len(set(meant)) == len(meant), "and by a name of its own"
        assert {f"Sort by {name}" for name in INDICATORS if name in app.workspace.token_pane.commands.sorts} <= {
            title.partition(" (")[0] for title in titles
        }
        offered["Sort by output_norm (‖W_U‖)"].callback()
        view = app.workspace.token_pane.views
        await until(pilot, lambda: view.view is not None and view.view.sort == "output_norm")
        offered["Save a screenshot"].callback()
        offered["Save a screenshot"].callback()
        assert "<svg" in (tmp_path / "glitch-explore-2.svg").read_text()
        await until(pilot, lambda: any("glitch-explore-2.svg" in note.message for note in app._notifications))
        offered["Theme: gull"].callback()
        assert app.theme == "gull"
        offered["Show mynah-instruct"].callback()
        await until(pilot, lambda: app.selection.model is not None and app.selection.model.name == "mynah-instruct")
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        await invoke(offered["Copy  (y)"].callback)
        await until(pilot, lambda: app.clipboard.startswith(str(app.selection.token and app.selection.token.token_id)))
        offered["Unload mynah"].callback()
        await until(pilot, lambda: "mynah" not in [info.name for info in app.selection.roster.models])
        offered["Load zoo:starling"].callback()
        await until(pilot, lambda: "starling" in [info.name for info in app.selection.roster.models])
