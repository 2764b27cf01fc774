"""The worked example of `docs/plugins.md`, installed: seen everywhere that a verb is seen, nothing else touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "docs" / "example_plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which pip has installed the example."""
    folder = tmp_path_factory.mktemp("site")
    words = ("install", "-q", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder), str(EXAMPLE))
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, capture_output=True)
    return folder


def run(site: Path, *words: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(site), str(REPOSITORY)))}
    return subprocess.run(
        [sys.executable, *words], env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )


def rows(site: Path, *words: str) -> list[dict[str, Any]]:
    done = run(site, "-m", "explorer", *words, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def session(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that holds a step of the example's verb."""
    path = tmp_path_factory.mktemp("sessions") / "lengths.jsonl"
    found = rows(installed, "lengths", "zoo:mynah", "--longest", "12", "--session", str(path))
    assert sum(row["tokens"] for row in found) == 3072
    assert found[0]["length"] == 1
    assert found[-1]["length"] == 12
    return path


def test_the_verb_is_on_the_command_line_and_in_its_help(installed: Path, session: Path) -> None:
    told = run(installed, "-m", "explorer", "lengths", "--help").stdout
    assert "Count token lengths." in told
    assert "--longest" in told
    shown = run(installed, "-m", "explorer", "lengths", "zoo:mynah").stdout
    assert "Token lengths" in shown


def test_its_step_is_checked_and_stands_in_the_report(installed: Path, session: Path, tmp_path: Path) -> None:
    checked = rows(installed, "replay", str(session), "--check")
    assert [row["verdict"] for row in checked if row["question"] == "count the token lengths of mynah"] == ["agree"]
    page = tmp_path / "report.html"
    assert run(installed, "-m", "explorer", "session", "report", str(session), "-o", str(page)).returncode == 0
    assert "Token lengths" in page.read_text()


def test_without_the_plug_in_its_step_is_a_damaged_line_and_the_rest_is_read(session: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "explorer", "session", "report", str(session), "-o", str(tmp_path / "report.md"))
    assert done.returncode == 0
    told = (tmp_path / "report.md").read_text()
    assert "CountLengths" in told
    assert "load zoo:mynah" in told


def test_its_indicator_is_a_column_and_can_be_filtered_by(installed: Path) -> None:
    found = rows(installed, "tokens", "zoo:mynah", "--sort", "output_range", "--where", "output_range>0", "--top", "3")
    ranges = [row["indicators"]["output_range"] for row in found]
    assert ranges == sorted(ranges)
    assert len(ranges) == 3


def test_its_definition_judges(installed: Path) -> None:
    found = rows(installed, "verify", "zoo:mynah", "--token-ids", "300,1500", "--definitions", "short")
    assert [row["verdicts"]["short"]["verdict"] for row in found] == ["rejected", "rejected"]


def test_its_key_tab_and_pane_are_in_the_explorer(installed: Path, tmp_path: Path) -> None:
    done = run(installed, str(Path(__file__).with_name("drive_lengths.py")), str(tmp_path))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["problems"] == []
    assert "Lengths" in told["pane"]
    assert "Token lengths" in told["pane"]
    assert "Count the token lengths" in told["help"]
    assert "Lengths" in told["replay"]
    assert "Token lengths" in told["replay"]


def test_a_broken_plug_in_is_named_and_left_out(installed: Path, tmp_path: Path) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[glitch_explore.specs]\nnothing = no_such_module:SPEC\n")
    done = run(tmp_path, "-m", "explorer", "nothing", "--help")
    assert "plug-in nothing of broken was left out: ModuleNotFoundError" in done.stderr
    known = run(tmp_path, "-m", "explorer", "models", "--json")
    assert known.returncode == 0
    assert "zoo:mynah" in known.stdout
