"""The transformers configuration of a GGUF model, from its metadata, and what of them transformers leaves out.

transformers' own tables say which of llama.cpp's keys is which of its settings. They are asked through a copy of the
metadata without the vocabulary, which it would read for ten seconds.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.engine.models.checkpoints.gguf_files import INPUT, GgufFiles
from explorer.engine.models.checkpoints.gguf_header import GgufHeader
from explorer.engine.models.errors import ModelError
from explorer.engine.models.first_import import MODELLING, import_heard

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_COPY = "metadata.gguf"
GEOMETRY = "Its geometry can be explored: put 'weights:' before the source."
_CARRIED_OVER = {
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
}
"""llama.cpp's settings and transformers', where transformers' tables leave them at the defaults of the class."""
_SCALINGS = ("linear", "yarn")
_SCALED_ATTENTION = {"gemma2": 46, "gemma3": 62}
"""Architectures whose 27B models, told by their number of blocks, scale attention by another number than the others; in
llama.cpp this stands in the program and not in the file."""


def is_new_style(header: GgufHeader) -> bool:
    """Whether transformers loads the architecture by its later loader, which reads the file itself."""
    from transformers.integrations.gguf import GGUF_CONFIG_ARCHS

    return header.architecture in GGUF_CONFIG_ARCHS


def read_gguf_config(files: GgufFiles) -> PreTrainedConfig:
    """The configuration; raises `ModelError` for architectures that transformers does not load from GGUF files, and for
    settings that it would leave out so that the model would compute something else."""
    header, rows = files.header, files.shape(INPUT)[0]
    if (blocks := header.of_architecture("block_count")) > len(files.tensors):  # each is built before it is filled
        raise ModelError(
            f"{header.file.name} speaks of {blocks:,} blocks but holds {len(files.tensors):,} tensors",
            hint="Download it again.",
        )
    import_heard(MODELLING)
    try:
        config = _new_config(files, rows) if is_new_style(header) else _legacy_config(files)
    except ModelError:
        raise
    except Exception as error:  # a stranger's metadata: KeyError, ValueError, whatever a validator raises
        said = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{header.file.name} cannot be run: transformers cannot use its metadata ({type(error).__name__}: {said})",
            hint=GEOMETRY,
        ) from error
    config.vocab_size = rows
    _complete(config, files)
    return config


def _new_config(files: GgufFiles, rows: int) -> PreTrainedConfig:
    from transformers import AutoConfig
    from transformers.integrations.gguf import get_gguf_config

    plain = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in _plain(files).items()}
    named = get_gguf_config(plain | {"tokenizer.ggml.tokens": rows}, tuple(files.names))
    config: PreTrainedConfig = AutoConfig.for_model(**named)
    return config


def _legacy_config(files: GgufFiles) -> PreTrainedConfig:
    from transformers import AutoConfig

    with tempfile.TemporaryDirectory() as folder:
        _write_copy(files, Path(folder) / _COPY)
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, gguf_file=_COPY, local_files_only=True)
    return config


def _plain(files: GgufFiles) -> dict[str, Any]:
    """The metadata without the vocabulary."""
    return {
        key: value
        for key, value in files.header.metadata.items()
        if not (key.startswith("tokenizer.") and isinstance(value, list | np.ndarray)) and not key.startswith("split.")
    }


def _write_copy(files: GgufFiles, file: Path) -> None:
    """A GGUF file with the same metadata but for the vocabulary, and tensors of the same names without numbers."""
    from gguf import GGUFValueType, GGUFWriter

    writer = GGUFWriter(file, files.header.architecture)
    if files.header.number(counted := f"{files.header.architecture}.vocab_size") is None:
        writer.add_uint32(counted, files.shape(INPUT)[0])
    for key, value in _plain(files).items():
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if key in ("general.architecture", "tokenizer.chat_template") or value == []:
            continue
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, int) and not isinstance(value, bool):
            writer.add_key_value(key, value, GGUFValueType.INT64 if value < 0 else GGUFValueType.UINT64)
        else:
            writer.add_key_value(key, value, GGUFValueType.get_type(value))
    for name in files.names:
        writer.add_tensor(name, np.zeros(1, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ── what transformers leaves out ──────────────────────────────────────────────────────────────────────────────


def _complete(config: Any, files: GgufFiles) -> None:
    """Set what the file says and transformers' tables do not carry over; raises `ModelError` for what cannot be set."""
    header = files.header
    for key, setting in _CARRIED_OVER.items():
        value = header.metadata.get(f"{header.architecture}.{key}")
        if isinstance(value, int | float) and hasattr(config, setting):
            setattr(config, setting, value)
    head_size = header.of_architecture("attention.key_length")
    if head_size and getattr(config, "head_dim", None) and not hasattr(config, "global_head_dim"):
        config.head_dim = head_size
    if _SCALED_ATTENTION.get(header.architecture) == header.of_architecture("block_count"):
        config.query_pre_attn_scalar = config.hidden_size // config.num_attention_heads
    _set_rope_scaling(config, header)
    _check_rotary_size(config, header)
    if "rope_factors_long.weight" in files.tensors:
        raise _left_out(header, "rope_factors_long.weight, which stretches its positions")


def _set_rope_scaling(config: Any, header: GgufHeader) -> None:
    """Positions that are stretched by one factor: linear, or YaRN."""
    prefix = f"{header.architecture}.rope.scaling"
    kind, factor = header.text(f"{prefix}.type") or "none", header.metadata.get(f"{prefix}.factor")
    if kind == "none" or not isinstance(factor, float) or factor == 1 or header.architecture == "gpt-oss":
        return
    settings = getattr(config, "rope_parameters", None)
    if kind not in _SCALINGS or not isinstance(settings, dict):
        raise _left_out(header, f"its stretched positions (rope scaling {kind[:20]!r}, factor {factor:g})")
    scaling: dict[str, Any] = {"rope_type": kind, "factor": factor}
    if (original := header.number(f"{prefix}.original_context_length")) is not None:
        scaling["original_max_position_embeddings"] = original
    global_layers = settings.get("full_attention")  # Gemma 3: the layers that look at everything, and only these
    (global_layers if isinstance(global_layers, dict) else settings).update(scaling)


def _check_rotary_size(config: Any, header: GgufHeader) -> None:
    """Raise `ModelError` where the file turns another part of each head by its position than transformers would."""
    turned, heads = header.of_architecture("rope.dimension_count"), getattr(config, "num_attention_heads", None)
    if not turned or not isinstance(heads, int) or getattr(config, "rope_parameters", None) is None:
        return
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    settings = config.rope_parameters
    share = settings.get("partial_rotary_factor") or getattr(config, "partial_rotary_factor", None) or 1.0
    if turned not in (int(size * share), getattr(config, "rotary_dim", None)):
        raise _left_out(header, f"that {turned} of the {size} numbers of a head are turned by its position")


def _left_out(header: GgufHeader, what: str) -> ModelError:
    return ModelError(f"{header.file.name} cannot be run: transformers leaves out {what}", hint=GEOMETRY)
