"""Checkpoints as people have them: other names, other shapes, parts missing; each kind built small."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    GptOssConfig,
    GptOssForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    MllamaForCausalLM,
    NemotronHConfig,
    NemotronHForCausalLM,
    PreTrainedModel,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    ReformerConfig,
    ReformerModelWithLMHead,
    RemBertConfig,
    RemBertForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.models.mllama.configuration_mllama import MllamaTextConfig

from explorer.engine.models.abilities import Embeddings
from explorer.engine.models.checkpoints.architecture import named_architecture
from explorer.engine.models.checkpoints.directory import read_config, read_embeddings
from explorer.engine.models.checkpoints.opening import open_weights
from explorer.engine.models.errors import ModelError
from explorer.engine.models.lens import residuals
from explorer.engine.models.loading import load_embeddings_only, load_model
from explorer.engine.models.prediction import Choice, Wanted
from explorer.engine.models.reading import weights_size

Tiny = Callable[[str], Path]
Save = Callable[..., None]
Tensors = dict[str, torch.Tensor]

ROWS = 320
TEXT = {
    "vocab_size": ROWS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


def _gemma3() -> PreTrainedModel:
    vision = {**VISION, "model_type": "siglip_vision_model"}
    config = Gemma3Config(text_config=TEXT, vision_config=vision, mm_tokens_per_image=4, image_token_id=10)
    return Gemma3ForConditionalGeneration(config)


def _llava() -> PreTrainedModel:
    text, vision = {**TEXT, "model_type": "llama"}, {**VISION, "model_type": "clip_vision_model"}
    config = LlavaConfig(text_config=text, vision_config=vision, image_token_index=10, tie_word_embeddings=False)
    return LlavaForConditionalGeneration(config)


def _qwen2_vl() -> PreTrainedModel:
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}
    vision = {"depth": 1, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    text = {**TEXT, "rope_parameters": rope}
    config = Qwen2VLConfig(text_config=text, vision_config=vision, image_token_id=10, tie_word_embeddings=False)
    return Qwen2VLForConditionalGeneration(config)


def _qwen3_5() -> PreTrainedModel:
    linear = {"linear_key_head_dim": 8, "linear_value_head_dim": 8}
    linear |= {"linear_num_key_heads": 2, "linear_num_value_heads": 4}
    text = {**TEXT, **linear, "layer_types": ["linear_attention", "full_attention"]}
    vision: dict[str, Any] = {"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2}
    vision |= {"out_hidden_size": 32, "num_position_embeddings": 16, "deepstack_visual_indexes": []}
    config = Qwen3_5Config(text_config=text, vision_config=vision, image_token_id=10, tie_word_embeddings=False)
    return Qwen3_5ForConditionalGeneration(config)


def _nemotron_h() -> PreTrainedModel:
    mamba = {"mamba_head_dim": 8, "mamba_num_heads": 8, "ssm_state_size": 4, "chunk_size": 8, "n_groups": 1}
    config = NemotronHConfig(**TEXT, **mamba, layers_block_type=["linear_attention", "mlp", "full_attention"])
    return NemotronHForCausalLM(config)


def _clip() -> PreTrainedModel:
    text = {key: value for key, value in TEXT.items() if key not in ("num_key_value_heads", "head_dim")}
    return CLIPModel(CLIPConfig(text_config=CLIPTextConfig(**text), vision_config=CLIPVisionConfig(**VISION)))


def _mllama() -> PreTrainedModel:
    return MllamaForCausalLM(MllamaTextConfig(**TEXT, cross_attention_layers=[], pad_token_id=0))


def _rembert() -> PreTrainedModel:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    return RemBertForMaskedLM(
        RemBertConfig(vocab_size=ROWS, input_embedding_size=16, output_embedding_size=48, **sizes)
    )


def _reformer() -> PreTrainedModel:
    sizes = {"hidden_size": 32, "num_attention_heads": 2, "attention_head_size": 16, "feed_forward_size": 64}
    attention = {"attn_layers": ["local"], "axial_pos_embds": False, "local_attn_chunk_length": 8, "is_decoder": True}
    return ReformerModelWithLMHead(ReformerConfig(vocab_size=ROWS, max_position_embeddings=64, **sizes, **attention))


BUILDERS: dict[str, Callable[[], PreTrainedModel]] = {
    "gemma3": _gemma3,
    "llava": _llava,
    "qwen2-vl": _qwen2_vl,
    "qwen3.5": _qwen3_5,
    "nemotron-h": _nemotron_h,
    "clip": _clip,
    "mllama": _mllama,
    "rembert": _rembert,
    "reformer": _reformer,
}


@pytest.fixture(scope="session")
def kind(tmp_path_factory: pytest.TempPathFactory, save: Save) -> Callable[[str], tuple[Path, PreTrainedModel]]:
    """`kind(name)`: a small random model and its directory; do not write there."""
    made: dict[str, tuple[Path, PreTrainedModel]] = {}

    def build(name: str) -> tuple[Path, PreTrainedModel]:
        if name not in made:
            torch.manual_seed(0)
            made[name] = tmp_path_factory.mktemp(name), BUILDERS[name]().eval()
            save(made[name][1], made[name][0])
        return made[name]

    return build


Kind = Callable[[str], tuple[Path, PreTrainedModel]]


def embeddings_in(directory: Path) -> Embeddings:
    return read_embeddings(named_architecture(read_config(directory)), open_weights(directory), needs_head=False)[0]


def changed(source: Path, target: Path, change: Callable[[Tensors], Tensors], **config: Any) -> Path:
    """A copy of a checkpoint with its tensors, and values in its config, changed."""
    target.mkdir(exist_ok=True)
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    tensors = {name: tensor.clone() for name, tensor in change(load_file(source / "model.safetensors")).items()}
    save_file(tensors, target / "model.safetensors")
    plain = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**plain, **config}))
    return target


def said(directory: Path, **options: Any) -> str:
    with pytest.raises(ModelError) as refused:
        load_model(directory, name="model", source="./model", **options)
    return refused.value.line


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name", ["gemma3", "llava", "qwen2-vl", "qwen3.5", "nemotron-h", "mllama", "rembert", "reformer"]
)
def test_matrices_are_found_under_the_names_that_the_checkpoint_has(kind: Kind, name: str) -> None:
    directory, model = kind(name)
    found = embeddings_in(directory)
    matrix, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    assert torch.equal(found.input[: len(matrix)], matrix)
    assert found.output is not None
    assert torch.equal(found.output[: len(head)], head)
    assert found.tied == (head is matrix)


def test_the_text_embedding_of_a_model_with_several_inputs_is_found(kind: Kind) -> None:
    directory, model = kind("clip")
    assert isinstance(model, CLIPModel)
    found = load_embeddings_only(directory, name="clip", source="weights:./clip")
    assert torch.equal(found.embeddings().input, model.text_model.embeddings.token_embedding.weight)
    assert found.embeddings().output is None


@pytest.mark.parametrize("wrapper", ["module.", "_orig_mod.", "_orig_mod.module.", "base_model.model."])
def test_what_wrapped_a_model_when_it_was_saved_is_taken_off(tiny: Tiny, tmp_path: Path, wrapper: str) -> None:
    """torch.compile and DistributedDataParallel put themselves into every name (karpathy/nanoGPT#325)."""
    wrapped = changed(
        tiny("llama"), tmp_path, lambda tensors: {f"{wrapper}{name}": tensor for name, tensor in tensors.items()}
    )
    found = load_model(wrapped, name="model", source="./model")
    plain = load_model(tiny("llama"), name="plain", source="./plain")
    assert torch.equal(found.start([[5, 6, 7]]).logits, plain.start([[5, 6, 7]]).logits)


def test_seq2seq_without_its_shared_matrix_keeps_input_and_head_apart(tmp_path: Path, save: Save) -> None:
    torch.manual_seed(0)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_heads": 2}
    model = T5ForConditionalGeneration(T5Config(vocab_size=ROWS, **sizes))
    save(model, tmp_path / "whole")

    def unshare(tensors: Tensors) -> Tensors:
        shared = tensors.pop("shared.weight")
        return {**tensors, "decoder.embed_tokens.weight": shared, "lm_head.weight": shared * 0.01}

    found = embeddings_in(changed(tmp_path / "whole", tmp_path / "unshared", unshare))
    assert not found.tied
    assert torch.equal(found.input, model.shared.weight)
    assert found.output is not None
    assert torch.equal(found.output, model.shared.weight * 0.01)


# ── shapes ────────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_that_only_one_matrix_has_are_nan_in_the_other_and_told(kind: Kind) -> None:
    directory, _ = kind("mllama")
    model = load_embeddings_only(directory, name="mllama", source="weights:./mllama")
    found = model.embeddings()
    assert found.output is not None
    assert found.input.shape == found.output.shape == (ROWS + 8, 32)
    assert found.output_rows == ROWS
    assert bool(found.output[ROWS:].isnan().all())
    assert not bool(found.input.isnan().any())
    assert model.notes == ("8 tokens, from id 320 on, have no row of W_U",)


@pytest.mark.parametrize(("name", "widths"), [("rembert", (16, 48)), ("reformer", (32, 64))])
def test_matrices_of_different_widths_are_both_read(kind: Kind, name: str, widths: tuple[int, int]) -> None:
    found = embeddings_in(kind(name)[0])
    assert found.output is not None
    assert (found.input.shape[1], found.output.shape[1]) == widths


def test_weights_alone_need_no_head_and_running_does(tiny: Tiny, tmp_path: Path) -> None:
    """Embedding models are published as the base model under the name of the causal one."""

    def behead(tensors: Tensors) -> Tensors:
        return {name.removeprefix("model."): tensor for name, tensor in tensors.items() if name != "lm_head.weight"}

    headless = changed(tiny("llama"), tmp_path, behead)
    found = load_embeddings_only(headless, name="model", source="weights:./model")
    assert found.embeddings().output is None
    assert "no output embedding" in said(headless)
    assert "weights:" in said(headless)


def test_empty_placeholders_are_told_from_weights(tiny: Tiny, tmp_path: Path) -> None:
    """DeepSpeed ZeRO-3 saves tensors of no elements in the place of those that other processes hold
    (huggingface/transformers#20082)."""
    empty = changed(tiny("llama"), tmp_path, lambda tensors: {name: torch.zeros(0) for name in tensors})
    assert "zero_to_fp32" in said(empty)
    assert "ZeRO-3" in said(empty)


def test_packed_embeddings_are_refused_as_packed(tiny: Tiny, tmp_path: Path) -> None:
    def pack(tensors: Tensors) -> Tensors:
        packed = torch.zeros(ROWS, 4, dtype=torch.uint32)
        scales = {"model.embed_tokens.scales": torch.ones(ROWS, 1), "model.embed_tokens.biases": torch.ones(ROWS, 1)}
        return {**tensors, "model.embed_tokens.weight": packed, **scales}

    directory = changed(tiny("llama"), tmp_path, pack)
    assert "is packed (U32, .scales beside it)" in said(directory)
    assert "different models" not in said(directory)


# ── what is run ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_multimodal_config_runs_as_the_text_model_that_transformers_makes_of_it(kind: Kind) -> None:
    directory, model = kind("qwen3.5")
    found = load_model(directory, name="model", source="./model")
    assert found.info.architecture == "Qwen3_5ForCausalLM"
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([[15, 16, 17]])).logits[0, -1]
    torch.testing.assert_close(found.start([[15, 16, 17]]).logits[0], expected, rtol=0, atol=1e-5)


