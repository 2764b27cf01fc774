"""What is under the cursor goes to the clipboard, and one line says what."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from textual.pilot import Pilot

from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.engine.handlers import Engine
from explorer.tui.shell.copying import MOST_BYTES
from explorer.tui.shell.stage import Stage
from tests.app_driver import asked, running, settled, until


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


async def copy(app: Stage, pilot: Pilot[None], *keys: str) -> str:
    """Press the keys (`y` where none is named); what was copied."""
    told: list[str] = []
    with patch.object(app, "notify", side_effect=lambda message, **_: told.append(str(message))):  # notices go by time
        for key in keys or ("y",):
            await pilot.press(key)
            await settled(pilot)
        await until(pilot, lambda: bool(told))
    assert told[-1].startswith("Copied ")
    return app.clipboard


async def test_rows_replies_and_tokens_are_copied(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        token = app.selection.token
        assert token is not None
        cells = (await copy(app, pilot)).split("\t")
        assert cells[:2] == [str(token.token_id), token.token_bytes]
        assert "\n" not in app.clipboard
        written = await copy(app, pilot, "Y", "enter")
        assert written == token.text or not token.text.isprintable()
        await pilot.press("n")
        await until(pilot, lambda: len(asked(app, FindNeighbours)) == 1)
        found = asked(app, FindNeighbours)[0].outcome
        assert isinstance(found, Neighbourhood)
        await pilot.press("down")
        assert str(found.neighbours[1].token.token_id) in (await copy(app, pilot)).split("\t")
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 1 and not app.runs.running)
        result = asked(app, RepeatBack)[0].outcome
        assert isinstance(result, RepeatBackResult)
        assert (await copy(app, pilot)).count("\nreply ") == len(result.probe.replies)
        await pilot.press("l")
        await until(pilot, lambda: len(asked(app, ReadLogprobs)) == 1 and not app.runs.running)
        heading, *rows = (await copy(app, pilot)).splitlines()
        assert heading.split("\t")[:2] == ["model", "target"]
        assert rows
        await pilot.press("5")
        assert "mynah" in await copy(app, pilot)


async def test_nothing_and_too_much_are_not_copied(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        await pilot.press("2", "y")
        await until(pilot, lambda: any("nothing to copy" in note.message for note in app._notifications))
        app.copying.copy_text("a" * (MOST_BYTES + 1), "it")
        await until(pilot, lambda: any("Too much to copy" in note.message for note in app._notifications))
        assert app.clipboard == ""
