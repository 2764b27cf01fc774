"""How the program is called: mistyped verbs, no terminal, many tokens, completion and the manual page."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from pathlib import Path

import pytest

from explorer import cli
from explorer.base.numbers import align_decimals
from explorer.base.records.tokens import INDICATORS
from explorer.base.templates import TEMPLATES
from explorer.headless.completion import completion_of
from explorer.headless.parsers import explorer_parser, verb_parser
from explorer.headless.session_verbs import session_parser
from explorer.sessions.file.store import read_session
from explorer.specs.registry import REGISTRY
from explorer.specs.verification import NAMED_DEFINITIONS
from tests.direct_client import Run


@pytest.mark.parametrize(("word", "meant"), [("tokns", "tokens"), ("repet", "repeat"), ("sesion", "session")])
def test_a_mistyped_verb_is_told_with_the_nearest(word: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([word, "zoo:mynah"]) == 2
    said = capsys.readouterr().err
    assert f"did you mean {meant}" in said
    assert said.count("\n") == 1


def test_a_folder_named_like_a_verb_is_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tokns").mkdir()
    monkeypatch.chdir(tmp_path)
    assert cli.main(["tokns"]) == 2
    assert "needs a terminal" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["zoo:mynah"], ["replay", "base-and-instruct"]])
def test_without_a_terminal_the_screen_is_refused(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "explorer", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "the explorer needs a terminal" in done.stderr
    assert "\x1b" not in done.stderr


VALUES = ["-cat:special", "-foo", " -foo", "--", "-h2", "--foo bar", "-"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    ("name", "option", "others"),
    [
        ("tokens", "--where", []),
        ("tokens", "--filter", []),
        ("verify", "--where", []),
        ("repeat", "--token", []),
        ("logprobs", "--target", ["--prompt", "-p", "--token-id", "5"]),
        ("logprobs", "--prompt", ["--token", "-x"]),
        ("prove", "--check", []),
    ],
)
def test_free_text_may_begin_with_a_minus(name: str, option: str, others: list[str], value: str) -> None:
    verb = REGISTRY.verb(name)
    assert verb is not None
    given = verb_parser(verb).parse_args(["zoo:mynah", *others, option, value, "--quiet"])
    assert vars(given)[option.strip("-")] in (value, [value])
    assert given.quiet


def test_every_option_with_a_value_takes_one_that_begins_with_a_minus() -> None:
    parsers = [verb_parser(spec.verb) for spec in REGISTRY.verbs() if spec.verb is not None]
    seen = 0
    for parser in (*parsers, explorer_parser()):
        for action in parser._actions:
            if action.option_strings and action.nargs is None:
                option = action.option_strings[-1]
                assert parser.join_values([option, "-foo", "--json"]) == [f"{option}=-foo", "--json"]
                seen += 1
    assert seen > 100


def test_an_option_behind_an_option_is_a_missing_value(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["repeat", "zoo:mynah", "--token", "--json"])
    assert ended.value.code == 2
    assert "--token: expected one argument" in capsys.readouterr().err
    verb = REGISTRY.verb("repeat")
    assert verb is not None
    assert verb_parser(verb).parse_args(["zoo:mynah", "--token=--json"]).token == ["--json"]


def test_the_sessions_verbs_and_the_explorer_take_such_values_too() -> None:
    given = session_parser().parse_args(["replay", "-", "--model-map", "-a=-b", "--theme", "-gull"])
    assert (given.file, given.model_map, given.theme) == ("-", ["-a=-b"], "-gull")
    assert explorer_parser().parse_args(["--engine", "-x", "zoo:mynah"]).engine == "-x"


def test_the_engine_has_a_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["engine", "--help"])
    assert ended.value.code == 0
    assert "--engine" in capsys.readouterr().out


def test_the_engine_refuses_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    with pytest.raises(SystemExit) as ended:
        cli.main(["engine"])
    assert ended.value.code == 2
    assert "speaks through a pipe" in capsys.readouterr().err


def test_several_tokens_are_asked_about_in_their_order(run: Run, tmp_path: Path) -> None:
    _, rows, _ = run("inspect", "zoo:mynah", "--token-id", "907,5-7", "--token-id", "3")
    assert [row["token_id"] for row in rows] == [907, 5, 6, 7, 3]
    _, both, _ = run("inspect", "zoo:mynah", "--token", " the", "--token", " magic")
    assert [row["text"] for row in both] == [" the", " magic"]
    listed = tmp_path / "listed.txt"
    listed.write_text("907 # said\n5-7\n\n3, 4\n")
    _, rows, _ = run("inspect", "zoo:mynah", "--tokens-from", str(listed))
    assert [row["token_id"] for row in rows] == [3, 4, 5, 6, 7, 907]


def test_one_engine_answers_for_all_tokens_and_ranges_are_taken(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.jsonl"
    status, rows, _ = run("repeat", "zoo:mynah", "--token-id", "5-6", "--token-id", "907", "--session", str(file))
    assert status == 0
    assert len(rows) == 3
    kinds = [type(step.request).__name__ for step in read_session(file).steps]
    assert kinds == ["LoadModel", *["RepeatBack"] * 3], "the model is loaded once"
    assert VERBS["verify"].parse_args(["x", "--token-ids", "907,5-7"]).token_ids == (907, 5, 6, 7)


@pytest.mark.parametrize("name", ["found.csv", "found.jsonl"])
def test_what_prove_or_verify_wrote_names_tokens(run: Run, tmp_path: Path, name: str) -> None:
    content = {".csv": "token_id,text\n9,a\n4,b\n", ".jsonl": '{"token_id": 9}\n{"token_id": 4}\n'}
    (tmp_path / name).write_text(content[Path(name).suffix])
    _, rows, _ = run("inspect", "zoo:mynah", "--tokens-from", str(tmp_path / name))
    assert [row["token_id"] for row in rows] == [9, 4]


@pytest.mark.parametrize("content", ["", "seven", "9-5", '{"id": 3}', "token_id\nx\n"])
def test_a_file_without_ids_is_wrong_usage(run: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "listed.txt").write_text(content)
    status, _, said = run("inspect", "zoo:mynah", "--tokens-from", str(tmp_path / "listed.txt"))
    assert status == 2
    assert "listed.txt" in said


def test_tokens_are_proved_together(run: Run) -> None:
    _, rows, _ = run("prove", "zoo:mynah", "--token-id", "907,5")
    assert sorted(row["token_id"] for row in rows) == [5, 907]


def test_quiet_leaves_remarks_out(run: Run) -> None:
    words = ("tokens", "zoo:mynah", "--top", "1")
    assert run(*words, "--quiet")[1] == run(*words)[1]
    assert run(*words, "--quiet")[2] == ""


VERBS = {spec.verb.name: verb_parser(spec.verb) for spec in REGISTRY.verbs() if spec.verb is not None}
SESSION_VERBS = ("replay", "session", "session schema", "session report", "session diff", "session recent")


def parsers() -> dict[str, ArgumentParser]:
    """Every parser by the words that come before its own; of the explorer itself there are none."""
    found: dict[str, ArgumentParser] = {"": explorer_parser(), **VERBS}
    for name in SESSION_VERBS:
        parser = session_parser()
        for word in name.split():
            acts = next(action for action in parser._actions if isinstance(action, _SubParsersAction))
            parser = acts.choices[word]
        found[name] = parser
    return found


@pytest.mark.parametrize("name", parsers())
def test_every_help_has_examples_and_they_are_understood(name: str) -> None:
    said = parsers()[name].format_help().partition("examples:\n")[2]
    commands = [shlex.split(line)[1:] for line in said.splitlines() if line.startswith("  glitch-explore")]
    assert commands
    for words in commands:
        assert words[: len(name.split())] == name.split()
        if name in VERBS:
            VERBS[name].parse_args(words[1:])
        elif name:
            session_parser().parse_args(words[: words.index(">")] if ">" in words else words)
        else:
            explorer_parser().parse_args(words)


@pytest.mark.parametrize("name", parsers())
def test_every_help_fits_80_columns_and_tells_each_option_with_its_default(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parser = parsers()[name]
    assert max(map(len, parser.format_help().partition("\n\n")[2].partition("examples:")[0].splitlines())) <= 80
    for action in parser._actions:
        assert action.help or isinstance(action, _SubParsersAction), action
        if type(action.default) in (int, float):
            assert re.search(rf"default {action.default:g}\b", action.help or ""), action


def test_helps_list_indicators_templates_and_definitions() -> None:
    helps = {name: " ".join(parser.format_help().split()) for name, parser in VERBS.items()}
    for name, listed in (
        *(("repeat", template.name) for template in TEMPLATES),
        *(("logprobs", template.name) for template in TEMPLATES),
        *((verb, indicator) for verb in ("tokens", "verify", "lineage") for indicator in INDICATORS),
        *(("verify", definition) for definition in (*NAMED_DEFINITIONS, "geometric:INDICATOR")),
    ):
        assert listed in helps[name].replace("- ", "-"), (name, listed)
    assert "speakability" in NAMED_DEFINITIONS


def test_completion_and_manual_name_every_verb(tmp_path: Path) -> None:
    names = [spec.verb.name for spec in REGISTRY.verbs() if spec.verb is not None] + ["replay", "session"]
    for form in ("bash", "zsh", "fish", "man"):
        made = completion_of(form)
        assert all(name in made for name in names), form
        shell = shutil.which(form)
        if shell is not None and form != "man":
            script = tmp_path / form
            script.write_text(made)
            subprocess.run([shell, "-n", str(script)], check=True, timeout=60)


def test_completion_is_installed_for_the_users_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/usr/bin/bash")
    assert cli.main(["--install-completion"]) == 0
    assert (tmp_path / "bash-completion" / "completions" / "glitch-explore").read_text().startswith("#")
    assert ".TH" in (tmp_path / "man" / "man1" / "glitch-explore.1").read_text()
    assert str(tmp_path) in capsys.readouterr().out


def test_points_stand_below_each_other() -> None:
    texts = ["0.84032", "-2.2", "24", "–", "1,204.5"]
    assert align_decimals(texts) == ["0.84032", "-2.2    ", "24      ", "–", "1,204.5    "]
