"""Checkpoints that were altered by type: a small real one in which values of its files are replaced at random."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.models import gguf_samples
from tests.models.conftest import ROWS, build_model, byte_level_tokenizer, save_model

TEMPLATE = "{% for m in messages %}<|im_end|>{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}>{% endif %}"

Base = Callable[[Path], None]


def _single(folder: Path) -> None:
    save_model(build_model("llama"), folder)
    _add_template(folder)


def _tied(folder: Path) -> None:
    save_model(build_model("gpt2"), folder)
    _add_template(folder)


def _sharded(folder: Path) -> None:
    save_model(build_model("llama-tied"), folder, max_shard_size="60kB")


def _pickled(folder: Path) -> None:
    save_model(build_model("gptj"), folder)
    (folder / "model.safetensors").unlink()
    torch.save(build_model("gptj").state_dict(), folder / "pytorch_model.bin")


def _gguf(folder: Path, changes: dict[str, Any] | None = None) -> None:
    metadata = gguf_samples.byte_level_metadata(byte_level_tokenizer(), rows=ROWS) | gguf_samples.LLAMA_METADATA
    tensors = gguf_samples.llama_tensors(gguf_samples.llama(ROWS, tied=True))
    gguf_samples.write_gguf(folder / "model.gguf", tensors, metadata | (changes or {}))


def _add_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    (folder / "special_tokens_map.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [0, 1]}))


BASES: dict[str, Base] = {"llama": _single, "gpt2": _tied, "sharded": _sharded, "pickled": _pickled, "gguf": _gguf}

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 10**5, 10**12, 2**31, 2**63, 2**70, -(2**63), 0.5, -1.5, 1e308, float("nan"),
    float("inf"), "", "x", "None", "float8_e4m3fn", "float64", "torch.int8", "auto", "../../x", "\x1b[31m\u202e",
    "é" * 5000, [], [[]], [None], [[0, [1]]], [1, "a", None], ["x"], [-1, 10**12], {}, {"": None}, {"a": {"b": []}},
    {"type": "linear", "factor": -1}, {"rope_type": "nonsense"}, {"0": 1}, {"content": 5}, {"quant_method": 3},
    {"quant_method": "fp8"}, {"quant_method": "bitsandbytes", "load_in_8bit": True}, {"quant_method": "gptq"},
)  # fmt: skip
KEYS: dict[str, tuple[str, ...]] = {
    "config.json": (
        "architectures", "model_type", "eos_token_id", "bos_token_id", "pad_token_id", "torch_dtype", "dtype",
        "quantization_config", "rope_scaling", "rope_parameters", "layer_types", "text_config", "vision_config",
        "auto_map", "tie_word_embeddings", "is_encoder_decoder", "max_position_embeddings", "n_positions", "vocab_size",
        "num_hidden_layers", "head_dim", "sliding_window", "id2label", "label2id", "num_labels", "transformers_version",
        "attn_implementation", "_attn_implementation", "use_cache", "return_dict", "problem_type", "sub_configs",
        "pruned_heads", "tokenizer_class", "hidden_act", "activation_function", "_name_or_path", "base_model_tp_plan",
        "attribute_map", "num_local_experts", "is_decoder", "cross_attention_hidden_size", "chunk_size_feed_forward",
    ),
    "generation_config.json": ("eos_token_id", "bos_token_id", "transformers_version", "cache_implementation"),
    "tokenizer_config.json": (
        "chat_template", "added_tokens_decoder", "additional_special_tokens", "extra_special_tokens", "eos_token",
        "add_bos_token", "auto_map", "bos_token", "unk_token", "model_max_length", "tokenizer_class",
    ),
    "special_tokens_map.json": ("eos_token", "additional_special_tokens", "cls_token"),
    "tokenizer.json": (
        "model", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "truncation", "padding",
    ),
    "model.safetensors.index.json": ("weight_map", "metadata"),
}  # fmt: skip
"""Keys that are read, also where the file has none of them."""
WHOLE: tuple[bytes, ...] = (
    b"", b"{", b"null", b"[]", b"3", b'"x"', b"{}", b"\xff\xfe{}", b"NaN", b"[" * 100_000, b'{"a":' * 5_000,
    b'{"a":' * 300 + b"1" + b"}" * 300, b'{"architectures": ["GPT2LMHeadModel"], "architectures": 5}',
    b"9" * 5_000, b'{"model_type": "gpt2"}', b'\xef\xbb\xbf{"model_type": "llama"}', b'{"weight_map": []}',
)  # fmt: skip
_GGUF_KEYS = (
    *gguf_samples.LLAMA_METADATA, "tokenizer.ggml.model", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type",
    "tokenizer.ggml.merges", "tokenizer.ggml.pre", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.add_bos_token",
    "tokenizer.ggml.scores", "tokenizer.chat_template", "general.alignment", "split.tensors.count", "split.count",
    "llama.rope.scaling.type", "llama.rope.scaling.factor", "llama.expert_count", "llama.vocab_size",
)  # fmt: skip
DTYPES = ("float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float64", "int8", "int64", "bool", "complex64")


def alter(folder: Path, random: Random) -> list[str]:
    """Alter a copy of a checkpoint in one to three ways, and say which."""
    said: list[str] = []
    wanted = random.randint(1, 3)
    for _ in range(20):
        if len(said) < wanted and (one := random.choice(_WAYS)(folder, random)) != "nothing":
            said.append(one)
    return said


def _alter_json(folder: Path, random: Random) -> str:
    names = [name for name in KEYS if _is_plain(folder / name)]
    if not names:
        return "nothing"
    file = folder / random.choice(names)
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return "nothing"
    said = _replace(content, random, KEYS[file.name])
    file.write_text(json.dumps(content))
    return f"{file.name}: {said}"


def _replace(content: Any, random: Random, known: tuple[str, ...]) -> str:
    """Replace a value of a JSON object, at any depth."""
    value = random.choice(VALUES)
    if not isinstance(content, dict | list):
        return "nothing"
    place = content
    if isinstance(content, dict) and random.random() < 0.5:
        key: Any = random.choice(known)
    else:
        key = _some_key(place, random)
        while key is not None and random.random() < 0.6 and isinstance(place[key], dict | list) and place[key]:
            place, key = place[key], _some_key(place[key], random)
    if key is None:
        return "nothing"
    place[key] = value
    return f"{key} = {str(value)[:60]!r}"


def _some_key(place: Any, random: Random) -> Any:
    keys = list(place) if isinstance(place, dict) else range(len(place))
    return random.choice(keys) if keys else None


def _overwrite(folder: Path, random: Random) -> str:
    file = random.choice(_files(folder))
    content = random.choice(WHOLE)
    file.write_bytes(content)
    return f"{file.name}: all of it {content[:40]!r} ({len(content):,} bytes)"


def _cut(folder: Path, random: Random) -> str:
    file = random.choice(_files(folder))
    content = file.read_bytes()
    file.write_bytes(content[: random.randrange(len(content) + 1)])
    return f"{file.name}: {file.stat().st_size:,} of {len(content):,} bytes"


def _flip(folder: Path, random: Random) -> str:
    file = random.choice(_files(folder))
    content = bytearray(file.read_bytes())
    for _ in range(min(len(content), 4)):
        content[random.randrange(min(len(content), 4_000))] = random.randrange(256)
    file.write_bytes(content)
    return f"{file.name}: some bytes"


def _special_file(folder: Path, random: Random) -> str:
    file = random.choice(_files(folder))
    file.unlink()
    way = random.choice(("pipe", "folder", "loop", "zero", "full"))
    if way == "pipe":
        os.mkfifo(file)
    elif way == "folder":
        file.mkdir()
    else:
        file.symlink_to({"loop": file.name, "zero": "/dev/zero", "full": "/dev/full"}[way])
    return f"{file.name}: a {way}"


def _header(folder: Path, random: Random) -> str:
    files = sorted(file for file in folder.glob("*.safetensors") if _is_plain(file))
    if not files:
        return "nothing"
    file = random.choice(files)
    content = file.read_bytes()
    try:
        (length,) = struct.unpack_from("<Q", content)
        header = json.loads(content[8 : 8 + length])
    except (ValueError, struct.error, RecursionError):
        return "nothing"
    said = _replace(header, random, ("__metadata__", "model.embed_tokens.weight", "transformer.wte.weight"))
    fresh = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(fresh)) + fresh + content[8 + length :])
    return f"{file.name}, header: {said}"


def _tensor(folder: Path, random: Random) -> str:
    file = folder / "model.safetensors"
    if not _is_plain(file):
        return "nothing"
    try:
        tensors = load_file(file)
    except Exception:  # it was altered already
        return "nothing"
    name = random.choice(sorted(tensors))
    said, tensors[name] = _other_tensor(tensors[name], random)
    save_file(tensors, file, metadata={"format": "pt"})
    return f"{name}: {said}"


def _other_tensor(tensor: torch.Tensor, random: Random) -> tuple[str, torch.Tensor]:
    way = random.choice(("dtype", "dtype", "shape", "empty", "nan", "inf", "huge", "scalar", "rows"))
    match way:
        case "dtype":
            name = random.choice(DTYPES)
            return name, tensor.to(getattr(torch, name))
        case "shape":
            return way, tensor.reshape(1, *tensor.shape).contiguous()
        case "empty":
            return way, tensor[:0].clone()
        case "scalar":
            return way, torch.tensor(1.0)
        case "rows":
            return way, tensor[: max(1, len(tensor) // 2)].clone()
        case _:
            return way, torch.full_like(tensor, {"nan": float("nan"), "inf": float("inf"), "huge": 3e38}[way])


def _pickle(folder: Path, random: Random) -> str:
    file = folder / "pytorch_model.bin"
    if not file.is_file():
        return "nothing"
    whole: dict[Any, Any] = dict(build_model("gptj").state_dict())
    things: tuple[Any, ...] = (
        torch.ones(3), [torch.ones(3)], (1, 2), 5, None, "x", {}, {1: torch.ones(3)}, {(1,): torch.ones(2), "a": 3},
        whole | {3: torch.ones(2)}, {"model": whole}, whole | {"x": None}, {"transformer.wte.weight": torch.ones(3)},
        {name: tensor.to(torch.float8_e4m3fn) for name, tensor in whole.items()},
        {name: tensor.to_sparse() for name, tensor in whole.items()},
        whole | {"transformer.wte.weight": torch.nn.Parameter(whole["transformer.wte.weight"])},
        whole | {"transformer.wte.weight": whole["transformer.wte.weight"].to("meta")},
    )  # fmt: skip
    place = random.randrange(len(things))
    torch.save(things[place], file)
    return f"{file.name}: thing {place}"


def _metadata(folder: Path, random: Random) -> str:
    if not (folder / "model.gguf").is_file():
        return "nothing"
    key, value = random.choice(_GGUF_KEYS), random.choice(VALUES)
    try:
        _gguf(folder, {key: value})
    except Exception:  # GGUF has no form for it
        return "nothing"
    return f"{key} = {str(value)[:60]!r}"


def _files(folder: Path) -> list[Path]:
    found = sorted(filter(_is_plain, folder.iterdir()))
    if not found:
        found = [folder / f"more-{len(list(folder.iterdir()))}.json"]
        found[0].touch()
    return found


def _is_plain(file: Path) -> bool:
    """Whether it is a file that can be altered without waiting for ever."""
    return file.is_file() and not file.is_symlink()


_WAYS: tuple[Callable[[Path, Random], str], ...] = (
    *[_alter_json] * 10, *[_header] * 3, *[_tensor] * 2, *[_pickle] * 2, *[_metadata] * 4,
    _overwrite, _cut, _flip, _special_file,
)  # fmt: skip
