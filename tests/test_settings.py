"""Settings: defaults < file < environment < flags, and errors that name the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from explorer import cli
from explorer.base.errors import ExplorerError, UsageError
from explorer.base.servers import ServerEntry
from explorer.settings import FIRST_MODELS, Settings, engine_words, read_settings
from explorer.settings_file import add_server, remember_theme


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(
        'theme = "gull"\nseed = 3\n[keys]\nrepeat = "ctrl+e"\n'
        '[[templates]]\nname = "mine"\nquestion = "Say \'{token}\' now"\n',
        encoding="utf-8",
    )
    return path


def test_without_a_file_the_defaults_hold() -> None:
    settings = read_settings(environment={})
    assert settings.models == FIRST_MODELS
    assert settings.keys == {}


def test_later_places_win(file: Path) -> None:
    environment = {"GLITCH_EXPLORE_SEED": "4", "GLITCH_EXPLORE_MODELS": "zoo:mynah ./x"}
    assert read_settings(file, environment={}).seed == 3
    assert read_settings(file, environment=environment).seed == 4
    assert read_settings(file, environment=environment).models == ("zoo:mynah", "./x")
    flagged = read_settings(file, environment=environment, flags={"seed": 5, "theme": None})
    assert (flagged.seed, flagged.theme) == (5, "gull")


def test_keys_and_templates_come_from_the_file(file: Path) -> None:
    settings = read_settings(file, environment={})
    assert settings.keys == {"repeat": "ctrl+e"}
    assert settings.templates[0].question == "Say '{token}' now"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme = ", "settings.toml"),
        ("colour = 1", "colour"),
        ('seed = "many"', "seed"),
        ('[[templates]]\nname = "x"\nquestion = "no slot"', "no slot"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExplorerError) as raised:
        read_settings(path, environment={})
    assert said in raised.value.message + raised.value.hint
    assert str(path) in raised.value.message + raised.value.hint


def test_a_day_of_chat_templates_is_a_date() -> None:
    assert read_settings(environment={}, flags={"chat_day": "2026-11-28"}).chat_day == "2026-11-28"
    with pytest.raises(UsageError, match="'Monday' is no date"):
        read_settings(environment={"GLITCH_EXPLORE_CHAT_DAY": "Monday"})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match=r"nothing\.toml"):
        read_settings(tmp_path / "nothing.toml", environment={})


def test_remembering_a_theme_leaves_the_rest_of_the_file(file: Path) -> None:
    remember_theme("magpie", file)
    settings = read_settings(file, environment={})
    assert (settings.theme, settings.seed, settings.keys) == ("magpie", 3, {"repeat": "ctrl+e"})
    fresh = file.with_name("fresh.toml")
    remember_theme("magpie", fresh)
    assert read_settings(fresh, environment={}).theme == "magpie"


COMMENTED = """\
# mine, do not touch

seed = 3   # lucky
theme = 'gull' # for the evening
models = [
    "zoo:mynah",  # small
]

