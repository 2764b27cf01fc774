"""A hostile settings file, theme, folder name and config: on every screen and in every message without an escape."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import msgspec
import pytest
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from explorer import cli
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.templates import TEMPLATES, Template
from explorer.engine.handlers import Engine
from explorer.sessions.file.store import SessionWriter
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.zoo import zoo_dir
from tests.app_driver import asked, on_screen, screen_text, settled, until
from tests.direct_client import DirectClient
from tests.test_hostile import FORBIDDEN

EVIL = "[/foo]\x1b[31m\x07\x9b2J\u202e"
CONTROLS = re.compile(FORBIDDEN.pattern.replace("\x0b-", "\x0a-"))
"""On a screen no newline is drawn either."""


class Watch(LineFilter):
    """Stands in for the last line of defence, lets everything pass, and keeps what should have been made visible."""

    found: list[str]

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        Watch.found += [each.text for each in segments if not each.control and CONTROLS.search(each.text)]
        return segments


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture
def evil_model(tmp_path: Path) -> Path:
    """A model that runs, in a folder with such a name."""
    return Path(shutil.copytree(zoo_dir("mynah"), tmp_path / EVIL.replace("/", "")))


def evil_template() -> Template:
    return msgspec.structs.replace(TEMPLATES[0], name=EVIL, question=f"{EVIL}{{token}}", prefill=EVIL, source=EVIL)


def write_settings(folder: Path, model: Path) -> Path:
    place = folder / "settings.toml"
    text = json.dumps  # a JSON string is a TOML one, but for DEL
    template = evil_template()
    place.write_text(
        f"theme = {text(EVIL)}\nmodels = [{text(str(model))}, {text('./' + EVIL)}]\ntokenizer = ''\n"
        f"lists = [{text(EVIL)}]\nstate_folder = {text(str(folder / 'state'))}\n"
        f"[keys]\nhelp = {text(EVIL)}\n{text(EVIL)} = 'x'\n"
        f"[[templates]]\nname = {text(EVIL)}\nquestion = {text(template.question)}\nprefill = {text(EVIL)}\n"
    )
    themes = folder / "themes"
    themes.mkdir()
    nightjar = (Path(cli.__file__).parent.parent / "themes" / "nightjar.toml").read_text()
    (themes / f"own{EVIL.replace('/', '')}.toml").write_text(
        re.sub(r'name = ".*"', lambda _: f"name = {text(EVIL)}", nightjar)
    )
    (themes / f"bad{EVIL.replace('/', '')}.toml").write_text(f"{text(EVIL)} = 1\n")
    return place


async def test_no_screen_draws_an_escape_of_a_setting(
    engine: Engine, evil_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from explorer.settings import read_settings

    Watch.found = []
    monkeypatch.setattr("explorer.tui.shell.stage.ControlGuard", Watch)
    place = write_settings(tmp_path, evil_model)
    settings = read_settings(place)
    session = SessionWriter(tmp_path / f"{EVIL.replace('/', '')}.jsonl")
    app = ExplorerApp(DirectClient(engine), session, settings, place)  # type: ignore[arg-type]
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        await settled(pilot)
        await pilot.press("r", "l")
        await until(pilot, lambda: len(asked(app, ReadLogprobs)) == 1 and not app.runs.running)
        for key in ("2", "3", "5", "m", "escape", "question_mark", "escape", "ctrl+p"):
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: "Cancel what is running" in screen_text(app))
        await pilot.press(*"foo")
        await until(pilot, lambda: "Unload [foo]" in screen_text(app) and "Theme: [/foo]" in screen_text(app), 20.0)
        await pilot.press("escape", "escape")
        app.looks.show(EVIL)
        await pilot.pause()
    assert Watch.found == []


async def test_what_cannot_be_loaded_as_the_settings_say_draws_no_escape(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Watch.found = []
    monkeypatch.setattr("explorer.tui.shell.stage.ControlGuard", Watch)
    settings = Settings(models=("zoo:mynah", f"zoo:{EVIL}"), device=EVIL, tokenizer=f"./{EVIL}", chat_day=EVIL)
    app = ExplorerApp(DirectClient(engine), SessionWriter(tmp_path / "s.jsonl"), settings)  # type: ignore[arg-type]
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.is_open and len(app.models.failures) == 2)
        for key in ("m", "tab", "escape", "5", "m", "down", "escape"):
            await pilot.press(key)
            await settled(pilot)
    assert Watch.found == []


def write_config(folder: Path, **changes: object) -> Path:
    place = folder / "config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": EVIL},
        {"architectures": [EVIL]},
        {"model_type": EVIL, "architectures": [EVIL], "auto_map": {EVIL: EVIL}},
        {"activation_function": EVIL},
        {"quantization_config": {"quant_method": EVIL}},
        {"torch_dtype": EVIL},
    ],
)
def test_no_message_about_a_model_prints_an_escape_of_its_config(
    engine: Engine, evil_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
) -> None:  # fmt: skip
    monkeypatch.setattr("explorer.pipe.client.EngineClient", lambda command: DirectClient(engine))
    cli.main(["tokens", str(write_config(evil_model, **changes)), "--top", "2"])
    out, err = capsys.readouterr()
    assert not FORBIDDEN.search(out + err)


def test_no_verb_prints_an_escape_of_a_setting(
    engine: Engine,
    evil_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("explorer.pipe.client.EngineClient", lambda command: DirectClient(engine))
    place = str(write_settings(tmp_path, evil_model))
    asked = ["repeat", "logprobs"]
    for verb in asked:
        for name in (EVIL, "nosuch"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("sys.exit", lambda status=0: None)
                words = [verb, str(evil_model), "--token-id", "907", "--template", name, "--settings", place]
                cli.main(words)
    cli.main(["replay", str(tmp_path / EVIL)])
    cli.main(["session", "report", str(tmp_path / EVIL), "-o", str(tmp_path / f"{EVIL}.html")])
    bad = tmp_path / f"bad{EVIL.replace('/', '')}.toml"
    for text in (f"{json.dumps(EVIL)} = 1", f"theme = '{EVIL}", f"dtype = {json.dumps(EVIL)}",
                 f"[[templates]]\nname = {json.dumps(EVIL)}\nquestion = 'no slot'"):  # fmt: skip
        bad.write_text(text)
        assert cli.main(["models", "--settings", str(bad)]) in (1, 2)
    monkeypatch.setenv("GLITCH_EXPLORE_DTYPE", EVIL)
    assert cli.main(["models"]) in (1, 2)
    out, err = capsys.readouterr()
    assert not FORBIDDEN.search(out + err)
