from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, PreTrainedModel

from explorer.engine.models.abilities import Embeddings
from explorer.engine.models.checkpoints.architecture import named_architecture
from explorer.engine.models.checkpoints.directory import EmbeddingNames, read_config, read_embeddings
from explorer.engine.models.checkpoints.opening import open_weights
from explorer.engine.models.errors import ModelError

Tiny = Callable[[str], Path]
ModelOf = Callable[..., PreTrainedModel]


def embeddings_in(directory: Path) -> tuple[Embeddings, EmbeddingNames]:
    return read_embeddings(named_architecture(read_config(directory)), open_weights(directory))


def rewrite(source: Path, target: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Path:
    """A copy of the checkpoint in `source` with its tensors changed."""
    target.mkdir(exist_ok=True)
    (target / "config.json").write_text((source / "config.json").read_text())
    save_file(change(load_file(source / "model.safetensors")), target / "model.safetensors")
    return target


@pytest.mark.parametrize("kind", ["gpt2", "llama", "llama-tied", "gpt_neox", "gptj", "mamba"])
def test_matrices_are_those_that_the_model_uses(tiny: Tiny, model_of: ModelOf, kind: str) -> None:
    found, _ = embeddings_in(tiny(kind))
    model = model_of(kind)
    head = model.get_output_embeddings()
    assert found.output is not None
    assert torch.equal(found.input, model.get_input_embeddings().weight)
    assert torch.equal(found.output, head.weight)
    assert found.tied == (kind in ("gpt2", "llama-tied", "mamba"))
    assert (found.output is found.input) == found.tied
    assert (found.output_bias is not None) == (kind == "gptj")
    if found.output_bias is not None:
        assert torch.equal(found.output_bias, head.bias)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_sharding_changes_nothing(tiny: Tiny, model_of: ModelOf, tmp_path: Path, kind: str) -> None:
    model_of(kind).save_pretrained(tmp_path, max_shard_size="30KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    whole, _ = embeddings_in(tiny(kind))
    sharded, _ = embeddings_in(tmp_path)
    assert torch.equal(whole.input, sharded.input)
    assert sharded.tied == whole.tied
    assert whole.output is not None
    assert sharded.output is not None
    assert torch.equal(whole.output, sharded.output)


def test_encoder_without_a_head_has_no_output_matrix(tiny: Tiny, model_of: ModelOf) -> None:
    found, names = embeddings_in(tiny("bert"))
    assert torch.equal(found.input, model_of("bert").get_input_embeddings().weight)
    assert found.output is None
    assert found.output_bias is None
    assert not found.tied
    assert names.input == "embeddings.word_embeddings.weight"


def test_encoder_with_a_head_has_its_tied_matrix_and_bias(tmp_path: Path) -> None:
    config = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    model = BertForMaskedLM(config)
    torch.nn.init.normal_(model.get_output_embeddings().bias)
    model.save_pretrained(tmp_path)
    found, _ = embeddings_in(tmp_path)
    assert found.tied
    assert found.output_bias is not None
    assert torch.equal(found.output_bias, model.get_output_embeddings().bias)


def test_names_without_the_base_models_prefix_are_found(tiny: Tiny, tmp_path: Path) -> None:
    """The first GPT-2 checkpoints were saved so."""
    stripped = rewrite(
        tiny("gpt2"),
        tmp_path / "stripped",
        lambda tensors: {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()},
    )
    found, names = embeddings_in(stripped)
    assert names.input == names.output == "wte.weight"
    assert torch.equal(found.input, embeddings_in(tiny("gpt2"))[0].input)


def test_two_different_matrices_are_untied_whatever_the_config_says(tiny: Tiny, tmp_path: Path) -> None:
    def untie(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"] + 1}

    def repeat(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"].clone()}

    assert not embeddings_in(rewrite(tiny("llama-tied"), tmp_path / "differ", untie))[0].tied
    assert embeddings_in(rewrite(tiny("llama-tied"), tmp_path / "equal", repeat))[0].tied


def test_missing_head_is_refused_and_not_guessed(tiny: Tiny, tmp_path: Path) -> None:
    def behead(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: tensor for name, tensor in tensors.items() if name != "lm_head.weight"}

    with pytest.raises(ModelError, match="no output embedding"):
        embeddings_in(rewrite(tiny("llama"), tmp_path / "headless", behead))


def test_matrix_of_another_size_than_the_config_is_refused_with_both(tiny: Tiny, tmp_path: Path) -> None:
    def cut(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: tensor[:300] if "embed_tokens" in name else tensor for name, tensor in tensors.items()}

    with pytest.raises(ModelError, match=r"\[300, 32\] in the weights but \[320, 32\] by config") as refused:
        embeddings_in(rewrite(tiny("llama"), tmp_path / "cut", cut))
    assert refused.value.hint


def test_missing_directory_and_missing_config_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no directory"):
        read_config(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"no config\.json"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        '{"model_type": 7}',
        '{"model_type": "gpt2", "architectures": "GPT2LMHeadModel"}',
        '{"model_type": "gpt2", "auto_map": 7}',
        '{"model_type": "gpt2", "quantization_config": []}',
        '{"model_type": "unheard-of"}',
        "{}",
        '{"model_type": "gpt2", "n_embd": "x"}',
    ],
)
def test_unusable_config_is_refused(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError) as refused:
        read_config(tmp_path)
    assert refused.value.hint


def test_a_model_type_that_nobody_knows_is_said_in_one_short_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "zork"}')
    with pytest.raises(ModelError, match="zork") as refused:
        read_config(tmp_path)
    assert refused.value.line.endswith("knows no model_type 'zork'. A newer transformers may know it.")
    assert len(refused.value.line) < 150


def test_what_transformers_says_of_a_config_is_cut_between_words(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_embd": "words " * 100}))
    with pytest.raises(ModelError) as refused:
        read_config(tmp_path)
    assert len(refused.value.message) < 300
    assert refused.value.message.endswith(" words …")


def asking_for_code(directory: Path, plain: dict[str, object]) -> Path:
    """A config that names code of its own, and the code, which would leave a file behind if it ran."""
    plain["auto_map"] = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    (directory / "config.json").write_text(json.dumps(plain))
    (directory / "own.py").write_text(f"open({str(directory / 'ran')!r}, 'w')")
    return directory


def test_code_of_its_own_is_never_run_where_transformers_knows_the_model(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes((tiny("gpt2") / "model.safetensors").read_bytes())
    asking_for_code(tmp_path, json.loads((tiny("gpt2") / "config.json").read_text()))
    assert torch.equal(embeddings_in(tmp_path)[0].input, embeddings_in(tiny("gpt2"))[0].input)
    assert not (tmp_path / "ran").exists()


def test_a_model_that_only_its_own_code_knows_is_refused_and_none_of_it_runs(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"auto_map.*never run.*knows no model_type 'own'"):
        read_config(asking_for_code(tmp_path, {"model_type": "own"}))
    assert not (tmp_path / "ran").exists()


def test_minilm_matrix_is_read_without_its_model(minilm: Path) -> None:
    found, _ = embeddings_in(minilm)
    assert tuple(found.input.shape) == (30_522, 384)
    assert found.output is None
