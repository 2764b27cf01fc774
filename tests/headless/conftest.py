"""The program run as from a command line, on one engine in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from explorer import cli
from explorer.engine.handlers import Engine
from tests.direct_client import DirectClient, Run


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Models once loaded serve all tests of a module."""
    return Engine()


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program; its status, the objects on stdout (or the text of it), and stderr."""

    def run_it(*words: str, as_json: bool = True) -> tuple[int, list[dict[str, Any]], str]:
        monkeypatch.setattr("explorer.pipe.client.EngineClient", lambda command: DirectClient(engine))
        try:
            status = cli.main([*words, *(["--json"] if as_json else [])])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        out, err = capsys.readouterr()
        return status, [json.loads(line) for line in out.splitlines()] if as_json else [{"text": out}], err

    return run_it
