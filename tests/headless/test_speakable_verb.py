"""`speakable` through the real command line, and what its JSON promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explorer.base.records.speakability import SpeakabilityResult
from explorer.base.sources import portable_source
from explorer.sessions.file.store import read_session
from tests.direct_client import Run

KEYS = {"token_id", "text", "mode", "bias", "own_direction_winner", "verdict", "margin", "certificate", "solid_angle"}


def test_one_token_keeps_the_contract(run: Run) -> None:
    status, (row,), _ = run("speakable", "zoo:mynah", "--token-id", "102", "--solid-angle", "--seed", "5")
    assert status == 0
    assert set(row) >= KEYS
    assert (row["token_id"], row["mode"], row["bias"], row["verdict"]) == (102, "ball", True, "speakable")
    assert row["margin"] > 0
    assert row["own_direction_winner"] != 102
    assert row["certificate"]["kind"] == "witness"
    assert len(row["certificate"]["x"]) == 96
    assert row["solid_angle"]["log10"] < 0 < row["solid_angle"]["stderr"]


@pytest.mark.parametrize(
    ("words", "mode", "bias"),
    [
        (("--mode", "cone"), "cone", False),
        (("--mode", "box", "--raw"), "box", True),
        (("--mode", "ball", "--no-bias"), "ball", False),
        (("--mode", "own_direction"), "own_direction", True),
    ],
)
def test_each_mode_says_which_question_was_answered(run: Run, words: tuple[str, ...], mode: str, bias: bool) -> None:
    status, (row,), _ = run("speakable", "zoo:starling", "--token-id", "300", *words)
    assert status == 0
    assert (row["mode"], row["bias"], row["weights"]) == (mode, bias, "raw" if "--raw" in words else "folded")
    assert row["solid_angle"] is None


def test_hard_is_what_is_asked_without_a_word_and_all_holds_it(run: Run) -> None:
    _, hard, _ = run("speakable", "zoo:mynah", "--mode", "own_direction")
    _, everything, _ = run("speakable", "zoo:mynah", "--mode", "own_direction", "--all")
    assert len(everything) == 3072
    assert hard == [row for row in everything if row["own_direction_winner"] != row["token_id"]]
    assert {row["verdict"] for row in hard} == {"undecided"}


def test_an_export_passes_the_check_and_a_corrupted_one_fails_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "proofs.jsonl"
    status, (shown,), said = run("speakable", "zoo:mynah", "--hard", "--export", str(file), as_json=False)
    assert status == 0
    assert "tokens written to proofs.jsonl" in said
    assert "hard to speak" in shown["text"]
    assert "\x1b" not in shown["text"]
    count = len(file.read_text().splitlines()) - 1
    status, (checked,), _ = run("speakable", "--check", str(file))
    assert (status, checked["proved"], checked["refused"]) == (0, count, [])
    assert run("speakable", "zoo:mynah", "--check", str(file))[0] == 0

    lines = file.read_text().splitlines()
    at = next(place for place, line in enumerate(lines) if '"witness"' in line)
    row = json.loads(lines[at])
    row["certificate"]["x"][0] += 1.0
    file.write_text("\n".join([*lines[:at], json.dumps(row), *lines[at + 1 :]]) + "\n")
    status, (checked,), said = run("speakable", "--check", str(file))
    assert status == 1
    assert checked["refused"] == [row["token"]["token_id"]]
    assert "do not hold" in said

    assert run("speakable", "zoo:starling", "--check", str(file))[0] == 1
    for broken in ("", "\n".join(lines[:-1]), "\n".join([*lines[:-1], lines[1]]), "\n".join([*lines, "{"]), "{}"):
        file.write_text(broken)
        status, rows, said = run("speakable", "--check", str(file))
        assert (status, rows) == (1, [])
        assert said.count("\n") == 1


@pytest.fixture(scope="module")
def proved() -> list[str]:
    """What the first test that asked for `exported` got: sampling an angle takes seconds."""
    return []


@pytest.fixture
def exported(run: Run, tmp_path: Path, proved: list[str]) -> Path:
    """The proof of one token, with its solid angle, in a file of the test's own."""
    file = tmp_path / "proofs.jsonl"
    if not proved:
        words = ("--token-id", "102", "--solid-angle", "--seed", "5", "--export", str(file))
        assert run("speakable", "zoo:mynah", *words)[0] == 0
        proved.append(file.read_text())
    file.write_text(proved[0])
    return file


def changed(file: Path, line: int, edit: Callable[[dict[str, Any]], object]) -> None:
    rows = [json.loads(one) for one in file.read_text().splitlines()]
    edit(rows[line])
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_what_was_not_checked_is_told(run: Run, exported: Path) -> None:
    status, (shown,), _ = run("speakable", "--check", str(exported), as_json=False)
    assert status == 0
    text = " ".join(shown["text"].split())
    assert "1 proved, 0 undecided, 0 refused; solid angles are estimates and were not checked" in text