def test_a_model_whose_head_has_fewer_rows_runs_and_never_says_the_rest(kind: Kind) -> None:
    directory, model = kind("mllama")
    found = load_model(directory, name="model", source="./model")
    batch = found.start([[15, 16, 17], [18, 19]])
    assert tuple(batch.logits.shape) == (2, ROWS + 8)
    assert bool(batch.logits[:, ROWS:].isneginf().all())
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([[15, 16, 17]])).logits[0, -1]
    torch.testing.assert_close(batch.logits[0, :ROWS], expected, rtol=0, atol=1e-5)
    told = batch.read(Wanted(targets=np.array([[20, ROWS + 3]] * 2), choice=Choice()))
    assert np.isneginf(told.logprobs[:, 1]).all()


def pack_fp8(tensors: Tensors) -> Tensors:
    """Every linear layer as FP8 with a scale a block, as DeepSeek and Qwen publish it."""
    packed: Tensors = {}
    for name, tensor in tensors.items():
        if name.endswith("proj.weight"):
            packed[name] = (tensor * 4).to(torch.float8_e4m3fn)
            packed[f"{name}_scale_inv"] = torch.full((1, 1), 0.25)
        else:
            packed[name] = tensor
    return packed


FP8 = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_fp8_weights_run_on_a_processor(tiny: Tiny, tmp_path: Path, dtype: Any) -> None:
    packed = changed(tiny("llama"), tmp_path / "packed", pack_fp8, quantization_config=FP8)

    def unpack(tensors: Tensors) -> Tensors:
        rounded = {name: (tensor * 4).to(torch.float8_e4m3fn).float() / 4 for name, tensor in tensors.items()}
        return {name: rounded[name] if name.endswith("proj.weight") else tensor for name, tensor in tensors.items()}

    plain = changed(tiny("llama"), tmp_path / "plain", unpack)
    expected = load_model(plain, name="plain", source="./plain", dtype=dtype)
    found = load_model(packed, name="packed", source="./packed", dtype=dtype)
    assert {parameter.dtype for parameter in found.hf.parameters()} == {getattr(torch, dtype)}
    assert found.info.dtype == dtype
    torch.testing.assert_close(found.start([[5, 6]]).logits, expected.start([[5, 6]]).logits, rtol=0, atol=0.05)
    assert weights_size(packed, getattr(torch, dtype)) == sum(tensor.nbytes for tensor in found.hf.parameters())


