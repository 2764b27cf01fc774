"""What is read of a model's folder: regular files only, no larger than they should be, with no absurd counts."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from explorer.engine.models.checkpoints import limits
from explorer.engine.models.checkpoints.limits import check_folder, refuse_many_parts, refuse_more
from explorer.engine.models.errors import ModelError
from explorer.engine.models.roster import Roster
from explorer.settings import LIMITS_VARIABLE, read_settings

Change = Callable[[Path], None]
SOON = 5.0
"""Seconds; what is refused is refused before it is read."""


def _pipe(file: Path) -> None:
    os.mkfifo(file)


def _zero(file: Path) -> None:
    file.symlink_to("/dev/zero")


def _socket(file: Path) -> None:
    here = os.getcwd()
    os.chdir(file.parent)  # the path of a socket may have 107 characters
    try:
        socket.socket(socket.AF_UNIX).bind(file.name)
    finally:
        os.chdir(here)


def _loop(file: Path) -> None:
    file.symlink_to(file.name)


@pytest.fixture
def model(tiny: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny("llama"), tmp_path / "model"))


@pytest.mark.parametrize(
    "name",
    ["config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "model.safetensors",
     "generation_config.json", "chat_template.jinja", "model.safetensors.index.json", "pytorch_model.bin"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("make", "said"),
    [(_pipe, "is a pipe"), (_zero, "is a device"), (_socket, "is a socket"), (_loop, "symbolic links")],
)
def test_what_is_no_regular_file_is_refused_and_never_waited_for(
    model: Path, name: str, make: Change, said: str
) -> None:
    (model / name).unlink(missing_ok=True)
    make(model / name)
    began = monotonic()
    for source in (str(model), f"weights:{model}"):
        with pytest.raises(ModelError, match=f"{name}.*{said}|no config.json") as refused:
            Roster().load(source)
        assert "\n" not in refused.value.line
    assert monotonic() - began < SOON


@pytest.mark.parametrize(("make", "said"), [(_pipe, "is a pipe"), (_zero, "is a device")])
def test_a_source_that_is_no_regular_file_is_refused(tmp_path: Path, make: Change, said: str) -> None:
    make(tmp_path / "model.gguf")
    with pytest.raises(ModelError, match=said):
        Roster().load(str(tmp_path / "model.gguf"))


def test_links_to_regular_files_are_read_as_in_the_cache_of_the_hub(model: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for file in model.iterdir():
        (linked / file.name).symlink_to(file)
    (linked / "half_a_download").symlink_to(tmp_path / "nowhere")
    assert Roster().load(str(linked)).info.vocab_size == 320


def _deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b" " * (17 << 20)),
        ("tokenizer_config.json", b" " * (17 << 20)),
        ("chat_template.jinja", b" " * (5 << 20)),
        ("special_tokens_map.json", _deep(65).encode()),
        ("generation_config.json", _deep(900).encode()),
        ("config.json", _deep(100_000).encode()),
    ],
    ids=["config", "tokenizer-config", "template", "65-deep", "900-deep", "100000-deep"],
)
def test_files_that_are_too_large_or_too_deep_are_refused(model: Path, name: str, content: bytes) -> None:
    (model / name).write_bytes(content)
    began = monotonic()
    with pytest.raises(ModelError, match=name) as refused:
        Roster().load(str(model))
    assert len(refused.value.line) < 400
    assert monotonic() - began < SOON


def test_a_tokenizer_too_large_is_refused_before_it_is_read(model: Path) -> None:
    with (model / "tokenizer.json").open("r+b") as file:
        file.truncate(200 << 20)  # a hole: no disk is needed
    with pytest.raises(ModelError, match=r"tokenizer.json in model has 209,715,200 bytes: more than the limit of"):
        Roster().load(str(model))


def test_ids_up_to_two_thousand_million_are_refused_at_once(model: Path) -> None:
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["zzz"] = 2**31
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    began = monotonic()
    with pytest.raises(ModelError, match="2,147,483,649 ids: more than the limit of 4,194,304"):
        Roster().load(str(model))
    assert monotonic() - began < SOON


@pytest.mark.parametrize("setting", [{"num_hidden_layers": 10**5}, {"num_hidden_layers": 10**18}, {"n_layer": 1e300}])
def test_a_config_that_asks_for_endless_layers_is_refused(model: Path, setting: dict[str, Any]) -> None:
    config = json.loads((model / "config.json").read_text()) | setting
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"layers: more than the limit of 500"):
        Roster().load(str(model))


def test_a_config_that_asks_for_endless_labels_is_refused(model: Path) -> None:
    config = json.loads((model / "config.json").read_text()) | {"num_labels": 10**12}
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"1,000,000,000,000 labels: more than the limit of 100,000"):
        Roster().load(str(model))


def test_a_million_tensors_are_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.engine.models.checkpoints.weight_files.MOST_TENSORS", 1000)
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"t{number}": entry for number in range(1001)}).encode()
    (model / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ModelError, match=r"model.safetensors holds 1,001 tensors: more than the limit of 1,000"):
        Roster().load(str(model))


def test_what_real_models_have_is_let_through(tmp_path: Path) -> None:
    sizes = {"tokenizer.json": 60 << 20, "model.safetensors.index.json": 40 << 20, "tokenizer_config.json": 2 << 20}
    for name, size in sizes.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    (tmp_path / "trainer_state.json").touch()
    os.truncate(tmp_path / "trainer_state.json", 300 << 20)  # nobody reads it
    check_folder(tmp_path)
    refuse_many_parts({"num_hidden_layers": 126, "text_config": {"n_routed_experts": 384, "num_layers": 61}}, "Kimi")
    refuse_many_parts({"num_layers": 15, "num_experts": 2048}, "Switch-C")
    refuse_more(1_001_216, limits.MOST_TOKENS, "XLM-V: {}")
    refuse_more(250_000, limits.MOST_TENSORS, "Kimi K2 Thinking: {}")


def test_the_setting_raises_every_limit(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (model / "chat_template.jinja").write_text("x" + " " * (5 << 20))
    with pytest.raises(ModelError) as refused:
        Roster().load(str(model))
    assert "limits = 10 in the settings raises every limit tenfold" in refused.value.line
    monkeypatch.setenv(LIMITS_VARIABLE, "2")
    assert Roster().load(str(model)).info.has_chat_template
    monkeypatch.setenv(LIMITS_VARIABLE, "much")
    with pytest.raises(ModelError, match="no number"):
        Roster().load(str(model))
    monkeypatch.delenv(LIMITS_VARIABLE)
    (tmp_path / "settings.toml").write_text("limits = 10\n")
    assert read_settings(tmp_path / "settings.toml").limits == 10


def test_a_header_that_lies_about_its_places_is_refused(model: Path) -> None:
    for wrong in ([-1, 5], [10, 5], [0, 10**18], ["0", "5"], [0], None, [0.5, 1]):
        header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": wrong}}).encode()
        (model / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
        with pytest.raises(ModelError, match=r"model.safetensors (has a broken header|is cut short)"):
            Roster().load(f"weights:{model}")
