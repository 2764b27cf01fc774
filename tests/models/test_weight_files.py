from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from explorer.engine.models.checkpoints.weight_files import (
    INDEX,
    PickledFiles,
    SafetensorsFiles,
    open_weights,
    read_header,
    weights_digest,
)
from explorer.engine.models.errors import ModelError

TENSORS = {
    "b.weight": torch.arange(12.0).reshape(3, 4),
    "a.weight": torch.arange(6.0).to(torch.bfloat16),
    "empty": torch.zeros(0, 3),
}


@pytest.fixture
def single(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / "model.safetensors")
    return tmp_path


def shards(directory: Path) -> Path:
    directory.mkdir(exist_ok=True)
    where = {}
    for place, name in enumerate(TENSORS):
        where[name] = f"model-{place}.safetensors"
        save_file({name: TENSORS[name]}, directory / where[name])
    (directory / INDEX).write_text(json.dumps({"weight_map": where}))
    return directory


def test_tensors_come_back_in_their_stored_dtype(single: Path) -> None:
    weights = SafetensorsFiles(single)
    assert list(weights.names) == sorted(TENSORS)
    for name, tensor in TENSORS.items():
        assert weights.shape(name) == tuple(tensor.shape)
        assert weights.tensor(name).dtype == tensor.dtype
        assert torch.equal(weights.tensor(name), tensor)
    assert weights.n_elements() == 18


def test_digest_does_not_depend_on_sharding_or_pickling(single: Path, tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    digest = weights_digest(single)
    assert len(digest) == 32
    assert weights_digest(shards(tmp_path / "sharded")) == digest
    assert PickledFiles(tmp_path).digest() == digest


@pytest.mark.parametrize(
    "changed",
    [
        {"b.weight": TENSORS["b.weight"] + 1e-6},
        {"b.weight": TENSORS["b.weight"].reshape(4, 3)},
        {"a.weight": TENSORS["a.weight"].view(torch.float16)},
        {"c.weight": torch.zeros(1)},
    ],
    ids=["bytes", "shape", "dtype", "names"],
)
def test_digest_depends_on_names_dtypes_shapes_and_bytes(
    single: Path, tmp_path: Path, changed: dict[str, torch.Tensor]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    save_file({**TENSORS, **changed}, other / "model.safetensors")
    assert weights_digest(other) != weights_digest(single)


def test_digest_of_some_tensors_ignores_the_others_and_tells_how_far_it_is(single: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    save_file({"b.weight": TENSORS["b.weight"]}, other / "model.safetensors")
    told: list[tuple[int, int]] = []
    digest = SafetensorsFiles(single).digest(["b.weight"], lambda done, total: told.append((done, total)))
    assert digest == weights_digest(other)
    assert told[-1] == (48, 48)


@pytest.mark.parametrize("kept", [0, 5, 40, -1])
def test_truncated_file_is_refused_with_its_size(single: Path, kept: int) -> None:
    file = single / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"cut short|broken header") as refused:
        SafetensorsFiles(single)
    assert "model.safetensors" in refused.value.message
    assert "Download" in refused.value.hint


@pytest.mark.parametrize("header", [b"[]", b"{", b'{"a": 3}', b'{"a": {"dtype": "F32", "shape": [2]}}', b"\xff\xfe"])
def test_broken_header_is_refused(tmp_path: Path, header: bytes) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ModelError, match="broken header"):
        read_header(file)


def test_missing_shard_is_named(tmp_path: Path) -> None:
    directory = shards(tmp_path)
    (directory / "model-1.safetensors").unlink()
    weights = SafetensorsFiles(directory)
    assert weights.shape("b.weight") == (3, 4)  # the shards that are there can be read
    with pytest.raises(ModelError, match=r"model-1\.safetensors is missing"):
        weights.shape("a.weight")


@pytest.mark.parametrize("file", ["../secret.safetensors", "/etc/passwd", "sub/model.safetensors", 7])
def test_index_cannot_lead_out_of_its_directory(tmp_path: Path, file: object) -> None:
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"a.weight": file}}))
    with pytest.raises(ModelError, match="outside its directory"):
        SafetensorsFiles(tmp_path)


def test_directory_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no weights") as refused:
        open_weights(tmp_path)
    assert "model.safetensors" in refused.value.hint


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickles_are_refused_unless_allowed(tmp_path: Path, name: str) -> None:
    torch.save(TENSORS, tmp_path / name)
    with pytest.raises(ModelError, match="pickled") as refused:
        open_weights(tmp_path)
    assert "--allow-pickle" in refused.value.hint


class Bomb:
    """A pickle that would leave a file behind if it were run."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("zipped", [True, False])
def test_allowed_pickle_still_runs_no_code(tmp_path: Path, zipped: bool) -> None:
    trace = tmp_path / "ran"
    torch.save({"a": Bomb(trace)}, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match="tensors only"):
        open_weights(tmp_path, allow_pickle=True)
    assert not trace.exists()


def test_safetensors_are_preferred_to_pickles(single: Path) -> None:
    torch.save(TENSORS, single / "pytorch_model.bin")
    assert isinstance(open_weights(single, allow_pickle=True), SafetensorsFiles)
    assert load_file(single / "model.safetensors").keys() == TENSORS.keys()
