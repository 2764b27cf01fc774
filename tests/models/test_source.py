from __future__ import annotations

from pathlib import Path

import pytest

from explorer.engine.models.errors import ModelError
from explorer.engine.models.locate import locate
from explorer.engine.models.source import Source, parse_source


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("zoo:mynah", Source("zoo", "mynah")),
        ("./dir", Source("directory", "./dir")),
        ("/a/b", Source("directory", "/a/b")),
        ("a/b/c", Source("directory", "a/b/c")),
        ("gpt2", Source("hub", "gpt2")),
        ("org/name", Source("hub", "org/name")),
        ("org/name@v1.0", Source("hub", "org/name", revision="v1.0")),
        ("org/name@refs/pr/3", Source("hub", "org/name", revision="refs/pr/3")),
        ("weights:org/name", Source("hub", "org/name", weights_only=True)),
        ("weights:zoo:starling", Source("zoo", "starling", weights_only=True)),
        (" zoo:mynah ", Source("zoo", "mynah")),
    ],
)
def test_source_string_is_read(text: str, source: Source) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize("text", ["zoo:mynah", "/a/b", "gpt2", "org/name@v1.0", "weights:org/name@x", "./dir"])
def test_a_source_writes_itself_as_it_is_read(text: str) -> None:
    assert parse_source(str(parse_source(text))) == parse_source(text)


def test_home_is_expanded_and_an_existing_directory_is_no_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "name").mkdir(parents=True)
    assert parse_source("~/x") == Source("directory", str(tmp_path / "x"))
    assert parse_source("org/name").kind == "directory"
    assert parse_source("org/other").kind == "hub"


@pytest.mark.parametrize(
    "text", ["", "  ", "weights:", "http://host/v1#m", "org/na me", "-x", "a--b", "org/@main", "@main"]
)
def test_what_names_no_model_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ModelError, match="names no model") as refused:
        parse_source(text)
    assert "zoo:mynah" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("zoo:mynah", "mynah"),
        ("/models/Llama-3/", "Llama-3"),
        ("org/name@v1", "name"),
        ("weights:zoo:mynah", "mynah(weights)"),
    ],
)
def test_short_name_is_the_last_part(text: str, name: str) -> None:
    assert parse_source(text).short_name == name


def test_unknown_zoo_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="dodo") as refused:
        locate(parse_source("zoo:dodo"))
    assert "mynah" in refused.value.hint


def test_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no directory"):
        locate(parse_source(str(tmp_path / "nowhere")))
    assert locate(parse_source(str(tmp_path))).directory == tmp_path


@pytest.mark.parametrize(
    ("page", "source"),
    [
        ("https://huggingface.co/openai-community/gpt2", "openai-community/gpt2"),
        ("https://huggingface.co/openai-community/gpt2/", "openai-community/gpt2"),
        ("weights:https://huggingface.co/org/name/tree/v1.0", "weights:org/name@v1.0"),
        ("https://hf.co/org/name/blob/main/config.json", "org/name@main"),
    ],
)
def test_the_address_of_a_models_page_is_its_hub_id(page: str, source: str) -> None:
    assert str(parse_source(page)) == source


def test_a_snapshot_in_the_hubs_cache_is_called_by_its_hub_id() -> None:
    place = f"/home/me/hub/models--org--tiny/snapshots/{'0a' * 20}"
    assert parse_source(place).short_name == "org/tiny"
    assert parse_source(f"weights:{place}/").short_name == "org/tiny(weights)"
    assert parse_source(f"/data/{'0a' * 20}").short_name == "0a" * 20
