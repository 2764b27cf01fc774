"""Settings: defaults < file < environment < flags, and errors that name the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from explorer import cli
from explorer.base.errors import ExplorerError
from explorer.settings import FIRST_MODELS, Settings, engine_words, read_settings, remember_theme


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
