"""The verbs, through the real command line, on a real model; and what their JSON promises."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from explorer.base.records.models import LoadModel
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.tokens import INDICATORS
from explorer.sessions.file.store import SessionWriter, read_session
from tests.direct_client import Run


def test_tokens_keeps_its_contract(run: Run) -> None:
    status, rows, _ = run("tokens", "zoo:mynah", "--sort", "input_centroid_distance", "--top", "20")
    assert status == 0
    assert len(rows) == 20
    for row in rows:
        assert {"token_id", "token_bytes", "text", "category", "indicators", "percentiles"} <= set(row)
        assert set(row["indicators"]) <= set(INDICATORS)
        assert bytes.fromhex(row["token_bytes"]).decode("utf-8", "replace") == row["text"]
    distances = [row["indicators"]["input_centroid_distance"] for row in rows]
    assert distances == sorted(distances)


def test_tokens_sorts_filters_and_cuts(run: Run) -> None:
    _, rows, _ = run(
        "tokens", "zoo:mynah", "--sort", "id", "--descending", "--filter", "^ th", "--category", "ok", "--top", "5"
    )
    ids = [row["token_id"] for row in rows]
    assert ids == sorted(ids, reverse=True)
    assert all(row["text"].startswith(" th") and row["category"] == "ok" for row in rows)


def test_the_percentile_is_told_of_the_sorted_indicator_or_of_the_first(run: Run) -> None:
    for sort, name in (("output_norm", "output_norm"), ("category", "input_norm")):
        words = ("tokens", "zoo:mynah", "--sort", sort, "--top", "1")
        _, (row,), _ = run(*words)
        _, (shown,), _ = run(*words, as_json=False)
        _, heading, line = shown["text"].splitlines()
        assert heading.split()[4] == heading.split()[-1] == name
        assert heading.rstrip().endswith(f"percentile of {name}")
        assert line.split()[-1] == f"{row['percentiles'][name]:.1f}"


def test_a_token_has_one_row_whichever_way_it_is_named(run: Run) -> None:
    _, by_text, _ = run("inspect", "zoo:mynah", "--token", " the")
    _, by_id, _ = run("inspect", "zoo:mynah", "--token-id", str(by_text[0]["token_id"]))
    assert by_text == by_id
    assert by_text[0]["text"] == " the"
    assert by_text[0]["merge_parents"]


def test_repeat_puts_the_id_into_the_prompt_and_says_what_came_back(run: Run) -> None:
    _, found, _ = run("inspect", "zoo:mynah", "--token", " program")
    token_id = found[0]["token_id"]
    status, rows, _ = run("repeat", "zoo:mynah", "--token", " program", "--template", "string-is")
    assert status == 0
    (row,) = rows
    assert row["template"] == "string-is"
    assert row["prompt_ids"].count(token_id) == 1
    assert row["outcome"] == "exact"
    assert row["reply_ids"][0] == token_id
    assert -0.5 < row["token_logprob"] <= 0


def test_samples_are_reproduced_by_their_seed(run: Run) -> None:
    words = (
        "repeat",
        "zoo:mynah",
        "--token-id",
        "907",
        "--samples",
        "4",
        "--temperature",
        "1",
        "--template",
        "word-is",
    )
    first, again, other = (run(*words, "--seed", seed)[1] for seed in ("1", "1", "2"))
    assert first == again
    assert len(first) == 4
    assert [row["reply_ids"] for row in first] != [row["reply_ids"] for row in other]


def test_a_template_of_ones_own_needs_its_slot(run: Run) -> None:
    status, rows, _ = run("repeat", "zoo:mynah", "--token", " the", "--template-text", "Say '{token}' and '{token}'")
    assert (status, len(rows)) == (0, 1)
    status, rows, error = run("repeat", "zoo:mynah", "--token", " the", "--template-text", "Say it")
    assert (status, rows) == (2, [])
    assert "{token}" in error


def test_logprobs_are_those_of_the_distribution(run: Run) -> None:
    words = (
        "logprobs",
        "zoo:mynah",
        "zoo:mynah-instruct",
        "--prompt",
        "The word is '",
        "--target",
        " the",
        "--target",
        "zz zz",
    )
    status, rows, _ = run(*words)
    assert status == 0
    assert [(row["model"], row["target"]) for row in rows] == [
        (model, target) for model in ("mynah", "mynah-instruct") for target in (" the", "zz zz")
    ]
    single, several = rows[0], rows[1]
    assert len(single["target_ids"]) == 1
    assert single["rank"] >= 0
    assert len(several["target_ids"]) > 1
    assert several["rank"] is None
    assert abs(single["prob"] - 2.718281828459045 ** single["logprob"]) < 1e-12


def test_logprobs_may_be_printed_with_models_down(run: Run) -> None:
    words = ("logprobs", "zoo:mynah", "zoo:mynah-instruct", "--prompt", "The", "--target", " the", "--target", " a")
    status, (shown,), _ = run(*words, "--models-down", as_json=False)
    assert status == 0
    lines = [line.split() for line in shown["text"].splitlines()]
    rows = [line for line in lines if len(line) == 6 and line[1].startswith("'")]
    models, targets = ("mynah", "mynah-instruct"), ("'·the'", "'·a'")
    assert [tuple(row[:2]) for row in rows] == [(model, target) for target in targets for model in models]
    assert all(row[3] == "/" and row[4].endswith("%") and row[5].startswith("#") for row in rows)


def test_the_likeliest_tokens_are_the_targets_where_none_is_named(run: Run) -> None:
    _, rows, _ = run("logprobs", "zoo:mynah", "--template", "string-is", "--token", " the", "--top", "3")
    assert sorted({row["rank"] for row in rows}) == [0, 1, 2]
    assert rows[0]["target"] == " the"


def test_the_token_is_a_target_by_its_id_and_the_likeliest_come_besides(run: Run) -> None:
    _, rows, _ = run("logprobs", "zoo:mynah", "zoo:starling", "--prompt", "The bird", "--token-id", "907")
    named = [row for row in rows if row["target_ids"] == [907]]
    assert [row["model"] for row in named] == ["mynah", "starling"]
    _, rows, _ = run("logprobs", "zoo:mynah", "--prompt", "The bird", "--target", " sang", "--top", "2")
    assert rows[0]["target"] == " sang"
    assert [row["rank"] for row in rows[1:]] == [0, 1]


def test_neighbours_come_nearest_first(run: Run) -> None:
    _, rows, _ = run(
        "neighbours", "zoo:mynah", "--token", " the", "--k", "7", "--metric", "euclidean", "--space", "output"
    )
    distances = [row["distance"] for row in rows]
    assert len(distances) == 7
    assert distances == sorted(distances)
    assert {"token_id", "text", "distance"} <= set(rows[0])


def test_the_rule_of_the_default_indicator_is_told_where_none_was_chosen(run: Run) -> None:
    words = ("tokens", "zoo:mynah", "--top", "1")
    told = [run(*words, *more, as_json=False)[1][0]["text"] for more in ((), ("--sort", "output_norm"))]
    assert ["Untied: norm of the input" in text for text in told] == [True, False]


def test_models_names_the_zoo(run: Run) -> None:
    status, rows, _ = run("models")
    assert status == 0
    assert {"zoo:mynah", "zoo:starling"} <= {row["source"] for row in rows}


@pytest.mark.parametrize("verb", ["tokens", "inspect", "repeat", "logprobs", "neighbours", "models"])
def test_tables_are_readable_without_json(run: Run, verb: str) -> None:
    words = {
        "models": (),
        "tokens": ("zoo:mynah", "--top", "3"),
        "logprobs": ("zoo:mynah", "--prompt", "The", "--top", "3"),
    }.get(verb, ("zoo:mynah", "--token", " the"))
    status, (shown,), _ = run(verb, *words, as_json=False)
    assert status == 0
    assert "mynah" in shown["text"]
    assert "\x1b" not in shown["text"]
    assert not any(line.endswith(" ") for line in shown["text"].splitlines())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inspect", "zoo:starling", "--token-id", "3080"), "starling: token 3080 ⟨3080⟩\n"),
        (("inspect", "zoo:starling", "--token-id", "3080"), "(none)"),
        (("repeat", "zoo:starling", "--token-id", "3080"), "\n⟨3080⟩ exact 0/1"),
        (("repeat", "zoo:starling", "--token-id", "3080"), "\n⟨3080⟩ has no text: it is id 9 of the prompt's 13.\n"),
        (("neighbours", "zoo:starling", "--token-id", "3080"), "nearest to ⟨3080⟩ in W_E"),
        (("logprobs", "zoo:starling", "--prompt", "The", "--token-id", "3080"), "\n⟨3080⟩ "),
        (("tokens", "zoo:starling", "--where", "id:3080"), "  3080  ⟨3080⟩  padding"),
        (("tokens", "zoo:starling", "--where", "-cat:ok id:3080"), "  3080  ⟨3080⟩  padding"),
    ],
)
def test_padding_is_named_by_its_id(run: Run, words: tuple[str, ...], said: str) -> None:
    status, (shown,), _ = run(*words, as_json=False)
    assert status == 0
    assert said in shown["text"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tokens", "zoo:dodo"), "dodo"),
        (("tokens", "/nowhere/at/all"), "no directory"),
        (("tokens", "some-org/unknown-model"), "some-org/unknown-model"),
        (("repeat", "weights:zoo:mynah", "--token", " the"), "embedding"),
        (("logprobs", "zoo:mynah", "--prompt", ""), "empty"),
        (("logprobs", "zoo:mynah", "--prompt", "word " * 3000), "1,024"),
    ],
)
def test_a_failure_is_one_line_on_stderr_and_status_1(run: Run, words: tuple[str, ...], said: str) -> None:
    status, rows, error = run(*words)
    assert (status, rows) == (1, [])
    assert said in error
    assert error.startswith("glitch-explore: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tokens", "zoo:mynah", "--sort", "beauty"), "beauty"),
        (("tokens", "zoo:mynah", "--filter", "(["), "(["),
        (("tokens", "zoo:mynah", "--where", "foo<3"), "there is no indicator 'foo': write one of input_norm"),
        (("repeat", "zoo:mynah", "--token-id", "5", "--top-p", "3"), "top-p 3"),
        (("inspect", "zoo:mynah", "--token-id", "99999"), "99999"),
        (("inspect", "zoo:mynah", "--token", " no such token"), "no such token"),
        (("repeat", "zoo:mynah", "--token", " the", "--template", "nursery-rhyme"), "nursery-rhyme"),
        (("verify", "zoo:mynah", "--export", "found.txt"), "no known form"),
    ],
)
def test_what_makes_no_sense_is_one_line_on_stderr_and_status_2(run: Run, words: tuple[str, ...], said: str) -> None:
    status, rows, error = run(*words)
    assert (status, rows) == (2, [])
    assert said in error
    assert error.startswith("glitch-explore: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("tokens",),
        ("repeat", "zoo:mynah"),
        ("tokens", "zoo:mynah", "--top", "many"),
        ("inspect", "x", "--tokens"),
        ("logprobs", "zoo:mynah"),
        ("repeat", "zoo:mynah", "--token", " the", "--samples", "0"),
        ("repeat", "zoo:mynah", "--token", " the", "--temperature", "-1"),
        ("neighbours", "zoo:mynah", "--token", " the", "--k", "0"),
        ("tokens", "zoo:mynah", "--top", "-3"),
    ],
)
def test_wrong_usage_is_status_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words)[0] == 2


def test_a_session_collects_the_steps_of_several_verbs(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    run("repeat", "zoo:mynah", "--token", " the", "--session", str(file))
    run("tokens", "zoo:mynah", "--session", str(file))
    run("tokens", "zoo:dodo", "--session", str(file))
    session = read_session(file)
    assert [type(step.request).__name__ for step in session.steps] == [
        "LoadModel", "RepeatBack", "LoadModel", "RankTokens", "LoadModel",
    ]  # fmt: skip
    assert isinstance(session.steps[0].request, LoadModel)
    assert isinstance(session.steps[1].request, RepeatBack)
    assert isinstance(session.steps[1].outcome, RepeatBackResult)
    assert type(session.steps[4].outcome).__name__ == "Failure"


def test_a_session_file_that_another_program_has_is_refused_before_anything_is_asked(run: Run, tmp_path: Path) -> None:
    other = SessionWriter(tmp_path / "s.jsonl")
    status, rows, err = run("tokens", "zoo:mynah", "--top", "1", "--session", str(other.path))
    assert (status, rows) == (1, [])
    assert "another program" in err
    assert err.count("\n") == 1


def test_steps_that_could_not_be_written_are_counted_and_the_status_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    status, rows, err = run("tokens", "zoo:mynah", "--top", "1", "--session", str(tmp_path / "s.jsonl"))
    assert (status, len(rows)) == (1, 1)
    assert err.splitlines() == [
        "glitch-explore: session not written: No space left on device",
        "glitch-explore: 2 steps were not written to s.jsonl: No space left on device",
    ]


def test_a_published_list_is_matched_and_flags_its_tokens(run: Run, tmp_path: Path) -> None:
    _, rows, _ = run("tokens", "weights:zoo:mynah", "--where", "cat:ok", "--top", "3")
    listed = tmp_path / "list.csv"
    with listed.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("token_id", "token"), *((row["token_id"], row["text"]) for row in rows), (5, "another")])
    words = ("tokens", "weights:zoo:mynah", "--list", str(listed), "--where", "flag:published")
    status, found, error = run(*words)
    assert status == 0
    assert [row["token_id"] for row in found] == [row["token_id"] for row in rows]
    status, _, error = run(*words, as_json=False)
    assert "3 of 4 tokens of list.csv are those of mynah(weights)" in error
    listed.write_text("nothing")
    status, found, error = run(*words)
    assert (status, found, error.count("\n")) == (1, [], 1)
    assert "list.csv" in error