[keys]  # as in my editor
repeat = "ctrl+e"
theme = "f9"
"""


def test_remembering_a_theme_keeps_comments_and_order(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(COMMENTED, encoding="utf-8")
    path.chmod(0o640)
    remember_theme("magpie", path)
    assert path.read_text(encoding="utf-8") == COMMENTED.replace("'gull'", '"magpie"')
    assert path.stat().st_mode & 0o777 == 0o640
    without = COMMENTED.replace("theme = 'gull' # for the evening\n", "")
    path.write_text(without, encoding="utf-8")
    remember_theme("magpie", path)
    assert path.read_text(encoding="utf-8") == f'theme = "magpie"\n{without}'
    assert read_settings(path, environment={}).keys == {"repeat": "ctrl+e", "theme": "f9"}
    assert [one.name for one in tmp_path.iterdir()] == ["settings.toml"]


def test_a_file_of_tables_alone_takes_a_theme(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('[keys]\nrepeat = "ctrl+e"\n', encoding="utf-8")
    remember_theme("magpie", path)
    settings = read_settings(path, environment={})
    assert (settings.theme, settings.keys) == ("magpie", {"repeat": "ctrl+e"})


@pytest.mark.parametrize("content", [b"theme = ", b"[keys\n", b"a = 1\na = 2\n", b'theme = "\xff"\n'])
def test_a_file_that_is_no_toml_is_not_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(ExplorerError, match=r"settings\.toml"):
        remember_theme("magpie", path)
    assert path.read_bytes() == content


def test_a_link_to_the_settings_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles.toml").write_text("seed = 3\n", encoding="utf-8")
    (tmp_path / "settings.toml").symlink_to("dotfiles.toml")
    remember_theme("magpie", tmp_path / "settings.toml")
    assert (tmp_path / "settings.toml").is_symlink()
    assert (tmp_path / "dotfiles.toml").read_text() == 'theme = "magpie"\nseed = 3\n'


@pytest.mark.parametrize(("command", "said"), [('"', "no closing quotation"), ("ssh BOX \\", "no escaped character")])
@pytest.mark.parametrize("words", [(), ("tokens", "zoo:mynah"), ("replay", "base-and-instruct", "--verify")])
def test_an_engine_that_is_no_command_line_is_said_in_one_line(
    words: tuple[str, ...], command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--engine", command]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "--engine" in err
    assert err.count("\n") == 1


def test_an_engine_of_blanks_is_the_one_of_this_machine() -> None:
    assert engine_words(Settings(engine="  ")) == engine_words(Settings()) == ()


LAB = ServerEntry(name="lab", url="http://127.0.0.1:8000/v1/", kind="vllm", key_env="LAB_KEY", at_once=8)


@pytest.mark.parametrize(
    "before",
    [
        "",
        COMMENTED,
        '[[servers]]\nname = "old"  # mine\nurl = "http://h:1"\nkind = "llama"\n',
        'servers = [{ name = "old", url = "http://h:1", kind = "llama" }]  # mine\nseed = 4\n',
    ],
)
def test_a_server_is_added_and_the_rest_of_the_file_stays(tmp_path: Path, before: str) -> None:
    path = tmp_path / "deep" / "settings.toml"
    path.parent.mkdir()
    if before:
        path.write_text(before, encoding="utf-8")
    had = read_settings(path, environment={}) if before else Settings()
    kept = add_server(LAB, path)
    settings = read_settings(path, environment={})
    assert settings == msgspec.structs.replace(had, servers=(*had.servers, kept))
    text = path.read_text(encoding="utf-8")
    assert kept.url == "http://127.0.0.1:8000"
    assert all(line in text for line in before.splitlines() if not line.startswith("servers"))
    assert text.count("# mine") == before.count("# mine")
    assert "price" not in text, "what is as usual is not written"
    assert [one.name for one in path.parent.iterdir()] == ["settings.toml"]
    more = add_server(msgspec.structs.replace(LAB, name="b", also=("http://127.0.0.1:8001",)), path)
    assert read_settings(path, environment={}).servers[-2:] == (kept, more)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "a server's name has letters"), ({"name": "a b"}, "a server's name has letters"),
        ({"name": "old"}, "a server is called 'old' already"), ({"url": "127.0.0.1:8000"}, "must be http://host:port"),
        ({"url": "http://h.org"}, "LAB_KEY would cross the network"), ({"url": "http://a:b@h"}, "no user, password"),
        ({"key_env": "hf_abcDEF123secret"}, "never the key itself"), ({"key_env": "sk-secret"}, "never the key itself"),
        ({"also": ("http://h.org",)}, "would cross the network"),
    ],
)  # fmt: skip
def test_a_server_that_cannot_be_used_is_not_written(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    path = tmp_path / "settings.toml"
    before = '[[servers]]\nname = "old"\nurl = "http://h:1"\nkind = "llama"\n'
    path.write_text(before)
    with pytest.raises(ExplorerError, match=said) as refused:
        add_server(msgspec.structs.replace(LAB, **changes), path)
    assert "secret" not in refused.value.line
    assert path.read_text() == before


@pytest.mark.parametrize(
    "before", ["servers = 3\n", "seed = 'x'\n", "seed = \n", "[[servers]]\nname = 'a'\n", "[servers]\n"]
)
def test_a_file_that_is_wrong_takes_no_server(tmp_path: Path, before: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(before)
    with pytest.raises(ExplorerError) as refused:
        add_server(LAB, path)
    assert str(path) in refused.value.line
    assert path.read_text() == before
