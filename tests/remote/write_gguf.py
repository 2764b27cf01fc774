"""The zoo's starling as a GGUF file in float32, for llama.cpp's server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

CHAT_TEMPLATE = "{% for each in messages %}<|user|>{{ each.content }}<|end|>{% endfor %}<|assistant|>"
"""For the file alone: starling has none of its own."""

Matrix = npt.NDArray[np.float32]


def write_gguf(directory: Path, out: Path) -> None:
    """Write the Llama model in `directory`, with its byte-level BPE tokenizer, to `out`."""
    config = json.loads((directory / "config.json").read_text())
    writer = gguf.GGUFWriter(str(out), "llama")
    _add_sizes(writer, config)
    _add_vocabulary(writer, config, json.loads((directory / "tokenizer.json").read_text()))
    _add_tensors(writer, config, load_file(directory / "model.safetensors"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_sizes(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    heads = config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    rope = config.get("rope_parameters") or {}
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_freq_base(rope.get("rope_theta", config.get("rope_theta", 10000.0)))


def _add_vocabulary(writer: gguf.GGUFWriter, config: dict[str, Any], tokenizer: dict[str, Any]) -> None:
    """Rows beyond the tokenizer are unused pads."""
    count = config["vocab_size"]
    pieces, types = [f"[PAD{each}]" for each in range(count)], [gguf.TokenType.UNUSED] * count
    for piece, token_id in tokenizer["model"]["vocab"].items():
        pieces[token_id], types[token_id] = piece, gguf.TokenType.NORMAL
    for added in tokenizer["added_tokens"]:
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        pieces[added["id"]], types[added["id"]] = added["content"], kind
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(pieces)
    writer.add_token_types(types)
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    ends = config["eos_token_id"]
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(ends if isinstance(ends, int) else ends[0])
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_tensors(writer: gguf.GGUFWriter, config: dict[str, Any], weights: dict[str, Matrix]) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, matrix in weights.items():
        matrix = matrix.astype(np.float32)
        if name.endswith("q_proj.weight"):
            matrix = _paired(matrix, config["num_attention_heads"])
        if name.endswith("k_proj.weight"):
            matrix = _paired(matrix, config["num_key_value_heads"])
        found = names.get_name(name, (".weight", ".bias"))
        assert found is not None, name
        writer.add_tensor(found, np.ascontiguousarray(matrix))


def _paired(matrix: Matrix, heads: int) -> Matrix:
    """Rows in the order of llama.cpp's rotary embedding, which takes pairs side by side."""
    return matrix.reshape(heads, 2, len(matrix) // heads // 2, -1).swapaxes(1, 2).reshape(matrix.shape)
