"""GGUF files as sources: the same matrices, bytes and logits as in the models that they were written from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind

from explorer.engine.models.checkpoints.gguf_files import GgufFiles, dequantise_rows
from explorer.engine.models.checkpoints.gguf_place import find_gguf, model_name
from explorer.engine.models.errors import ModelError
from explorer.engine.models.local import EmbeddingsOnly, LocalModel
from explorer.engine.models.reading import matrices_size, weights_size
from explorer.engine.models.roster import Roster
from explorer.engine.models.source import parse_source
from tests.models import gguf_samples as samples
from tests.models.conftest import byte_level_tokenizer

ROWS = 320


@pytest.fixture(scope="module")
def vocabulary() -> dict[str, Any]:
    return samples.byte_level_metadata(byte_level_tokenizer(), ROWS)


@pytest.fixture
def write(tmp_path: Path, vocabulary: dict[str, Any]) -> Callable[..., Path]:
    """`write(name, tensors, metadata, kinds=…)`: a GGUF file with the byte-level vocabulary."""

    def write_file(name: str, tensors: samples.Tensors, metadata: dict[str, Any] | None = None, **more: Any) -> Path:
        return samples.write_gguf(tmp_path / name, tensors, vocabulary | (metadata or {}), **more)

    return write_file


def load_weights(source: Path) -> EmbeddingsOnly:
    model = Roster().load(f"weights:{source}")
    assert isinstance(model, EmbeddingsOnly)
    return model


def load_whole(source: Path) -> LocalModel:
    model = Roster().load(str(source))
    assert isinstance(model, LocalModel)
    return model


# ── matrices ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tied", [True, False])
def test_matrices_are_those_of_the_file(write: Callable[..., Path], tied: bool) -> None:
    tensors = samples.matrices(ROWS, tied=tied)
    model = load_weights(write("model.gguf", tensors))
    embeddings = model.embeddings()
    assert embeddings.output is not None
    assert np.array_equal(embeddings.input.numpy(), tensors["token_embd.weight"])
    assert np.array_equal(embeddings.output.numpy(), tensors.get("output.weight", tensors["token_embd.weight"]))
    assert embeddings.tied == model.info.tied == tied
    assert (embeddings.output is embeddings.input) == tied
    assert model.info.name == "model(weights)"
    assert (model.info.vocab_size, model.info.d_model, model.info.quantisation) == (ROWS, samples.D_MODEL, "")


@pytest.mark.parametrize("kind", [Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q5_1])
def test_quantised_matrices_are_what_the_gguf_package_makes_of_them(write: Callable[..., Path], kind: Kind) -> None:
    tensors = samples.matrices(ROWS, tied=False)
    kinds = {"token_embd.weight": kind, "output.weight": Kind.Q8_0}
    model = load_weights(write("model.gguf", tensors, kinds=kinds))
    expected = gguf.dequantize(gguf.quantize(tensors["token_embd.weight"], kind), kind)
    assert np.array_equal(model.embeddings().input.float().numpy(), expected)
    named = {kind.name: "", "Q8_0": ""}
    assert model.info.quantisation == f"embeddings {' '.join(named)}"


def test_every_kind_is_dequantised_as_by_the_gguf_package() -> None:
    generator = np.random.default_rng(0)
    known = [kind for kind in Kind if kind in gguf.quants._type_traits]
    assert {Kind.Q4_K, Kind.Q5_0, Kind.Q6_K, Kind.IQ2_XXS, Kind.MXFP4} < set(known)
    for kind in known:
        block, size = gguf.GGML_QUANT_SIZES[kind]
        rows = generator.integers(0, 256, (3, 512 // block * size), dtype=np.uint8)
        with np.errstate(all="ignore"):
            found, expected = dequantise_rows(rows, kind), gguf.dequantize(rows, kind)
        assert np.array_equal(found.numpy(), expected, equal_nan=True), kind.name


def test_a_matrix_is_dequantised_by_blocks_of_rows(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from explorer.engine.models.checkpoints import gguf_files

    monkeypatch.setattr(gguf_files, "_CHUNK", 7 * samples.D_MODEL)
    tensors = samples.matrices(ROWS)
    files = GgufFiles([write("model.gguf", tensors, kinds={"token_embd.weight": Kind.Q8_0})])
    expected = gguf.dequantize(gguf.quantize(tensors["token_embd.weight"], Kind.Q8_0), Kind.Q8_0)
    assert np.array_equal(files.tensor("token_embd.weight").numpy(), expected)


def test_a_bias_of_the_head_is_read(write: Callable[..., Path]) -> None:
    bias = np.linspace(-1, 1, ROWS, dtype=np.float32)
    model = load_weights(write("model.gguf", samples.matrices(ROWS, tied=False) | {"output.bias": bias}))
    found = model.embeddings().output_bias
    assert found is not None
    assert np.array_equal(found.numpy(), bias)


def test_encoders_have_no_head(write: Callable[..., Path]) -> None:
    model = load_weights(write("model.gguf", samples.matrices(ROWS), architecture="nomic-bert"))
    assert model.embeddings().output is None


def test_architectures_that_nobody_knows_have_a_geometry_all_the_same(write: Callable[..., Path]) -> None:
    file = write("new.gguf", samples.matrices(ROWS), {"tomorrow.block_count": 1}, architecture="tomorrow")
    model = load_weights(file)
    assert (model.info.architecture, model.info.n_layers) == ("tomorrow", 1)
    with pytest.raises(ModelError, match=r"new.gguf cannot be run: .*tomorrow is not supported") as refused:
        load_whole(file)
    assert "weights:" in (refused.value.hint or "")


# ── where a model is ──────────────────────────────────────────────────────────────────────────────────────────


def test_folders_blobs_and_bare_names_are_sources(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("model.gguf", samples.matrices(ROWS))
    digest = load_weights(file).info.weights_digest
    (tmp_path / "mmproj-model.gguf").write_bytes(file.read_bytes())
    blob = tmp_path / ("sha256-" + "a1" * 32)
    shutil.copy(file, blob)
    monkeypatch.chdir(tmp_path)
    for place, name in ((".", tmp_path.name), ("model.gguf", "model"), (blob.name, "sha256-" + "a1" * 6)):
        model = Roster().load(f"weights:{place}")
        assert model.info.weights_digest == digest
        assert model.info.name == f"{name}(weights)"


def test_a_split_model_is_read_whole_from_any_of_its_files(write: Callable[..., Path], tmp_path: Path) -> None:
    tensors = samples.matrices(ROWS, tied=False)
    whole = load_weights(write("whole.gguf", tensors)).info
    first = {"token_embd.weight": tensors["token_embd.weight"]}
    split = {"split.count": 2, "split.tensors.count": 2}
    write("m-00001-of-00002.gguf", first, split | {"split.no": 0})
    second = tmp_path / "m-00002-of-00002.gguf"
    samples.write_gguf(second, {"output.weight": tensors["output.weight"]}, {"split.no": 1})
    for part in ("m-00001-of-00002.gguf", second.name):
        model = load_weights(tmp_path / part)
        assert model.info.name == "m(weights)"
        assert model.info.weights_digest == whole.weights_digest, "however it is split"
        assert np.array_equal(model.embeddings().output, tensors["output.weight"])  # type: ignore[arg-type]
    second.unlink()
    with pytest.raises(ModelError, match=r"1 of the model's 2 files are missing: m-00002-of-00002.gguf"):
        load_weights(tmp_path / "m-00001-of-00002.gguf")


def test_a_folder_with_several_models_asks_for_one(write: Callable[..., Path], tmp_path: Path) -> None:
    for name in ("a.Q4_0.gguf", "a.Q8_0.gguf"):
        write(name, samples.matrices(ROWS))
    with pytest.raises(ModelError, match=r"holds 2 models as GGUF files: a.Q4_0.gguf, a.Q8_0.gguf") as refused:
        load_weights(tmp_path)
    assert f"{tmp_path}/a.Q4_0.gguf" in (refused.value.hint or "")


def test_safetensors_go_before_a_gguf_file_beside_them(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "both"
    shutil.copytree(tiny("llama"), folder)
    (folder / "copy.gguf").write_bytes(b"GGUF")
    assert find_gguf(folder) == ()
    assert load_weights(folder).info.architecture == "LlamaForCausalLM"


def test_other_files_are_refused_by_what_they_are(tmp_path: Path) -> None:
    other = tmp_path / "model.bin"
    other.write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelError, match=r"model.bin is a file, but no GGUF file"):
        load_weights(other)
    with pytest.raises(ModelError, match=r"there is no file .*nowhere.gguf"):
        load_weights(tmp_path / "nowhere.gguf")
    assert parse_source("nowhere.gguf").kind == "directory"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("SmolLM2-135M.Q4_1.gguf", "SmolLM2-135M.Q4_1"),
        ("m-00002-of-00010.gguf", "m"),
        (".gguf", ".gguf"),
        ("folder", "folder"),
    ],
)
def test_a_model_is_called_by_its_file(file: str, name: str) -> None:
    assert model_name(file) == name


# ── running ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_gives_the_logits_of_the_one_it_was_written_from(write: Callable[..., Path], tied: bool) -> None:
    original = samples.llama(ROWS, tied=tied)
    model = load_whole(write("model.gguf", samples.llama_tensors(original), samples.LLAMA_METADATA))
    prompt = torch.tensor([[5, 17, 300, 3, 3, 250]])
    with torch.no_grad():
        assert torch.equal(model.hf(prompt).logits, original(prompt).logits)
    assert model.info.tied == tied
    assert (model.info.architecture, model.info.context, model.info.n_layers) == ("LlamaForCausalLM", 64, 2)
    used = model.hf.get_input_embeddings().weight
    assert model.embeddings().input.data_ptr() == used.data_ptr(), "one copy of the matrix is held"


@pytest.mark.parametrize(
    ("kind", "own", "metadata"),
    [
        ("qwen2", {}, {}),
        ("qwen3", {"head_dim": 16}, {"qwen3.attention.key_length": 16}),
        ("starcoder2", {}, {"starcoder2.attention.layer_norm_epsilon": 1e-5}),
    ],
)
def test_other_architectures_give_the_logits_of_the_originals(
    write: Callable[..., Path], kind: str, own: dict[str, Any], metadata: dict[str, Any]
) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = AutoConfig.for_model(
        kind, vocab_size=ROWS, num_key_value_heads=2, max_position_embeddings=64, **sizes, **own
    )
    torch.manual_seed(1)
    original = AutoModelForCausalLM.from_config(config).eval()
    shared = {key.replace("llama", kind): value for key, value in samples.LLAMA_METADATA.items()}
    shared[f"{kind}.attention.layer_norm_rms_epsilon"] = getattr(config, "rms_norm_eps", 1e-5)
    shared[f"{kind}.rope.dimension_count"] = own.get("head_dim", 8)
    file = write("model.gguf", samples.tensors_by_table(original), shared | metadata, architecture=kind)
    model = load_whole(file)
    prompt = torch.tensor([[5, 17, 300, 3, 3, 250]])
    with torch.no_grad():
        assert torch.equal(model.hf(prompt).logits, original(prompt).logits)


def test_an_architecture_of_transformers_later_loader_runs_too(write: Callable[..., Path], tmp_path: Path) -> None:
    """LFM2: transformers reads the file itself, also where it has no suffix."""
    from transformers import Lfm2Config, Lfm2ForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    layers = ["conv", "full_attention"]
    config = Lfm2Config(
        vocab_size=ROWS, num_key_value_heads=2, layer_types=layers, block_auto_adjust_ff_dim=False, **sizes
    )
    torch.manual_seed(1)
    original = Lfm2ForCausalLM(config).eval()
    tensors = samples.tensors_by_table(original)
    tensors["blk.0.shortconv.conv.weight"] = tensors["blk.0.shortconv.conv.weight"].squeeze(1)
    metadata = {key.replace("llama", "lfm2"): value for key, value in samples.LLAMA_METADATA.items()} | {
        "lfm2.attention.head_count_kv": [0, 2],
        "lfm2.shortconv.l_cache": config.conv_L_cache,
        "lfm2.rope.freq_base": config.rope_parameters["rope_theta"],
    }
    blob = write("sha256-" + "0" * 64, tensors, metadata, architecture="lfm2")
    model = load_whole(blob)
    prompt = torch.tensor([[5, 17, 300, 3, 3, 250]])
    with torch.no_grad():
        assert torch.equal(model.hf(prompt).logits, original(prompt).logits)
    parts = {name: {key: tensors[key] for key in keys} for name, keys in zip("ab", _halves(tensors), strict=True)}
    write("m-00001-of-00002.gguf", parts["a"], metadata, architecture="lfm2")
    samples.write_gguf(tmp_path / "m-00002-of-00002.gguf", parts["b"], {}, architecture="lfm2")
    with pytest.raises(ModelError, match="is split, and transformers reads this architecture from one file only"):
        load_whole(tmp_path / "m-00001-of-00002.gguf")


def _halves(tensors: samples.Tensors) -> tuple[list[str], list[str]]:
    names = sorted(tensors, key=lambda name: name != "token_embd.weight")
    return names[: len(names) // 2], names[len(names) // 2 :]


def test_more_blocks_than_tensors_are_not_built(write: Callable[..., Path]) -> None:
    tensors = samples.llama_tensors(samples.llama(ROWS, tied=True))
    file = write("model.gguf", tensors, samples.LLAMA_METADATA | {"llama.block_count": 4_000_000_000})
    with pytest.raises(ModelError, match="speaks of 4,000,000,000 blocks but holds 20 tensors"):
        load_whole(file)


def test_a_quantised_model_is_the_one_that_transformers_loads(write: Callable[..., Path]) -> None:
    from transformers import AutoModelForCausalLM

    tensors = samples.llama_tensors(samples.llama(ROWS, tied=True))
    kinds = {name: Kind.Q4_1 if name.startswith("blk") else Kind.Q8_0 for name in tensors if tensors[name].ndim > 1}
    file = write("model.gguf", tensors, samples.LLAMA_METADATA, kinds=kinds)
    model = load_whole(file)
    theirs = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    ours = model.hf.state_dict()
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(ours[name], tensor), name
    assert model.info.quantisation == "embeddings Q8_0, blocks Q4_1"
    assert model.info.dtype == "float32"
    assert weights_size(file, torch.float32) == 4 * sum(tensor.size for tensor in tensors.values())


def test_frequencies_are_stretched_by_the_factors_of_the_file(write: Callable[..., Path]) -> None:
    original = samples.llama(ROWS, tied=True)
    factors = np.array([1, 2, 4, 8], dtype=np.float32)
    tensors = samples.llama_tensors(original) | {"rope_freqs.weight": factors}
    model = load_whole(write("model.gguf", tensors, samples.LLAMA_METADATA))
    original.model.rotary_emb.inv_freq /= torch.from_numpy(factors)
    prompt = torch.tensor([[5, 17, 300, 3, 3, 250]])
    with torch.no_grad():
        assert torch.equal(model.hf(prompt).logits, original(prompt).logits)


def test_linear_scaling_of_positions_is_carried_over(write: Callable[..., Path]) -> None:
    original = samples.llama(ROWS, tied=True)
    metadata = samples.LLAMA_METADATA | {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    model = load_whole(write("model.gguf", samples.llama_tensors(original), metadata))
    original.model.rotary_emb.inv_freq /= 4
    prompt = torch.tensor([[5, 17, 300, 3, 3, 250]])
    with torch.no_grad():
        assert torch.equal(model.hf(prompt).logits, original(prompt).logits)


@pytest.mark.parametrize(
    ("metadata", "more", "reason"),
    [
        ({"llama.rope.scaling.type": "longrope", "llama.rope.scaling.factor": 4.0}, {}, "rope scaling 'longrope'"),
        ({}, {"blk.0.attn_q.bias": np.zeros(32, np.float32)}, "1 of its tensors have no place in transformers'"),
    ],
)
def test_what_transformers_would_leave_out_is_refused(
    write: Callable[..., Path], metadata: dict[str, Any], more: samples.Tensors, reason: str
) -> None:
    tensors = samples.llama_tensors(samples.llama(ROWS, tied=True)) | more
    file = write("model.gguf", tensors, samples.LLAMA_METADATA | metadata)
    with pytest.raises(ModelError, match=reason) as refused:
        load_whole(file)
    assert "weights:" in (refused.value.hint or "")
    assert load_weights(file).info.vocab_size == ROWS


def test_heads_turned_in_part_are_refused_where_transformers_turns_them_whole(write: Callable[..., Path]) -> None:
    metadata = {key.replace("llama", "qwen2"): value for key, value in samples.LLAMA_METADATA.items()}
    metadata["qwen2.rope.dimension_count"] = 6
    tensors = samples.llama_tensors(samples.llama(ROWS, tied=True))
    file = write("model.gguf", tensors, metadata, architecture="qwen2")
    with pytest.raises(ModelError, match="leaves out that 6 of the 8 numbers of a head are turned"):
        load_whole(file)


def test_tensors_of_another_shape_are_refused(write: Callable[..., Path]) -> None:
    tensors = samples.llama_tensors(samples.llama(ROWS, tied=True))
    tensors["blk.0.ffn_up.weight"] = tensors["blk.0.ffn_up.weight"][:32]
    with pytest.raises(ModelError, match=r"mlp.up_proj.weight has shape \[32, 32\] in it but \[64, 32\] by"):
        load_whole(write("model.gguf", tensors, samples.LLAMA_METADATA))


def test_a_missing_tensor_is_named(write: Callable[..., Path]) -> None:
    tensors = samples.llama_tensors(samples.llama(ROWS, tied=True))
    del tensors["blk.1.ffn_up.weight"]
    with pytest.raises(ModelError, match=r"lack 1 of the model's tensors \(model.layers.1.mlp.up_proj.weight"):
        load_whole(write("model.gguf", tensors, samples.LLAMA_METADATA))


def test_a_model_too_big_when_dequantised_is_refused(write: Callable[..., Path]) -> None:
    from explorer.engine.models.memory import Memory

    tensors = samples.llama_tensors(samples.llama(ROWS, tied=True))
    kinds = {name: Kind.Q4_1 for name in tensors if tensors[name].ndim > 1}
    file = write("model.gguf", tensors, samples.LLAMA_METADATA, kinds=kinds)
    held = Memory(used=0, free=file.stat().st_size, total=10**9)
    with pytest.raises(ModelError, match=r"model needs .* KiB as float32"):
        Roster(measure=lambda device: held).load(str(file))
    assert matrices_size(file) == 4 * ROWS * samples.D_MODEL
    assert matrices_size(write("plain.gguf", samples.matrices(ROWS))) == 0, "it is mapped"
    held = Memory(used=0, free=4 * ROWS * samples.D_MODEL - 1, total=10**9)
    with pytest.raises(ModelError, match=r"model\(weights\) needs 40.0 KiB as float32"):
        Roster(measure=lambda device: held).load(f"weights:{file}")
