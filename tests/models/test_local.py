from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from explorer.engine.models.abilities import running
from explorer.engine.models.decoding import Runner
from explorer.engine.models.errors import ModelError
from explorer.engine.models.loading import choose_device, choose_dtype, load_embeddings_only, load_model
from explorer.engine.models.local import LocalModel
from explorer.engine.models.out_of_memory import out_of_memory_as_failure

Tiny = Callable[[str], Path]
ModelOf = Callable[..., PreTrainedModel]

PROMPTS = [[5, 6, 7, 8, 9, 10, 11], [300, 30], [77, 78, 79, 80]]
STEPS = [[9, 200, 31], [44, 45, 46], [1, 2, 3]]


def load(directory: Path, **options: object) -> LocalModel:
    return load_model(directory, name=directory.name, source=str(directory), device="cpu", **options)  # type: ignore[arg-type]


def whole(model: LocalModel, ids: list[int]) -> torch.Tensor:
    """Next-token logits by one plain pass of transformers' own model."""
    with torch.no_grad():
        logits: torch.Tensor = model.hf(input_ids=torch.tensor([ids])).logits[0, -1].float()
    return logits


# ── running ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox", "gptj", "mamba"])
def test_a_row_does_not_depend_on_its_batch_or_on_the_cache(tiny: Tiny, kind: str) -> None:
    """Every row, at every step, is what one pass over its own ids gives."""
    model = load(tiny(kind))
    batch = model.start(PROMPTS)
    rows = [list(prompt) for prompt in PROMPTS]
    for step in [*STEPS, None]:
        assert batch.logits.dtype == torch.float32
        assert tuple(batch.logits.shape) == (3, model.vocabulary.size)
        for row, logits in zip(rows, batch.logits, strict=True):
            torch.testing.assert_close(logits, whole(model, row), rtol=0, atol=1e-4)
        if step is not None:
            batch.push(torch.tensor(step))
            for row, token_id in zip(rows, step, strict=True):
                row.append(token_id)


def test_permuting_the_prompts_permutes_the_rows(tiny: Tiny) -> None:
    model = load(tiny("llama"))
    there, back = model.start(PROMPTS).logits, model.start(PROMPTS[::-1]).logits
    torch.testing.assert_close(there, back.flip(0), rtol=0, atol=1e-4)


def test_logits_read_before_a_push_stay_as_they_were(tiny: Tiny) -> None:
    batch = load(tiny("gpt2")).start([[5, 6]])
    before = batch.logits
    copy = before.clone()
    batch.push(torch.tensor([7]))
    assert torch.equal(before, copy)
    assert not torch.equal(before, batch.logits)
    before -= 1  # a caller may work on them in place


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ([], "no prompt"),
        ([[1], []], "empty"),
        ([[1, 320]], "out of range"),
        ([[-1]], "out of range"),
        ([[1] * 65], "65 tokens do not fit the model's context of 64"),
    ],
)
def test_what_is_no_prompt_is_refused(tiny: Tiny, prompts: list[list[int]], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        load(tiny("gpt2")).start(prompts)


def test_context_is_a_limit_for_every_push(tiny: Tiny) -> None:
    batch = load(tiny("gpt2")).start([[1] * 63, [2]])
    batch.push(torch.tensor([1, 1]))
    with pytest.raises(ModelError, match="context of 64"):
        batch.push(torch.tensor([1, 1]))


def test_stories_goes_on_as_a_story(stories: Path) -> None:
    model = load(stories)
    batch = model.start([model.vocabulary.encode("Once upon a time")])
    said = []
    for _ in range(10):
        said.append(int(batch.logits.argmax()))
        batch.push(batch.logits.argmax(dim=-1))
    assert model.vocabulary.decode(said) == ", there was a little girl named Lily"


# ── memory running out ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_out_of_memory_is_a_model_error_and_the_model_goes_on(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    model = load(tiny("llama"))
    expected = model.start([[5, 6]]).logits
    batch = model.start([[5, 6]])

    def fail(*arguments: object, **options: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(model.hf.base_model, "forward", fail)
        with pytest.raises(ModelError, match=r"2 x 3 tokens; .* GiB of .* GiB are free") as refused:
            model.start([[1, 2, 3], [4, 5, 6]])
        with pytest.raises(ModelError, match="no memory left"):
            batch.push(torch.tensor([7]))
    assert refused.value.hint
    assert torch.equal(model.start([[5, 6]]).logits, expected)
    with pytest.raises(ModelError, match="cannot continue"):
        batch.push(torch.tensor([7]))


def test_other_runtime_errors_are_not_taken_for_want_of_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory_as_failure(torch.device("cpu"), "a test"):
        raise RuntimeError("shapes do not match")


def test_model_that_gives_no_cache_reads_its_sequence_again() -> None:
    class Counter(torch.nn.Module):
        """Puts its greatest logit on the sum of the ids it was given."""

        device = torch.device("cpu")

        def forward(self, input_ids: torch.Tensor, past_key_values: object = None, use_cache: bool = True) -> object:
            return SimpleNamespace(logits=torch.eye(32)[input_ids.sum(dim=1)][:, None])

    batch = Runner(Counter(), context=0).start([[1, 2], [3]])
    batch.push(torch.tensor([4, 5]))
    batch.push(torch.tensor([6, 7]))
    assert batch.logits.argmax(dim=-1).tolist() == [13, 15]


# ── what is loaded ────────────────────────────────────────────────────────────────────────────────────────


def test_info_tells_what_is_loaded(tiny: Tiny) -> None:
    info = load(tiny("llama")).info
    assert (info.architecture, info.dtype, info.device) == ("LlamaForCausalLM", "float32", "cpu")
    assert (info.vocab_size, info.tokenizer_size, info.d_model, info.n_layers) == (320, 300, 32, 2)
    assert (info.context, info.tied, info.can_run) == (64, False, True)
    assert info.memory_bytes >= 4 * info.n_parameters > 4 * 2 * 320 * 32
    assert len(info.weights_digest) == len(info.tokenizer_digest) == 32


def test_matrices_stay_in_the_checkpoints_dtype_whatever_the_model_runs_in(
    model_of: ModelOf, save: Callable[..., None], tmp_path: Path
) -> None:
    save(model_of("llama").half(), tmp_path)
    model = load(tmp_path)
    assert model.info.dtype == "float32"  # half weights run in float32 on the CPU
    assert model.embeddings().input.dtype == torch.float16
    assert load(tmp_path, dtype="bfloat16").info.dtype == "bfloat16"
    assert (
        model.start([[1]]).logits.dtype == load(tmp_path, dtype="bfloat16").start([[1]]).logits.dtype == torch.float32
    )


def test_weights_source_has_the_same_matrices_and_refuses_to_run(tiny: Tiny) -> None:
    only = load_embeddings_only(tiny("llama"), name="llama(weights)", source="weights:./llama")
    model = load(tiny("llama"))
    assert torch.equal(only.embeddings().input, model.embeddings().input)
    assert not only.info.can_run
    assert only.info.tokenizer_digest == model.info.tokenizer_digest
    assert only.info.memory_bytes == 2 * 320 * 32 * 4
    with pytest.raises(ModelError, match="only its embedding matrices") as refused:
        running(only)
    assert "./llama" in refused.value.hint


def test_encoder_is_refused_but_its_weights_are_not(minilm: Path) -> None:
    with pytest.raises(ModelError, match="not a causal language model") as refused:
        load(minilm)
    assert "weights:" in refused.value.hint
    only = load_embeddings_only(minilm, name="minilm", source="weights:minilm")
    assert (only.info.vocab_size, only.info.d_model, only.info.tied) == (30_522, 384, False)
    assert only.embeddings().output is None


def test_nan_weights_are_loaded_counted_and_noted(tiny: Tiny, tmp_path: Path) -> None:
    tensors = load_file(tiny("llama") / "model.safetensors")
    tensors["model.embed_tokens.weight"][[3, 9]] = float("nan")
    tensors["lm_head.weight"][5, 0] = float("inf")
    copy_with(tiny("llama"), tmp_path, tensors)
    model = load(tmp_path)
    assert model.notes == ("2 rows of W_E hold NaN or infinity", "1 row of W_U holds NaN or infinity")
    assert model.start([[1]]).logits.isinf().any()
    assert load(tiny("llama")).notes == ()


def copy_with(source: Path, target: Path, tensors: dict[str, torch.Tensor]) -> None:
    for file in source.iterdir():
        if file.suffix != ".safetensors":
            (target / file.name).write_bytes(file.read_bytes())
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})


