"""What is under the cursor goes to the clipboard, and one line says what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from textual.pilot import Pilot

from explorer.base.errors import ExplorerError
from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.speakability import ProveSpeakability
from explorer.engine.handlers import Engine
from explorer.tui.live.app import ExplorerApp
from explorer.tui.panes.clips import whole_clip
from explorer.tui.panes.takeaway import Takeaway, as_it_is
from explorer.tui.shell.copying import MOST_BYTES
from explorer.tui.shell.stage import Stage
from explorer.tui.widgets.row_list import RowList
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


async def test_every_form_can_be_chosen(engine: Engine, tmp_path: Path) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):
        token = app.selection.token
        assert token is not None
        labels = await offered(app, pilot)
        assert [label.split(",")[0].split(" of ")[0] for label in labels[:5]] == [
            "the text", "the id", "the bytes", "the row", "the row and the headings"
        ]  # fmt: skip
        assert await copy(app, pilot, "Y", "2") == str(token.token_id)
        assert (await copy(app, pilot, "Y", "5")).split("\t")[:2] == ["token_id", "token_bytes"]
        norm = next(place for place, label in enumerate(labels) if label.startswith("input_norm, "))
        copied = await copy(app, pilot, "Y", *["down"] * norm, "enter")
        assert float(copied) == pytest.approx(token.indicators["input_norm"], rel=1e-6)
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 1 and not app.runs.running)
        result = asked(app, RepeatBack)[0].outcome
        assert isinstance(result, RepeatBackResult)
        labels = await offered(app, pilot)
        assert labels[3] == "the prompt of mynah"
        assert await copy(app, pilot, "Y", "4") == result.probe.prompt
        assert await copy(app, pilot, "Y", "5") == as_it_is(result.probe.replies[0].reply)
        await pilot.press("l")
        await until(pilot, lambda: len(asked(app, ReadLogprobs)) == 1 and not app.runs.running)
        table = asked(app, ReadLogprobs)[0].outcome
        assert isinstance(table, LogprobTable)
        labels = await offered(app, pilot)
        assert await copy(app, pilot, "Y", "5") == str(table.columns[0].cells[0].logprob)
        await pilot.press("a")
        await until(pilot, lambda: len(asked(app, ProveSpeakability)) == 4 and not app.runs.running)
        labels = await offered(app, pilot)
        place = next(place for place, label in enumerate(labels) if label.startswith("the certificate: "))
        assert json.loads(await copy(app, pilot, "Y", *["down"] * place, "y"))["kind"]


async def offered(app: ExplorerApp, pilot: Pilot[None]) -> list[str]:
    """What the list of `Y` offers; it is left again."""
    await pilot.press("Y")
    await until(pilot, lambda: len(app.screen_stack) == 2)
    labels = [row.plain[2:] for row in app.screen.query_one(RowList).rows]
    await pilot.press("escape")
    await until(pilot, lambda: len(app.screen_stack) == 1)
    return labels


def test_what_controls_a_terminal_is_escaped_where_lines_are_kept() -> None:
    assert as_it_is("a\n\tb \u00e9") == "a\n\tb \u00e9"
    assert as_it_is("\x1b[2J\u202e\r") == "\\u{1b}[2J\\u{202e}\\r"


def test_a_whole_vocabulary_is_not_made_into_one_text() -> None:
    made: list[int] = []

    def rows(_: object) -> Iterator[dict[str, int]]:
        for token_id in range(262_144):
            made.append(token_id)
            yield {"token_id": token_id}

    with pytest.raises(ExplorerError, match="too much to copy"):
        whole_clip(Takeaway("the tokens", rows)).make()
    assert len(made) < 6_000
    assert whole_clip(Takeaway("the tokens", lambda _: [{"a": 1}, {"b": 2}])).make() == "a\tb\n1\t\n\t2"
