"""No byte of a name reaches the terminal raw: models, templates, files, notes and messages, in every verb."""

from __future__ import annotations

import io
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from explorer import cli
from explorer.engine.handlers import Engine
from tests.direct_client import DirectClient
from tests.hostile import NAME, hostile_place

OURS = re.compile(r"\x1b\[[0-9;]*m|\r|\x1b\[K")
"""What rich writes for colours, and the progress line for going back and clearing."""


class Stream(io.StringIO):
    """A pipe, or a terminal."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def raw_characters(text: str) -> set[str]:
    """What of a text a terminal may obey, our own colours left aside."""
    left = OURS.sub("", text) if "\x1b" in text or "\r" in text else text
    return {one for one in left if one != "\n" and unicodedata.category(one) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_place(tmp_path_factory.mktemp("place"))


@pytest.fixture
def said(engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """`said(is_terminal, *words)`: the exit status and all that was written, where {} is the hostile folder."""

    def run(is_terminal: bool, *words: str) -> tuple[int, str]:
        monkeypatch.setattr("explorer.pipe.client.EngineClient", lambda command: DirectClient(engine))
        out, err = Stream(is_terminal), Stream(is_terminal)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        try:
            status = cli.main([word.replace("{}", str(folder)).replace("{h}", NAME) for word in words])
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, out.getvalue() + err.getvalue()

    return run


MODEL = "{}/m{h}"
SETTINGS = ("--settings", "{}/settings.toml")
PARROT = ("--template", "parrot{h}", *SETTINGS)
WORKS = (
    ("tokens", MODEL),
    ("tokens", MODEL, "--json"),
    ("tokens", MODEL, "--list", "{}/list{h}.csv"),
    ("inspect", MODEL, "--token-id", "40"),
    ("repeat", MODEL, "--token-id", "40", "--plain", *PARROT),
    ("repeat", MODEL, "--token-id", "40", "--plain", "--json", *PARROT),
    ("logprobs", MODEL, MODEL, "--token-id", "40", "--plain", *PARROT),
    ("logprobs", MODEL, "--models-down", "--token-id", "40", "--plain", *PARROT),
    ("neighbours", MODEL, "--token-id", "40"),
    ("map", MODEL, "--token-id", "40", "--export", "{}/m{h}.svg"),
    ("prove", MODEL, "--token-id", "40", "--export", "{}/c{h}.jsonl"),
    ("prove", MODEL, "--check", "{}/c{h}.jsonl"),
    ("verify", MODEL, "--token-ids", "40", "--definitions", "plain", "--plain", "--export", "{}/x{h}.csv"),
    ("tokens", MODEL, "--session", "{}/s{h}.jsonl"),
    ("session", "report", "{}/s{h}.jsonl", "-o", "{}/r{h}.md"),
    ("session", "diff", "{}/s{h}.jsonl", "{}/s{h}.jsonl"),
    ("replay", "{}/s{h}.jsonl", "--check", "--model-map", "m{h}={}/m{h}"),
    ("tokens", MODEL, "--where", "x{h}:y{h}"),
    ("models",),
)
FAILS = (
    ("repeat", MODEL, "--token-id", "40"),
    ("repeat", MODEL, "--token-id", "40", "--template", "no{h}", *SETTINGS),
    ("tokens", "{}/none{h}"),
    ("tokens", "{}/list{h}.csv"),
    ("tokens", MODEL, "--sort", "x{h}"),
    ("tokens", MODEL, "--list", "{}/none{h}.csv"),
    ("tokens", MODEL, "--settings", "{}/none{h}.toml"),
    ("tokens", MODEL, "--engine", "'{h}"),
    ("inspect", MODEL, "--token", "{h}"),
    ("verify", MODEL, "--definitions", "x{h}"),
    ("verify", MODEL, "--export", "{}/x{h}"),
    ("tokens", MODEL, "--session", "{}/none{h}/s.jsonl"),
    ("tokens", MODEL, "--tokens-from{h}", "x"),
    ("inspect", MODEL, "--tokens-from", "{}/none{h}"),
    ("inspect", MODEL, "--token-id", "{h}"),
    ("session", "report", "{}/none{h}.jsonl", "-o", "{}/r{h}.html"),
    ("session", "report", "first-look", "-o", "{}/r{h}.x"),
    ("session", "diff", "{}/list{h}.csv", "first-look"),
    ("replay", "{}/none{h}.jsonl", "--check"),
    ("to{h}kens",),
)


@pytest.mark.parametrize("is_terminal", [False, True], ids=["pipe", "terminal"])
def test_no_name_reaches_the_terminal_raw(said: Callable[..., tuple[int, str]], is_terminal: bool) -> None:
    raw: dict[str, set[str]] = {}
    other: dict[str, str] = {}
    for words in (*WORKS, *FAILS):
        status, text = said(is_terminal, *words)
        if (status == 0) != (words in WORKS) or (not text.strip() and "report" not in words):
            other[" ".join(words)] = text[-600:]
        if found := raw_characters(text):
            raw[" ".join(words)] = found
    assert (raw, other) == ({}, {})
