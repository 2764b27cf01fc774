"""An engine that ends: what a verb says of it, on stderr."""

from __future__ import annotations

import shlex

import pytest

from explorer import cli

ENGINE = shlex.join(("sh", "-c", "printf 'no\\nssh: \\033[31mdenied\\nbye\\n' >&2; exit 255"))


def test_a_verb_passes_on_what_an_engine_said_before_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tokens", "zoo:mynah", "--engine", ENGINE, "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "engine: no",
        "engine: ssh: \\u{1b}[31mdenied",
        "glitch-explore: the engine stopped: exit status 255, bye",
    ]


def test_a_session_checked_by_an_engine_that_ends_says_why_and_names_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["replay", "base-and-instruct", "--verify", "--engine", ENGINE, "--json"]) == 1
    out, err = capsys.readouterr()
    assert "the engine stopped: exit status 255, bye" in out
    assert "ctrl+r" not in out
    assert "engine: bye" in err.splitlines()
