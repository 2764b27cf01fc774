"""PEFT adapters: applied only where the folder is an adapter's, and then merged as peft merges them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from explorer.engine.models.adapters import load_adapted
from explorer.engine.models.errors import ModelError
from explorer.engine.models.loading import load_model
from explorer.engine.models.reading import weights_size
from explorer.engine.models.roster import Roster

Tiny = Callable[[str], Path]
PROMPT = [5, 6, 7, 8]


def save_adapter(folder: Path, base: Path, **changed: object) -> dict[str, torch.Tensor]:
    """A LoRA adapter of rank 2 on the query of every layer; gives its tensors."""
    folder.mkdir(exist_ok=True)
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}
    config |= {"base_model_name_or_path": str(base), "bias": "none", "inference_mode": True}
    (folder / "adapter_config.json").write_text(json.dumps({**config, **changed}))
    tensors = {}
    for layer in range(2):
        place = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        tensors[f"{place}.lora_A.weight"] = torch.randn(2, 32)
        tensors[f"{place}.lora_B.weight"] = torch.randn(32, 2)
    save_file(tensors, folder / "adapter_model.safetensors")
    return tensors


def merged_by_hand(base: Path, folder: Path, adapter: dict[str, torch.Tensor]) -> Path:
    folder.mkdir()
    for file in base.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    tensors = load_file(base / "model.safetensors")
    for layer in range(2):
        place = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        change = adapter[f"{place}.lora_B.weight"] @ adapter[f"{place}.lora_A.weight"]
        tensors[f"model.layers.{layer}.self_attn.q_proj.weight"] += 4 / 2 * change
    save_file(tensors, folder / "model.safetensors")
    return folder


def logits(model: Any) -> torch.Tensor:
    found: torch.Tensor = model.start([PROMPT]).logits
    return found


@pytest.fixture
def peft() -> Any:
    pytest.importorskip("peft", reason="peft is not installed, so adapters are not tested as sources")
    return importlib.import_module("peft")


def test_an_adapter_left_beside_a_whole_model_is_never_applied(tiny: Tiny, tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", tiny("llama"))
    merged = merged_by_hand(tiny("llama"), tmp_path / "merged", adapter)
    plain = logits(load_model(merged, name="merged", source="./merged"))
    for file in (tmp_path / "adapter").iterdir():
        (merged / file.name).write_bytes(file.read_bytes())
    assert torch.equal(logits(load_model(merged, name="merged", source="./merged")), plain)
    assert torch.equal(logits(Roster().load(str(merged), device="cpu")), plain)


def test_an_adapter_is_merged_into_the_base_model_that_it_names(peft: Any, tiny: Tiny, tmp_path: Path) -> None:
    base = tiny("llama")
    adapter = save_adapter(tmp_path / "adapter", base)
    before = (base / "model.safetensors").read_bytes()
    expected = load_model(merged_by_hand(base, tmp_path / "merged", adapter), name="merged", source="./merged")
    found = Roster().load(str(tmp_path / "adapter"), device="cpu")
    torch.testing.assert_close(logits(found), logits(expected), rtol=0, atol=1e-5)
    assert found.info.name == "adapter"
    assert found.info.weights_digest not in ("", expected.info.weights_digest)
    assert (base / "model.safetensors").read_bytes() == before
    assert weights_size(tmp_path / "adapter", torch.float32) == weights_size(base, torch.float32)


def test_matrices_that_an_adapter_changes_are_the_merged_ones(peft: Any, tiny: Tiny, tmp_path: Path) -> None:
    save_adapter(tmp_path / "adapter", tiny("llama"), target_modules=["embed_tokens"])
    place = "base_model.model.model.embed_tokens.lora_embedding_"
    low, high = torch.randn(2, 320), torch.randn(32, 2)
    save_file({f"{place}A": low, f"{place}B": high}, tmp_path / "adapter" / "adapter_model.safetensors")
    found = load_adapted(tmp_path / "adapter", name="adapter", source="./adapter").embeddings()
    matrix = load_file(tiny("llama") / "model.safetensors")["model.embed_tokens.weight"]
    torch.testing.assert_close(found.input, matrix + 2 * (high @ low).T)
    assert not found.tied


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"base_model_name_or_path": "org/nowhere"}, "a LoRA adapter of org/nowhere, which is not found"),
        ({"base_model_name_or_path": None}, "a base model that it does not name, which is not found"),
        ({"megatron_config": {}, "megatron_core": "antigravity"}, "names a module to import"),
        ({"target_modules": ["nothing_like_it"]}, "cannot be merged"),
        ({"r": "two"}, "cannot be merged"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_refused(
    peft: Any, tiny: Tiny, tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    save_adapter(tmp_path, tiny("llama"), **changed)
    with pytest.raises(ModelError, match=said) as refused:
        load_adapted(tmp_path, name="adapter", source="./adapter")
    assert refused.value.hint


def test_an_adapters_folder_is_loaded_through_peft(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without peft itself: one that merges nothing stands in its place."""
    asked: list[str] = []

    def from_pretrained(model: PreTrainedModel, folder: str, **_: Any) -> SimpleNamespace:
        asked.append(folder)
        return SimpleNamespace(merge_and_unload=lambda **_: model)

    peft = SimpleNamespace(PeftModel=SimpleNamespace(from_pretrained=from_pretrained))
    monkeypatch.setattr("explorer.engine.models.adapters.find_spec", lambda _: True)
    monkeypatch.setattr("explorer.engine.models.adapters.import_module", lambda _: peft)
    save_adapter(tmp_path / "adapter", tiny("llama"))
    found = Roster().load(str(tmp_path / "adapter"), device="cpu", dtype="float32")
    plain = load_model(tiny("llama"), name="plain", source="./plain", device="cpu")
    assert asked == [str(tmp_path / "adapter")]
    # The copy lies elsewhere in memory than the file does, and products may be summed in another order there.
    torch.testing.assert_close(logits(found), logits(plain), rtol=0, atol=1e-6)
    assert found.info.weights_digest != plain.info.weights_digest


def test_without_peft_an_adapter_is_called_one(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.engine.models.adapters.find_spec", lambda _: None)
    save_adapter(tmp_path, tiny("llama"), base_model_name_or_path="meta-llama/Llama-2-7b-hf")
    with pytest.raises(
        ModelError, match="a LoRA adapter of meta-llama/Llama-2-7b-hf, and no model by itself"
    ) as refused:
        Roster().load(str(tmp_path), device="cpu")
    assert "merge" in refused.value.hint.lower()
    assert "peft" in refused.value.hint
    with pytest.raises(ModelError, match="a LoRA adapter of meta-llama"):
        Roster().load(f"weights:{tmp_path}")
