"""Hostile names of every kind in the explorer and in a replay on a terminal: no byte of one is obeyed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.notes import Noted, WriteNote
from explorer.engine.handlers import Engine
from tests.hostile import NAME, hostile_place
from tests.sessions.example_sessions import HOSTILE, Exchange, exchanges, write_session
from tests.terminal import on_terminal, unexpected

ATTACKS = ("\x1b]0;", "\x1b[31m", "\x9b", "\udc9b", "\u202e", "\u2066", "\u200b", "\x7f", "\x1b]52;c;AAAA")
"""Nothing of these does Textual write, where colours are 24 bits."""
VISITS = (
    *("1", "2", "r", "3", "l", "4", "n", "5", "6", "7", "8", "c", "9", "m", "\x1b", "u", "\x1b", "?", "\x1b"),
    *("i", " ", "e", "\x1b", "\x0c", "\x1b", "\x10", "\x1b", "N", "\x1b", "y", "]", "G", "t", "\x13", "\x1b"),
)
"""Keys: every tab, what it asks, and every box."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_place(tmp_path_factory.mktemp("place"))


def hostile_session(place: Path) -> Path:
    """Every kind of step, told of the hostile model, with hostile text wherever a text may stand."""
    load = LoadModel(source=str(place / f"m{NAME}"))
    info = Engine().models.load(load.source).info
    note = WriteNote(text=NAME, model=info.name, token_id=40, tags=(NAME,))
    pairs: list[Exchange] = [(load, ModelLoaded(info=info)), (note, Noted()), *exchanges(NAME + HOSTILE)]
    return write_session(place / f"s{NAME}.jsonl", pairs, title=NAME)


def explorer_words(place: Path) -> list[str]:
    """The explorer with hostile settings and an engine that says hostile things, resuming the hostile session."""
    (place / "said").write_text(f"{NAME}\n")
    (place.parent / "engine.sh").write_text(f"cat '{place / 'said'}' >&2\nexec '{sys.executable}' -m explorer.engine\n")
    options = ["--settings", str(place / "settings.toml"), "--engine", f"sh {place.parent / 'engine.sh'}"]
    return [*options, "--resume", str(hostile_session(place))]


def walk(words: list[str], shown: str) -> str:
    """All that is written while every tab and box is visited, from when `shown` is on the screen."""
    with on_terminal(words, (160, 50)) as terminal:
        terminal.wait_for(shown)
        terminal.settle(0.5, 5.0)
        for key in VISITS:
            terminal.send(key)
            terminal.settle()
        terminal.resize(80, 24)
        terminal.settle()
        assert terminal.process.poll() is None, terminal.said()[-2000:]
    return terminal.written


@pytest.mark.parametrize("kind", ["explorer", "replay"])
def test_no_name_is_obeyed_by_the_terminal(place: Path, kind: str) -> None:
    if kind == "replay":  # where the path is long, the line of its first step is cut before the name's end
        written = walk(["replay", str(hostile_session(place))], "Details")
    else:
        written = walk(explorer_words(place), "[foo]")
    assert [one for one in ATTACKS if one in written] == []
    assert unexpected(written) == set()


def test_what_a_name_would_have_a_terminal_do_is_told_from_what_textual_writes() -> None:
    assert unexpected(NAME) == {"\x1b]0;t\x07", "\x1b[31m", "\x9b", "\u202e", "\u2066", "\u200b", "\x7f"}
    assert unexpected("whole\x1b[38;2;1") == unexpected("whole\x1b") == set(), "it was ended while it wrote"
    assert unexpected("\x1bwhole") == unexpected("\x1b]0;\x1b[1mwhole") == unexpected("\x1b[\x1b[1m") == {"\x1b"}
    assert unexpected("\x1b[1;38;2;1;2;3m\x1b[4;5Hx\x1b7\x1b8\x1b[?25l\u2068y\u2069") == set()