def test_the_memory_check_counts_packed_weights_as_they_are_unpacked(tmp_path: Path, save: Save) -> None:
    """gpt-oss stores two numbers in a byte and is unpacked where there is no kernel for that."""
    experts = {"num_local_experts": 4, "num_experts_per_tok": 2, "layer_types": ["sliding_attention", "full_attention"]}
    model = GptOssForCausalLM(GptOssConfig(**TEXT, **experts))
    save(model, tmp_path / "plain")

    def pack(tensors: Tensors) -> Tensors:
        packed = {name: tensor for name, tensor in tensors.items() if not name.endswith("_proj")}
        for name in set(tensors) - set(packed):
            experts, wide, high = tensors[name].shape
            packed[f"{name}_blocks"] = torch.randint(256, (experts, high, wide // 32, 16), dtype=torch.uint8)
            packed[f"{name}_scales"] = torch.full((experts, high, wide // 32), 124, dtype=torch.uint8)
        return packed

    mxfp4 = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]}
    packed = changed(tmp_path / "plain", tmp_path / "packed", pack, quantization_config=mxfp4)
    found = load_model(packed, name="packed", source="./packed", dtype="float32", device="cpu")
    taken = sum(parameter.nbytes for parameter in found.hf.parameters())
    assert weights_size(packed, torch.float32) == taken
    assert (packed / "model.safetensors").stat().st_size < taken / 2


@pytest.mark.parametrize("name", ["gemma3", "llava", "qwen2-vl"])
def test_models_that_read_images_too_continue_texts(kind: Kind, name: str) -> None:
    directory, model = kind(name)
    found = load_model(directory, name="model", source="./model")
    batch = found.start([[215, 216, 217, 218], [219, 220]])
    batch.push([221, 222])
    with torch.no_grad():
        rows = [
            model(input_ids=torch.tensor([row])).logits[0, -1] for row in ([215, 216, 217, 218, 221], [219, 220, 222])
        ]
    torch.testing.assert_close(batch.logits, torch.stack(rows), rtol=0, atol=1e-5)


def test_nothing_is_installed_to_look_inside_a_model_that_reads_images(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TransformerLens installs torchvision with pip for such a model, and another torch along with it."""
    started: list[object] = []
    for way in ("check_call", "run", "Popen"):
        monkeypatch.setattr(subprocess, way, lambda *given, **_: started.append(given))
    found = load_model(kind("gemma3")[0], name="model", source="./model")
    assert tuple(residuals(found, [215, 216, 217]).shape) == (3, 3, 32)
    assert started == []


def test_models_that_do_not_continue_a_text_are_refused_with_their_geometry_offered(tmp_path: Path, save: Save) -> None:
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_heads": 2}
    save(T5ForConditionalGeneration(T5Config(vocab_size=ROWS, **sizes)), tmp_path)
    line = said(tmp_path)
    assert "T5ForConditionalGeneration" in line
    assert "weights:" in line
    assert load_embeddings_only(tmp_path, name="model", source="weights:./model").info.d_model == 32


# ── values of wrong types and sizes ───────────────────────────────────────────────────────────────────────

STRANGE: list[object] = [-1, 2**40, 1e30, "x", [[1]], {"a": 1}, None]


def strange_configs(plain: dict[str, Any]) -> Iterator[str]:
    """Configs with one value changed that a loader must not take on trust."""
    keys = ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings"]
    keys += ["eos_token_id", "architectures", "model_type", "dtype", "tie_word_embeddings", "is_encoder_decoder"]
    keys += ["quantization_config", "rope_parameters", "text_config", "auto_map"]
    for key in keys:
        yield from (json.dumps({**plain, key: value}) for value in STRANGE)
    for method in ("fp8", "mxfp4", "gptq", "awq", "bitsandbytes", 7):
        yield json.dumps({**plain, "quantization_config": {"quant_method": method}})
    yield json.dumps({**plain, "text_config": {"model_type": []}})


def test_whatever_a_config_says_the_answer_is_a_model_or_one_line(tiny: Tiny, tmp_path: Path) -> None:
    changed(tiny("llama"), tmp_path, lambda tensors: tensors)
    for config in strange_configs(json.loads((tmp_path / "config.json").read_text())):
        (tmp_path / "config.json").write_text(config)
        for attempt in (
            lambda: weights_size(tmp_path, torch.float32),
            lambda: load_embeddings_only(tmp_path, name="model", source="weights:./model"),
            lambda: load_model(tmp_path, name="model", source="./model", device="cpu"),
        ):
            line = ""
            try:
                attempt()
            except ModelError as refused:
                line = refused.line
            assert "\n" not in line, config


# ── folders that are something else ───────────────────────────────────────────────────────────────────────


def test_git_lfs_pointers_are_called_so(tiny: Tiny, tmp_path: Path) -> None:
    for file in ("model.safetensors", "tokenizer.json"):
        folder = tmp_path / file
        changed(tiny("llama"), folder, lambda tensors: tensors)
        (folder / file).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 134\n")
        assert f"{file} in {file} is a Git LFS pointer" in said(folder)
        assert "git lfs pull" in said(folder)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"adapter_config.json": '{"peft_type": "LORA", "base_model_name_or_path": "org/base"}'},
            "a LoRA adapter of org/base",
        ),
        ({"adapter_config.json": "{}"}, "a PEFT adapter of a base model that it does not name"),
        ({"adapter_config.json": '{"peft_type": 7}'}, "cannot be used: Expected"),
        ({"params.json": "{}", "consolidated.safetensors": ""}, "its maker's own format"),
        ({"snapshots/abc/config.json": "{}", "refs/main": "abc"}, "snapshots/abc"),
        ({"model_index.json": "{}", "text_encoder/config.json": "{}"}, "diffusers pipeline"),
        ({"checkpoint-500/config.json": "{}"}, "Give one of them"),
        ({}, "has no config.json"),
    ],
)
def test_a_folder_that_is_no_checkpoint_is_called_what_it_is(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert expected in said(tmp_path)
