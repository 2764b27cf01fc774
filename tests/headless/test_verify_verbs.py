"""`verify` and `selftest` through the real command line, and what their JSON promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from explorer.base.records.verification import VERDICTS, VerificationResult
from explorer.base.shares import wilson_interval
from explorer.sessions.file.store import read_session
from tests.direct_client import Run

FEW = ("--top-percent", "2", "--definitions", "glitchminer,substring,geometric")


def test_verify_keeps_its_contract(run: Run) -> None:
    status, rows, _ = run("verify", "zoo:mynah", *FEW)
    assert status == 0
    assert len(rows) == 57  # 2 % of the ok tokens that are no reference tokens, ties of the threshold with them
    for row in rows:
        assert {"token_id", "text", "category", "indicators", "verdicts"} <= set(row)
        assert set(row["verdicts"]) == {"glitchminer", "substring", "geometric:input_norm"}
        for cell in row["verdicts"].values():
            assert set(cell) == {"verdict", "value"}
            assert cell["verdict"] in VERDICTS[:4]
    assert all(row["verdicts"]["geometric:input_norm"]["verdict"] == "verified" for row in rows)


def test_resuming_gives_the_same_rows_and_so_does_starting_afresh(run: Run) -> None:
    words = ("verify", "zoo:mynah", "--token-ids", "907,400,1213", "--definitions", "glitchminer,plain")
    first, resumed, fresh = (run(*words, *more)[1] for more in ((), ("--resume",), ("--fresh",)))
    assert [row["token_id"] for row in first] == [907, 400, 1213]
    assert first == resumed == fresh


def test_a_prompt_that_does_not_fit_is_said_and_nothing_is_verified_without_it(run: Run, shared: Path) -> None:
    source = str(shared / "models" / "stories260K")
    words = ("verify", source, "--token-ids", "300,310,400", "--definitions", "magikarp")
    left_out = "left out: magikarp-20-shot takes 557 tokens"
    status, rows, said = run(*words)
    assert status == 0
    assert {row["verdicts"]["magikarp"]["verdict"] for row in rows} <= {"inconclusive", "rejected"}
    assert left_out in said
    _, (shown,), said = run(*words, as_json=False)
    assert left_out in shown["text"]
    assert left_out not in said


def test_what_is_all_on_disk_is_counted_as_from_disk(run: Run, tmp_path: Path) -> None:
    words = ("verify", "zoo:mynah", "--token-ids", "907,400,1213", "--definitions", "glitchminer,plain")
    run(*words, as_json=False)
    _, (shown,), _ = run(*words, "--session", str(tmp_path / "again.jsonl"), as_json=False)
    assert "0 prompts answered, 38 answers from disk" in shown["text"]
    outcome = read_session(tmp_path / "again.jsonl").steps[-1].outcome
    assert isinstance(outcome, VerificationResult)
    assert (outcome.answered, outcome.reused, outcome.tokens_per_second) == (0, 2 * (3 + 16), 0)


def test_the_table_shows_definitions_truths_and_overlaps(run: Run) -> None:
    status, (shown,), _ = run("verify", "zoo:mynah", *FEW, as_json=False)
    assert status == 0
    for words in ("glitchminer", "geometric:input_norm", "valley", "withheld", "recall", "Jaccard", "prompts answered"):
        assert words in shown["text"]
    assert "\x1b" not in shown["text"]


@pytest.mark.parametrize("name", ["x.csv", "x.md", "x.jsonl", "x.json"])
def test_chosen_tokens_are_exported(run: Run, tmp_path: Path, name: str) -> None:
    form = ("--format", "logit-bias") if name == "x.json" else ()
    words = ("verify", "zoo:mynah", *FEW, "--export", str(tmp_path / name), *form)
    status, _, said = run(*words, as_json=False)
    assert status == 0
    assert "tokens written to" in said
    content = (tmp_path / name).read_text()
    if form:
        assert set(json.loads(content).values()) == {-100.0}
    else:
        assert "BobbinAlbat" in content


def test_a_session_holds_the_summary_and_not_the_matrix(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    status, rows, _ = run("verify", "zoo:mynah", *FEW, "--session", str(file))
    assert status == 0
    kinds = [type(step.outcome).__name__ for step in read_session(file).steps]
    assert kinds == ["ModelLoaded", "VerificationResult"]
    outcome = read_session(file).steps[-1].outcome
    assert isinstance(outcome, VerificationResult)
    assert outcome.tokens == len(rows)
    assert file.stat().st_size < 200_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("verify", "weights:zoo:mynah"), "embedding"),
        (("selftest", "weights:zoo:mynah"), "embedding"),
    ],
)
def test_a_failure_is_one_line_on_stderr_and_status_1(run: Run, words: tuple[str, ...], said: str) -> None:
    status, rows, error = run(*words)
    assert (status, rows) == (1, [])
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--definitions", "fashion"), "fashion"),
        (("--indicator", "beauty"), "beauty"),
        (("--controls", "-1"), "-1 controls"),
        (("--samples", "999"), "999 samples"),
        (("--where", "beauty<3"), "beauty"),
        (("--chat-day", "Monday"), "Monday"),
    ],
)
def test_what_makes_no_sense_is_one_line_on_stderr_and_status_2(run: Run, words: tuple[str, ...], said: str) -> None:
    status, rows, error = run("verify", "zoo:mynah", "--top-percent", "2", *words)
    assert (status, rows) == (2, [])
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("verify", "zoo:mynah", "--top-percent", "200"),
        ("verify", "zoo:mynah", "--top-percent", "0"),
        ("verify", "zoo:mynah", "--token-ids", "9-5"),
        ("verify", "x", "--all", "--top-percent", "2"),
        ("verify", "x", "--resume", "--fresh"),
        ("verify", "x", "--format", "docx"),
    ],
)
def test_wrong_usage_is_status_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words)[0] == 2


def test_selftest_says_what_it_compared(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the model whose list is the zoo card; the 20 shots, which take nine tenths of the time, left out."""
    from explorer.engine.answers.verification import definitions

    monkeypatch.setattr(definitions, "_MAGIKARP", (definitions.DIALOGUE, definitions.REPEATS))
    status, (row,), _ = run("selftest", "zoo:mynah")
    assert status == 0
    assert row["list_name"] == "the zoo card of mynah"
    assert row["within_a_decade"] is None
    assert row["score"]["recall"] >= 0.98
    _, (shown,), _ = run("selftest", "zoo:mynah", as_json=False)
    assert "withheld" in shown["text"]
    assert "not available" in shown["text"]


