"""Every key that the screen names does something, or says why not: in panes, boxes and dialogues, live and replayed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from explorer.base.records.models import LoadModel
from explorer.engine.handlers import Engine
from explorer.tui.panes.map.canvas import MapCanvas
from explorer.tui.panes.map.plots_view import PlotsView
from explorer.tui.shell.commands import COMMANDS, REPLAY_COMMANDS, Command
from tests.app_driver import running, until
from tests.hint_driver import Presser
from tests.replay_driver import replaying
from tests.tui.snapshot_samples import write_tour

SAMPLES = sorted((Path(__file__).parents[2] / "sample_sessions").glob("*.jsonl"))
ASKING = ("r", "l", "n", "a", "M")
"""Keys that ask something quickly."""
DIALOGUES = ("question_mark", "ctrl+l", "ctrl+o", "ctrl+s", "N", "e", "Y", "u", "m")
"""Keys that open dialogues; last that in which the model is unloaded."""
ONLY_REPLAYED = tuple(command for command in REPLAY_COMMANDS if command not in COMMANDS)
QUIETLY = {"cancel"}
"""Commands that may find nothing to do and need not say so."""
TURNED = {"zoom", "play", "only_token", "only_model"}
"""Commands that are given a second time, so that all is as it was."""


async def try_commands(presser: Presser, commands: tuple[Command, ...]) -> None:
    """Press a key of each command at the token table, of that which shows the table elsewhere."""
    for command in [each for each in commands if each.name not in QUIETLY]:
        key = command.key.split(",")[-1]
        tab = "session" if command.name == "show_tokens" else "tokens"
        await presser.try_key(key, f"command {command.name}", partial(presser.show_tab, tab))
        if command.name in TURNED:
            await presser.press(key)


async def test_every_key_that_is_named_acts_or_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(Engine(), tmp_path, (80, 24), models=()) as (app, pilot):
        presser = Presser(app)
        await presser.try_panes(state="no model")
        await try_commands(presser, COMMANDS)
        app.models.load(LoadModel(source="zoo:mynah"))
        await until(pilot, lambda: app.selection.token is not None)
        await presser.try_panes(state="no answer", only_content=True)
        await presser.press("1", *ASKING)
        await until(pilot, lambda: not app.runs.running)
        await presser.try_panes(state="answered", only_content=True)
        canvas, plots = app.query_one(MapCanvas), app.query_one(PlotsView)

        def select() -> None:
            presser.give_keys("map", canvas)
            canvas.action_drop()
            canvas.action_select("first")
            canvas.action_move(3, 2)

        select()
        hinted = [key.hint for key in presser.named(canvas) if key.owner is canvas]
        assert [hint.label for hint in hinted[:4]] == ["filter", "mark", "shape", "drop"]
        for hint in hinted[:4]:
            await presser.try_key(hint.press, "map, selected", select)
        await presser.press("0", "h")
        await presser.try_widget("map", plots, "answered")
        await presser.press("1")
        for key in DIALOGUES:
            await presser.try_dialogue(key)
    assert not presser.silent, "\n".join(presser.silent)


async def test_every_key_that_a_replay_names_acts_or_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    silent, pressed = [], set[tuple[object, ...]]()
    for session in (write_tour(tmp_path / "tour.jsonl"), *SAMPLES):
        async with replaying(session, (80, 24)) as (app, _):
            presser = Presser(app)
            presser.pressed = pressed
            if session != SAMPLES[0]:
                await presser.press("greater_than_sign")
            await presser.try_panes(state="replayed", only_content=session in SAMPLES)
            await try_commands(presser, ONLY_REPLAYED if session == SAMPLES[0] else ())
        silent += [f"{session.stem}: {each}" for each in presser.silent]
    assert not silent, "\n".join(silent)