def test_weights_that_leave_a_part_unset_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    tensors = load_file(tiny("llama") / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    copy_with(tiny("llama"), tmp_path, tensors)
    with pytest.raises(ModelError, match="lack 1 of the model's tensors") as refused:
        load(tmp_path)
    assert "up_proj" in refused.value.message


def test_directory_without_a_tokenizer_is_refused(model_of: ModelOf, tmp_path: Path) -> None:
    model_of("llama").save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="no tokenizer"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["{", "{}", '{"model": {"type": "BPE"}}'])
def test_broken_tokenizer_is_refused(tiny: Tiny, tmp_path: Path, content: str) -> None:
    copy_with(tiny("llama"), tmp_path, load_file(tiny("llama") / "model.safetensors"))
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match="tokenizer"):
        load(tmp_path)


def test_tokenizer_with_code_of_its_own_is_refused_and_none_of_it_runs(tiny: Tiny, tmp_path: Path) -> None:
    copy_with(tiny("llama"), tmp_path, load_file(tiny("llama") / "model.safetensors"))
    config = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert load(tmp_path).vocabulary.size == 320, "tokenizer.json is a whole tokenizer without it"
    (tmp_path / "tokenizer.json").rename(tmp_path / "vocab.json")
    with pytest.raises(ModelError, match="auto_map"):
        load(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_pickled_model_runs_like_the_safetensors_one_once_allowed(tiny: Tiny, tmp_path: Path) -> None:
    tensors = load_file(tiny("llama") / "model.safetensors")
    copy_with(tiny("llama"), tmp_path, tensors)
    (tmp_path / "model.safetensors").unlink()
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickled"):
        load(tmp_path)
    pickled, plain = load(tmp_path, allow_pickle=True), load(tiny("llama"))
    torch.testing.assert_close(pickled.start([[5, 6]]).logits, plain.start([[5, 6]]).logits, rtol=0, atol=1e-6)
    assert pickled.info.weights_digest == plain.info.weights_digest


@pytest.mark.parametrize("device", ["tpu-9", "cuda:99", "meta", "mps"])
def test_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(ModelError) as refused:
        choose_device(device)
    assert "cpu" in refused.value.hint


def test_automatic_dtype_on_the_cpu_is_float32() -> None:
    assert choose_dtype("auto", torch.device("cpu")) == torch.float32
    with pytest.raises(ModelError, match="not a dtype"):
        choose_dtype("int8", torch.device("cpu"))  # type: ignore[arg-type]