def test_a_line_has_precision_and_recall_with_intervals_of_the_tokens_tested(run: Run) -> None:
    words = ("verify", "zoo:mynah", *FEW)
    tokens = run(*words)[1]
    line = sorted(row["indicators"]["input_norm"] for row in tokens)[20]
    status, found, _ = run(*words, "--at", f"input_norm<={line}")
    assert status == 0
    assert [row["definition"] for row in found] == ["glitchminer", "substring", "geometric:input_norm"]
    for row in found:
        verdicts = {token["token_id"]: token["verdicts"][row["definition"]]["verdict"] for token in tokens}
        decided = {token_id for token_id, verdict in verdicts.items() if verdict in ("verified", "weak", "rejected")}
        called = {token_id for token_id in decided if verdicts[token_id] != "rejected"}
        below = {token["token_id"] for token in tokens if token["indicators"]["input_norm"] <= line} & decided
        assert (row["line"], row["side"], row["tested"]) == (line, "low", len(decided))
        assert (row["precision_part"], row["precision_of"]) == (len(below & called), len(below))
        assert (row["recall_part"], row["recall_of"]) == (len(below & called), len(called))
        assert (row["precision_low"], row["precision_high"]) == wilson_interval(len(below & called), len(below))
    _, (shown,), _ = run(*words, "--at", f"input_norm>={line}", as_json=False)
    assert f"input_norm>={line}, among the {len(tokens)} tokens tested" in shown["text"]
    assert "precision" in shown["text"]


@pytest.mark.parametrize(
    "line", ["input_norm", "input_norm<0.9", "pct:input_norm<=2", "norm<=1 input_norm<=2", "no_such<=1"]
)
def test_what_is_no_line_is_refused_before_anything_is_asked(run: Run, line: str) -> None:
    status, _, said = run("verify", "zoo:mynah", *FEW, "--at", line)
    assert status == 2
    assert "Traceback" not in said
    assert "input_norm" in said
