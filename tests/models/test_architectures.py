"""Many architectures, each as small as its configuration allows and with random weights: what a batch says, padded,
continued and cached, is what one plain pass of transformers' own model says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING, PreTrainedModel

from explorer.engine.models.decoding import Runner
from explorer.engine.models.errors import ModelError
from explorer.engine.models.probing import ordinary_ids, probe

ROWS = 320
_SIZES = {
    32: "hidden_size d_model n_embd embed_dim embedding_size word_embed_proj_dim lru_width emb_dim "
    "attention_hidden_size",
    64: "intermediate_size ffn_dim d_ff n_inner decoder_ffn_dim encoder_ffn_dim max_position_embeddings n_positions "
    "n_ctx max_seq_len",
    2: "num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers num_decoder_layers "
    "num_key_value_heads num_experts_per_tok mamba_expand expand attn_layer_period linear_num_key_heads",
    4: "num_attention_heads n_head n_heads num_heads encoder_attention_heads decoder_attention_heads rotary_dim "
    "num_experts num_local_experts n_routed_experts state_size mamba_d_state linear_num_value_heads qk_rope_head_dim "
    "qk_nope_head_dim",
    8: "head_dim d_head d_kv kv_lora_rank q_lora_rank v_head_dim mamba_n_heads mamba_d_head mamba_num_heads "
    "mamba_head_dim "
    "chunk_size mamba_chunk_size linear_key_head_dim linear_value_head_dim",
    16: "moe_intermediate_size shared_expert_intermediate_size sliding_window",
    1: "n_groups mamba_n_groups attn_layer_offset first_k_dense_replace n_group topk_group n_shared_experts "
    "bos_token_id",
    0: "pad_token_id",
    ROWS: "vocab_size",
}
SMALL = {key: size for size, keys in _SIZES.items() for key in keys.split()}
BY_THE_IDS = ["camembert", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "data2vec-text"]
"""They count positions from the ids, from one beyond the pad token on."""
_NAMES = (
    "afmoe bamba bart bert big_bird biogpt bloom codegen cohere2 ctrl diffllama doge electra exaone4 falcon "
    "falcon_mamba flex_olmo gemma gemma2 gemma3_text git glm4_moe gpt2 gpt_bigcode gpt_neox gpt_neox_japanese "
    "gpt_oss gptj granite granitemoeshared jamba jetmoe lfm2 llama mamba minimax mistral mixtral "
    "modernbert-decoder moshi mpt nemotron olmo2 olmo3 olmoe openai-gpt opt pegasus persimmon phi phi3 phimoe "
    "prophetnet qwen2 qwen3 qwen3_moe qwen3_next rembert roformer rwkv smollm3 stablelm starcoder2 trocr vaultgemma "
    "whisper xglm "
)
OTHERS = _NAMES.split()
BIDIRECTIONAL = ["bert", "roberta", "electra", "xlnet", "xlm"]
PROMPTS = [[245, 246, 247, 248, 249], [170, 230], [177, 178, 179]]
STEPS = [[159, 200, 231], [244, 245, 246]]


def small(kind: str, **changed: Any) -> PreTrainedModel:
    """A model of two layers and 32 numbers a token, of any architecture."""
    kind_of_config = CONFIG_MAPPING[kind]
    config = kind_of_config(**_shrink(kind_of_config().to_dict()) | changed)
    known = MODEL_FOR_CAUSAL_LM_MAPPING[kind_of_config]
    torch.manual_seed(0)
    model: PreTrainedModel = (known[0] if isinstance(known, tuple) else known)(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model.eval()


def _shrink(plain: dict[str, Any]) -> dict[str, Any]:
    small: dict[str, Any] = {}
    for key, value in plain.items():
        if key == "attn_layer_indices":
            small[key] = [1]
        elif key in ("model_type", "transformers_version") or (value is None and key not in SMALL):
            continue
        elif key in ("layer_types", "layers_block_type", "mlp_layer_types"):
            small[key] = (list(dict.fromkeys(value)) * 2)[:2]
        elif key == "is_decoder":
            small[key] = True
        elif isinstance(value, dict) and key != "rope_parameters":
            small[key] = _shrink(value)
        else:
            small[key] = SMALL.get(key, value) if type(value) in (int, type(None)) else value
    return small


def runner_of(model: PreTrainedModel) -> Runner:
    runner = Runner(model, 64, ROWS)
    probe(runner, ordinary_ids(ROWS, {0, 1, 2}, model.config))
    return runner


def one_pass(model: PreTrainedModel, rows: list[list[int]]) -> torch.Tensor:
    with torch.no_grad():
        return torch.stack(
            [model(input_ids=torch.tensor([row]), use_cache=False).logits[0, -1].float() for row in rows]
        )


@pytest.mark.parametrize("kind", [*BY_THE_IDS, *OTHERS])
def test_a_padded_batch_says_what_one_pass_over_each_row_says(kind: str) -> None:
    model = small(kind)
    rows = [list(prompt) for prompt in PROMPTS]
    batch = runner_of(model).start(PROMPTS)
    for step in [*STEPS, None]:
        expected = one_pass(model, rows)
        torch.testing.assert_close(batch.logits[:, : expected.shape[1]], expected, rtol=0, atol=1e-5)
        if step is not None:
            batch.push(step)
            rows = [[*row, token_id] for row, token_id in zip(rows, step, strict=True)]


@pytest.mark.parametrize("kind", BY_THE_IDS)
def test_models_that_count_positions_from_the_ids_are_not_padded(kind: str) -> None:
    assert not runner_of(small(kind)).pads


def test_models_that_take_positions_are_padded_and_cached() -> None:
    for kind in ("gpt2", "llama", "opt", "bloom"):
        runner = runner_of(small(kind))
        assert runner.caches
        assert runner.pads == (kind != "bloom")


@pytest.mark.parametrize("kind", BIDIRECTIONAL)
def test_models_that_do_not_predict_from_left_to_right_are_refused(kind: str) -> None:
    with pytest.raises(ModelError, match="does not predict the next token from the tokens before it") as refused:
        runner_of(small(kind, is_decoder=False))
    assert "weights:" in refused.value.hint


def test_half_precision_is_not_taken_for_a_fault() -> None:
    for kind in ("gpt2", "llama", "gemma2"):
        runner = runner_of(small(kind).to(torch.bfloat16))
        assert runner.caches
        assert runner.pads


def test_a_model_that_cannot_read_a_prompt_is_refused_in_one_line() -> None:
    model = small("gpt2")
    model.transformer.h[0].mlp.c_fc = torch.nn.Linear(3, 3)
    with pytest.raises(ModelError, match="cannot read these tokens") as refused:
        runner_of(model)
    assert "\n" not in refused.value.line
