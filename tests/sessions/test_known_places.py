"""Models that sessions name without their folders are found again on the machine that loaded them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from explorer.base.records.models import ModelInfo
from explorer.sessions.file.known_places import MOST, NAME, KnownPlaces, Place


def info(**changes: Any) -> ModelInfo:
    plain = ModelInfo(
        name="m", source="m", architecture="GPT2LMHeadModel", weights_digest="w", tokenizer_digest="t",
        dtype="float32", device="cpu", vocab_size=8, tokenizer_size=8, d_model=4,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def test_a_place_is_remembered_with_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    places = KnownPlaces(tmp_path / "state")
    places.remember("./mine", info())
    places.remember("weights:./mine", info(can_run=False))
    assert places.find(info()) == Place(str(tmp_path / "mine"))
    assert places.find(info(can_run=False)) == Place(f"weights:{tmp_path / 'mine'}")
    assert places.find(info(weights_digest="other")) is None
    (tmp_path / "mine").rmdir()
    assert places.find(info()) is None


def test_what_is_not_of_this_machine_is_not_remembered(tmp_path: Path) -> None:
    places = KnownPlaces(tmp_path)
    for source in ("zoo:mynah", "openai-community/gpt2", str(tmp_path / "gone")):
        places.remember(source, info())
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b"\xff" * 100])
def test_a_damaged_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    places = KnownPlaces(tmp_path)
    assert places.find(info()) is None
    places.remember(str(tmp_path), info())
    assert places.find(info()) == Place(str(tmp_path))


def test_the_earliest_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(msgspec.json.encode({f"k{place}": Place("/x") for place in range(MOST)}))
    KnownPlaces(tmp_path).remember(str(tmp_path), info())
    known = msgspec.json.decode((tmp_path / NAME).read_bytes())
    assert len(known) == MOST
    assert "k0" not in known
