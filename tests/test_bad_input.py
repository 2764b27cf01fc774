"""Bad input through the real program: a clear line, and everything else goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from explorer import cli
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.engine.handlers import Engine
from explorer.pipe.client import EngineClient
from explorer.sessions.file.store import SessionWriter, read_session
from explorer.settings import Settings
from explorer.tui.live.app import ExplorerApp
from explorer.tui.widgets.model_bar import ModelBar
from tests.app_driver import asked, on_screen, running, screen_text, steps, until
from tests.direct_client import DirectClient
from tests.hostile import hostile_model


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_model(tmp_path_factory.mktemp("whole") / "model")


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(whole, tmp_path / "model"))


def without_config(model: Path) -> None:
    (model / "config.json").unlink()


def without_weights(model: Path) -> None:
    (model / "model.safetensors").unlink()


def truncated(model: Path) -> None:
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def garbage(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"\xff" * 64)


def fewer_rows_than_tokens(model: Path) -> None:
    tensors = load_file(model / "model.safetensors")
    name = next(key for key in tensors if key.endswith("wte.weight"))
    tensors[name] = tensors[name][:100].clone()
    save_file({key: value for key, value in tensors.items() if "lm_head" not in key}, model / "model.safetensors")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"vocab_size": 100}))


def asks_for_code(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(
        json.dumps(config | {"model_type": "evil", "auto_map": {"AutoModelForCausalLM": "evil.Model"}})
    )
    (model / "evil.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()")


def only_pickle(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without_config, "config.json"),
        (without_weights, "weights"),
        (truncated, "safetensors"),
        (garbage, "safetensors"),
        (fewer_rows_than_tokens, "100"),
        (asks_for_code, "code"),
        (only_pickle, "pickle"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "weights:"])
def test_a_broken_model_is_refused_in_one_line(
    engine: Engine,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    said: str,
    prefix: str,
) -> None:
    monkeypatch.setattr("explorer.pipe.client.EngineClient", lambda command: DirectClient(engine))
    damage(model)
    assert cli.main(["tokens", prefix + str(model)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert "bug" not in err
    assert not (model / "ran").exists()


def test_nan_weights_are_loaded_said_and_kept_out_of_the_numbers(
    engine: Engine, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("explorer.pipe.client.EngineClient", lambda command: DirectClient(engine))
    tensors = load_file(model / "model.safetensors")
    name = next(key for key in tensors if key.endswith("wte.weight"))
    tensors[name][7] = float("nan")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    assert cli.main(["tokens", str(model), "--top", "1000", "--json"]) == 0
    out, err = capsys.readouterr()
    rows = {row["token_id"]: row for row in map(json.loads, out.splitlines())}
    assert rows[7]["indicators"] == {}
    assert all(row["indicators"] for token_id, row in rows.items() if token_id != 7)
    assert err.count("NaN") == 1
    assert "bug" not in err
    assert cli.main(["tokens", str(model), "--top", "3"]) == 0
    out, err = capsys.readouterr()
    assert sum("NaN" in line for line in out.splitlines()) == 1
    assert err == ""
    assert cli.main(["tokens", str(model), "--where", "id:7", "--sort", "input_norm"]) == 0
    heading, row, *_ = capsys.readouterr().out.partition("place")[2].splitlines()
    heading = f"place{heading}"
    assert heading.split() == ["place", "id", "token", "category", "input_norm", "percentile", "of", "input_norm"]
    assert row.split()[-2:] == ["–", "–"]
    assert cli.main(["neighbours", str(model), "--token-id", "7"]) == 1
    assert "NaN" in capsys.readouterr().err


async def test_a_full_disk_is_shown_at_once_and_work_goes_on(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(engine, tmp_path, models=("zoo:mynah",)) as (app, pilot):

        def full(descriptor: int, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        remarks: list[str] = []
        tell = app.remark

        def remark(text: str, *, problem: bool = False) -> None:
            remarks.append(text)
            tell(text, problem=problem)

        app.remark = remark  # type: ignore[method-assign]
        await pilot.press("n")
        await until(pilot, lambda: bool(app.session.trouble))
        await pilot.press("l")
        await until(pilot, lambda: len(asked(app, ReadLogprobs)) == 1 and app.session.unwritten > 1)
        (told,) = remarks
        assert "Session not written: No space left" in told
        await pilot.press("5")
        await until(pilot, lambda: "No space left" in screen_text(app))
        monkeypatch.undo()
        await pilot.press("space")
        await until(pilot, lambda: len(remarks) == 2)
        assert "written again" in remarks[-1]
        assert read_session(app.session.path).steps == steps(app)


async def test_an_engine_killed_in_the_middle_can_be_restarted_and_the_session_is_whole(tmp_path: Path) -> None:
    session = SessionWriter(tmp_path / "session.jsonl")
    client = EngineClient()
    app = ExplorerApp(client, session, Settings(models=("zoo:mynah",)))
    async with on_screen(app, (120, 40)) as pilot:
        await until(pilot, lambda: app.selection.token is not None and not app.runs.running)
        assert client.hello is not None
        os.kill(client.hello.pid, signal.SIGSTOP)  # so that the request is surely under way
        await pilot.press("r")
        await until(pilot, lambda: bool(app.runs.running))
        os.kill(client.hello.pid, signal.SIGKILL)
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 1)
        failure = asked(app, RepeatBack)[0].outcome
        assert isinstance(failure, Failure)
        assert "signal 9" in failure.message
        assert app.query_one(ModelBar).state.engine == "stopped"
        await pilot.press("ctrl+r")
        await until(pilot, lambda: bool(app.selection.roster.models) and not app.runs.running)
        await pilot.press("r")
        await until(pilot, lambda: len(asked(app, RepeatBack)) == 2)
        assert isinstance(asked(app, RepeatBack)[1].outcome, RepeatBackResult)
        await pilot.press("q")
    assert read_session(session.path).warning == ""
