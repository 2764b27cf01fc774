"""A hostile vocabulary through every verb and every pane: no crash, no escape, columns aligned."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from explorer import cli
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.repeat_back import RepeatBack
from explorer.engine.handlers import Engine
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from tests.app_driver import SIZES, asked, on_screen, until
from tests.direct_client import DirectClient
from tests.hostile import HOSTILE, hostile_model

FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]")
"""Everything that moves a cursor or turns text round; newline alone ends the lines of a table."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_model(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture
def hostile_ids(model: Path, engine: Engine) -> dict[str, int]:
    vocabulary = engine.models.load(str(model)).vocabulary
    ids = {text: vocabulary.find(text.encode()) for text in HOSTILE}
    assert None not in ids.values()
    return {text: token_id for text, token_id in ids.items() if token_id is not None}


@pytest.mark.parametrize("as_json", [False, True])
def test_no_verb_prints_an_escape(
    model: Path,
    engine: Engine,
    hostile_ids: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
) -> None:
    monkeypatch.setattr("explorer.pipe.client.EngineClient", lambda command: DirectClient(engine))
    source, flags = str(model), ["--json"] if as_json else []
    runs = [["tokens", source, "--top", "600"]]
    for token_id in hostile_ids.values():
        token = ["--token-id", str(token_id)]
        runs.append(["inspect", source, *token])
        runs.append(["neighbours", source, *token, "--k", "5"])
        runs.append(["repeat", source, *token, "--max-new-tokens", "3", "--template", "string-is"])
        runs.append(["logprobs", source, *token, "--prompt", "say '{token}'", "--top", "3"])
    for words in runs:
        assert cli.main([*words, *flags]) == 0, words
        out, err = capsys.readouterr()
        assert not FORBIDDEN.search(out), (words, FORBIDDEN.search(out))
        assert not FORBIDDEN.search(err)
        if as_json:
            assert all(isinstance(json.loads(line), dict) for line in out.splitlines())


@pytest.mark.parametrize("token", ["\x1b]52;c;aGVsbG8=\x07", "[/foo]", "\u202eabc"])
def test_an_error_that_quotes_the_user_prints_no_escape(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], token: str
) -> None:
    monkeypatch.setattr("explorer.pipe.client.EngineClient", lambda command: DirectClient(engine))
    assert cli.main(["inspect", "zoo:mynah", "--token", token]) == 2
    assert not FORBIDDEN.search(capsys.readouterr().err)


@pytest.mark.parametrize(("size", "native"), [*((size, False) for size in SIZES), ((80, 24), True)])
async def test_every_pane_shows_every_hostile_token(
    engine: Engine, model: Path, hostile_ids: dict[str, int], tmp_path: Path, size: tuple[int, int], native: bool
) -> None:
    session = SessionWriter(tmp_path / "session.jsonl")
    settings = Settings(models=(str(model),), native_text=native)
    app = ExplorerApp(DirectClient(engine), session, settings)  # type: ignore[arg-type]

    def look() -> None:
        for strip in app.screen._compositor.render_strips():
            line = "".join(segment.text for segment in strip if not segment.control)
            assert not FORBIDDEN.search(line), line
            assert cell_len(line) == size[0]

    async with on_screen(app, size) as pilot:
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        look()
        # At one size every token through the panes in turn; at the others the table, the details and one token's panes.
        panes = (("repeat", RepeatBack), ("logprobs", ReadLogprobs), ("neighbours", FindNeighbours))
        for number, token_id in enumerate(hostile_ids.values(), start=1):
            app.workspace.token_pane.commands.jump_to(token_id)
            await until(pilot, lambda: app.selection.token is not None and app.selection.token.token_id == token_id)  # noqa: B023
            look()
            shown_in = panes if number == 1 else panes[number % 3 :][:1] if size == (120, 40) else ()
            for tab, kind in shown_in:
                before = len(asked(app, kind))
                app.asking.run_pane(tab)
                await until(pilot, lambda: len(asked(app, kind)) > before)  # noqa: B023
                look()
            app.workspace.show_tab("session")
            await pilot.pause(0)
            look()
        for key in ("m", "u", "question_mark"):
            await pilot.press(key)
            await until(pilot, lambda: len(app.screen_stack) == 2)
            look()
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)
        assert not any("failed" in str(notification.message) for notification in app._notifications)
    assert read_session(session.path).warning == ""
