"""The settings' [keys] table, and keys that are typed ahead of a box."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from explorer.engine.handlers import Engine
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.panes.logprobs.view import LogprobView
from explorer.tui.shell import type_ahead
from explorer.tui.shell.commands import COMMANDS, REPLAY_COMMANDS
from explorer.tui.shell.keys import is_key, key_problems, usable_keys, without_aliases
from explorer.tui.shell.type_ahead import TypeAhead
from explorer.tui.widgets.line_input import LineInput
from tests.app_driver import on_screen, running, settled, until
from tests.direct_client import DirectClient


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.mark.parametrize("key", ["ctrl+r", "f2", "slash", "/", "question_mark", "right_square_bracket", "A"])
def test_keys_that_there_are(key: str) -> None:
    assert is_key(key)


@pytest.mark.parametrize("key", ["", "strg+r", "f99x", "ctrl+", "qq"])
def test_keys_that_there_are_not(key: str) -> None:
    assert not is_key(key)


def test_what_is_wrong_with_the_table_is_said_line_by_line() -> None:
    keys = {"halp": "f10", "help": "ctrl+nothing", "quit": "m", "play": "space", "filter": "/"}
    assert key_problems(keys, COMMANDS, REPLAY_COMMANDS) == [
        "Settings, [keys]: there is no command 'halp'.",
        "Settings, [keys]: help: there is no key 'ctrl+nothing'.",
        "Settings, [keys]: the key 'm' is given to models and to quit.",
    ]
    assert key_problems({}, COMMANDS) == []
    assert usable_keys(keys, COMMANDS) == {"quit": "m", "filter": "/"}


def test_names_of_earlier_releases_are_understood() -> None:
    names = without_aliases({"certify": "f6", "show_speaking": "f7", "unused": "f8", "help": "f10"})
    assert set(names) <= {command.name for command in COMMANDS}
    assert list(names.values()) == ["f6", "f7", "f8", "f10"]


async def test_errors_in_the_table_are_told_at_the_start_and_the_rest_holds(engine: Engine, tmp_path: Path) -> None:
    settings = Settings(models=(), keys={"halp": "ctrl+k", "help": "ctrl+k"})
    app = ExplorerApp(DirectClient(engine), SessionWriter(tmp_path / "s.jsonl"), settings)  # type: ignore[arg-type]
    async with on_screen(app) as pilot:
        await until(pilot, lambda: any("there is no command 'halp'" in note.message for note in app._notifications))
        await pilot.press("ctrl+k")
        await until(pilot, lambda: len(app.screen_stack) == 2)


async def test_letters_right_after_the_key_of_the_filter_are_typed_into_it(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        for key in ("slash", "m", "r", "q"):  # as commands: models, repeat, quit
            app.simulate_key(key)
        box = app.workspace.token_pane.query_one("#filter", LineInput)
        await until(pilot, lambda: box.value == "mrq")
        await settled(pilot)
        assert app.is_running
        assert len(app.screen_stack) == 1
        await pilot.press("escape", "g")
        app.simulate_key("4")
        app.simulate_key("2")
        app.simulate_key("enter")
        await until(pilot, lambda: app.workspace.token_pane.table.token_id == 42)


async def test_a_key_right_after_that_of_a_pane_is_for_the_pane(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        app.simulate_key("l")
        app.simulate_key("T")
        view = app.query_one(LogprobView)
        await until(pilot, lambda: view.view is not None)
        assert view.view is not None
        assert view.view.shape == "one"


def test_keys_wait_from_the_opening_key_on() -> None:
    ahead = TypeAhead()
    ahead.heed(["slash"])
    slash, letter = events.Key("slash", "/"), events.Key("m", "m")
    assert not ahead.keeps(letter, is_free=True)
    assert not ahead.keeps(slash, is_free=False), "in a box it is a letter"
    assert not ahead.is_waiting
    assert not ahead.keeps(slash, is_free=True)
    assert ahead.keeps(letter, is_free=True)
    assert ahead.release() == [letter]
    assert not ahead.keeps(letter, is_free=True)


def test_letters_alone_put_off_the_end_of_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(type_ahead, "monotonic", lambda: now)
    ahead = TypeAhead()
    ahead.heed(["e"])
    ahead.keeps(events.Key("e", "e"), is_free=True)
    for key in (events.Key("m", "m"), *[events.Key("escape", "\x1b")] * 8):
        now += 0.1
        assert ahead.keeps(key, is_free=True)
        assert not ahead.is_silent_for(0.9)
    assert ahead.is_silent_for(0.7), "esc pressed again and again is heard where no box comes"
