"""Small GGUF files, written by the gguf package from models and tokenizers that are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

Tensors = dict[str, npt.NDArray[Any]]
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
D_MODEL, LAYERS, HEADS, KV_HEADS = 32, 2, 4, 2


def write_gguf(
    file: Path,
    tensors: Tensors,
    metadata: Mapping[str, Any],
    *,
    architecture: str = "llama",
    kinds: Mapping[str, gguf.GGMLQuantizationType] | None = None,
) -> Path:
    """A GGUF file; tensors named in `kinds` are quantised so."""
    writer = gguf.GGUFWriter(file, architecture)
    for key, value in metadata.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, int) and not isinstance(value, bool):
            writer.add_uint32(key, value)
        else:
            writer.add_key_value(key, value, gguf.GGUFValueType.get_type(value))
    for name, tensor in tensors.items():
        if (kind := (kinds or {}).get(name)) is None:
            writer.add_tensor(name, tensor)
        else:
            writer.add_tensor(name, gguf.quantize(tensor, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def byte_level_metadata(tokenizer: Tokenizer, rows: int = 0, pre: str = "gpt-2") -> dict[str, Any]:
    """A byte-level tokenizer as llama.cpp writes it, padded to `rows` tokens."""
    structure = json.loads(tokenizer.to_str())
    size = tokenizer.get_vocab_size()
    special = {entry["id"] for entry in structure["added_tokens"]}
    padding = [f"[PAD{token_id}]" for token_id in range(size, rows)]
    tokens = [str(tokenizer.id_to_token(token_id)) for token_id in range(size)]
    types = [CONTROL if token_id in special else NORMAL for token_id in range(size)]
    return vocabulary_metadata("gpt2", [*tokens, *padding], [*types, *(UNUSED for _ in padding)]) | {
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.merges": [" ".join(merge) for merge in structure["model"]["merges"]],
        "tokenizer.ggml.eos_token_id": 0,
    }


def vocabulary_metadata(kind: str, tokens: Sequence[str], types: Sequence[int]) -> dict[str, Any]:
    return {
        "tokenizer.ggml.model": kind,
        "tokenizer.ggml.tokens": list(tokens),
        "tokenizer.ggml.token_type": list(types),
    }


def matrices(rows: int, *, tied: bool = True, seed: int = 0) -> Tensors:
    """Only what geometry needs."""
    generator = np.random.default_rng(seed)
    names = ["token_embd.weight"] if tied else ["token_embd.weight", "output.weight"]
    return {name: generator.normal(0, 0.2, (rows, D_MODEL)).astype(np.float32) for name in names}


def llama(rows: int, *, tied: bool, seed: int = 0) -> LlamaForCausalLM:
    """A small random model with grouped keys and values."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=D_MODEL,
        intermediate_size=64,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=64,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
    )
    model = LlamaForCausalLM(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model.eval()


LLAMA_METADATA = {
    "llama.block_count": LAYERS,
    "llama.context_length": 64,
    "llama.embedding_length": D_MODEL,
    "llama.feed_forward_length": 64,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": KV_HEADS,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.rope.freq_base": 10_000.0,
    "llama.rope.dimension_count": D_MODEL // HEADS,
}
_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def llama_tensors(model: LlamaForCausalLM) -> Tensors:
    """The model's weights under llama.cpp's names, the rows of q and k in llama.cpp's order."""
    state = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    tensors = {
        "token_embd.weight": state["model.embed_tokens.weight"],
        "output_norm.weight": state["model.norm.weight"],
    }
    if not model.config.tie_word_embeddings:
        tensors["output.weight"] = state["lm_head.weight"]
    for layer in range(LAYERS):
        for theirs, ours in _NAMES.items():
            tensors[f"blk.{layer}.{ours}.weight"] = state[f"model.layers.{layer}.{theirs}.weight"]
        for part, heads in (("q", HEADS), ("k", KV_HEADS)):
            rows = tensors[f"blk.{layer}.attn_{part}.weight"]
            halves = rows.reshape(heads, 2, len(rows) // heads // 2, -1)
            tensors[f"blk.{layer}.attn_{part}.weight"] = halves.swapaxes(1, 2).reshape(rows.shape)
    return tensors


def tensors_by_table(model: PreTrainedModel) -> Tensors:
    """The weights of a model whose tensors llama.cpp only renames, by the gguf package's own table of names."""
    architecture = next(code for code, name in gguf.MODEL_ARCH_NAMES.items() if name == model.config.model_type)
    table = gguf.get_tensor_name_map(architecture, model.config.num_hidden_layers)
    tensors: Tensors = {}
    for name, tensor in model.state_dict().items():
        stem, _, suffix = name.rpartition(".")
        if not (model.config.tie_word_embeddings and stem == "lm_head"):
            tensors[f"{table.get_name(stem)}.{suffix}"] = tensor.detach().numpy()
    return tensors