def test_proofs_of_other_weights_are_named(run: Run, exported: Path) -> None:
    changed(exported, 0, lambda header: header.update(weights_digest="0" * 64))
    status, rows, said = run("speakable", "--check", str(exported))
    assert (status, rows) == (1, [])
    assert "about other weights than those of mynah" in said
    assert said.count("\n") == 1


def unspeakable(token_ids: list[int], weights: list[float], centre: float = 0.0) -> Callable[[dict[str, Any]], object]:
    proof = {"kind": "weights", "token_ids": token_ids, "weights": weights, "centre": centre}
    claim = {"verdict": "unspeakable", "margin": 0.0, "on_sphere": None, "solid_angle": None, "certificate": proof}
    return lambda row: row.update(claim)


@pytest.mark.parametrize(
    "edit",
    [
        unspeakable([300], [5e-324]),
        unspeakable([300], [1e-170]),
        unspeakable([], [], 5e-324),
        unspeakable([300, 301], [1e308, 1e308]),
        unspeakable([2**63], [1.0]),
        unspeakable([2**40], [1.0]),
        lambda row: row["token"].update(text="nonsense"),
        lambda row: row["solid_angle"].update(log10=5.0),
        lambda row: row["certificate"].update(x=[1e308] * 96),
        lambda row: row["certificate"].update(x=[one * 1e-170 for one in row["certificate"]["x"]]),
    ],
)
def test_false_claims_are_refused_one_by_one(
    run: Run, exported: Path, edit: Callable[[dict[str, Any]], object]
) -> None:
    changed(exported, 1, edit)
    status, (found,), said = run("speakable", "--check", str(exported))
    assert (status, found["refused"], found["proved"]) == (1, [102], 0)
    assert "do not hold: 102" in said
    assert "bug" not in said


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (unspeakable([2**70], [1.0]), "line 2 of proofs.jsonl is not a certificate"),
        (lambda row: row["token"].update(token_id=2**70), "line 2 of proofs.jsonl is not a certificate"),
        (lambda row: row["solid_angle"].update(seed=2**70), "line 2 of proofs.jsonl is not a certificate"),
        (lambda row: row["token"].update(token_id=2**63), f"token {2**63} of mynah is padding or out of range"),
    ],
)
def test_numbers_too_large_to_be_sent_are_told_by_their_line(
    run: Run, exported: Path, edit: Callable[[dict[str, Any]], object], said: str
) -> None:
    changed(exported, 1, edit)
    status, rows, error = run("speakable", "--check", str(exported))
    assert (status, rows) == (1, [])
    assert said in error
    assert error.count("\n") == 1
    assert "bug" not in error


def test_a_session_holds_the_summary_and_not_the_certificates(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    assert run("speakable", "zoo:mynah", "--all", "--mode", "own_direction", "--session", str(file))[0] == 0
    steps = read_session(file).steps
    assert [type(step.outcome).__name__ for step in steps] == ["ModelLoaded", "SpeakabilityResult"]
    assert isinstance(steps[-1].outcome, SpeakabilityResult)
    assert steps[-1].outcome.tokens == 3072
    assert file.stat().st_size < 60_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("weights:zoo:mynah", "--token-id", "5"), "final norm"),
        (("zoo:mynah", "--mode", "cone", "--bias", "--token-id", "5"), "no bias"),
        (("--check", "/nowhere/proofs.jsonl"), "cannot be read"),
    ],
)
def test_a_failure_is_one_line_on_stderr_and_status_1(run: Run, words: tuple[str, ...], said: str) -> None:
    status, rows, error = run("speakable", *words)
    assert (status, rows) == (1, [])
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("x", "--all", "--hard"),
        ("x", "--all", "--solid-angle"),
        ("x", "--raw", "--folded"),
        ("x", "--mode", "sphere"),
        ("x", "--export", "y", "--check", "z"),
        ("x", "--all", "--export", "proofs.csv"),
    ],
)
def test_wrong_usage_is_status_2(run: Run, words: tuple[str, ...]) -> None:
    assert run("speakable", *words)[0] == 2


def test_a_file_about_a_model_in_a_folder_names_no_folder_and_asks_for_the_model(
    run: Run, exported: Path, tmp_path: Path
) -> None:
    assert portable_source("/home/me/models/mynah") == "…/mynah"

    def moved(header: dict[str, Any]) -> None:
        header["source"] = portable_source("/home/me/models/mynah")

    changed(exported, 0, moved)
    status, rows, said = run("prove", "--check", str(exported))
    assert (status, rows) == (1, [])
    assert "is about …/mynah, a model in a folder" in said
    assert run("prove", "zoo:mynah", "--check", str(exported))[0] == 0
