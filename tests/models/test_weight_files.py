from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from explorer.engine.models.checkpoints.opening import open_weights
from explorer.engine.models.checkpoints.pickled_files import PickledFiles
from explorer.engine.models.checkpoints.weight_files import (
    INDEX,
    SafetensorsFiles,
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


@pytest.mark.parametrize("file", ["../secret.safetensors", "/etc/passwd", "sub/model.safetensors"])
def test_index_cannot_lead_out_of_its_directory(tmp_path: Path, file: object) -> None:
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"a.weight": file}}))
    with pytest.raises(ModelError, match="outside its directory"):
        SafetensorsFiles(tmp_path)


@pytest.mark.parametrize("weight_map", [{"a.weight": 7}, [], "model.safetensors", {"a.weight": None}])
def test_index_of_wrong_types_is_refused(tmp_path: Path, weight_map: object) -> None:
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(ModelError, match=r"index\.json cannot be used: Expected") as refused:
        SafetensorsFiles(tmp_path)
    assert refused.value.hint


def test_an_index_that_was_left_beside_a_whole_file_is_passed_over(single: Path) -> None:
    (single / INDEX).write_text(json.dumps({"weight_map": {"a.weight": "model-00001-of-00002.safetensors"}}))
    weights = open_weights(single)
    assert list(weights.names) == sorted(TENSORS)
    assert torch.equal(weights.tensor("a.weight"), TENSORS["a.weight"])


@pytest.mark.parametrize("index", [None, "model-00007-of-00030.safetensors", "model-00001-of-00005.safetensors"])
def test_a_full_set_of_shards_is_read_where_the_index_is_lost_or_of_other_files(
    tmp_path: Path, index: str | None
) -> None:
    """People shard again, or quantise, and leave the old index (Neph0s/CoSER#3, Blaizzy/mlx-vlm#1827)."""
    for place, name in enumerate(TENSORS, 1):
        save_file({name: TENSORS[name]}, tmp_path / f"model-{place:05}-of-{len(TENSORS):05}.safetensors")
    if index is not None:
        (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"a.weight": index, "z.weight": index}}))
    weights = open_weights(tmp_path)
    assert list(weights.names) == sorted(TENSORS)
    assert all(torch.equal(weights.tensor(name), tensor) for name, tensor in TENSORS.items())


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["model.fp16.safetensors"], "has only model.fp16.safetensors,"),
        (["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors"], "00001-of-00003.safetensors …, and"),
    ],
)
def test_weights_under_another_name_are_named(tmp_path: Path, files: list[str], said: str) -> None:
    for file in files:
        save_file(TENSORS, tmp_path / file)
    with pytest.raises(ModelError, match=said) as refused:
        open_weights(tmp_path)
    assert "model.safetensors" in refused.value.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([torch.ones(2)], "holds a list"),
        (torch.ones(2), "holds a Tensor"),
        ({0: torch.ones(2)}, r"tensors by int \(0"),
        ({"epoch": 3, "state_dict": {"a": torch.ones(2)}}, "under the key 'state_dict'"),
        ({}, "holds no tensors"),
        (3, "holds a int"),
    ],
    ids=["list", "tensor", "integer keys", "nested", "empty", "number"],
)
def test_pickle_of_another_form_is_refused_with_what_it_holds(tmp_path: Path, content: object, said: str) -> None:
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=said) as refused:
        open_weights(tmp_path, allow_pickle=True)
    assert refused.value.hint
    assert "\n" not in refused.value.line


def test_the_files_of_a_trainer_are_no_weights(tmp_path: Path) -> None:
    for name in ("optimizer.pt", "scheduler.pt", "training_args.bin", "rng_state_0.pth"):
        torch.save(TENSORS, tmp_path / name)
    with pytest.raises(ModelError, match="no weights"):
        open_weights(tmp_path, allow_pickle=True)


def test_weights_in_the_original_format_of_llama_are_named(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "consolidated.00.pth")
    with pytest.raises(ModelError, match=r"has consolidated\.00\.pth \(the original format of Llama\)") as refused:
        open_weights(tmp_path, allow_pickle=True)
    assert "save_pretrained" in refused.value.hint


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
