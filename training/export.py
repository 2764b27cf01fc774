"""Writing a trained model as a complete Hugging Face directory, and reading one back."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from training.inventory import Inventory
from training.tokenizer import END, END_OF_TEXT, special_id, wrap_tokenizer


def export_model(model: PreTrainedModel, tokenizer: Tokenizer, target: Path, *, chat: bool) -> None:
    """Write weights (float16), config, tokenizer and generation config; `target` appears complete or not at all."""
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    end_of_text, end = special_id(tokenizer, END_OF_TEXT), special_id(tokenizer, END)
    model.config.eos_token_id = end if chat else end_of_text
    model.generation_config = GenerationConfig.from_dict(
        {
            "bos_token_id": end_of_text,
            "eos_token_id": [end, end_of_text] if chat else end_of_text,
            "pad_token_id": end_of_text,
            "do_sample": False,
        }
    )
    for parameter in model.parameters():
        parameter.data = parameter.data.half()
    model.save_pretrained(draft)
    wrap_tokenizer(tokenizer, chat=chat).save_pretrained(draft)
    if chat:
        _inline_chat_template(draft)
    _declare_float32(draft)
    _write_compactly(draft / "tokenizer.json")
    for file in draft.iterdir():
        file.chmod(0o644)
    _replace(draft, target)


def _inline_chat_template(folder: Path) -> None:
    """Put the chat template into `tokenizer_config.json`, where every version of the library reads it."""
    template_file, config_file = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    config = json.loads(config_file.read_text())
    config["chat_template"] = template_file.read_text()
    config_file.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")
    template_file.unlink()


def _declare_float32(folder: Path) -> None:
    """Say that the weights, kept as float16 to be small, are meant to be computed with in float32."""
    config_file = folder / "config.json"
    config = json.loads(config_file.read_text())
    config.pop("torch_dtype", None)
    config["dtype"] = "float32"
    config_file.write_text(json.dumps(config, indent=2) + "\n")


def _write_compactly(file: Path) -> None:
    """Without the indentation, which is most of the file."""
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def _replace(draft: Path, target: Path) -> None:
    """Put `draft` in the place of `target`, keeping what only `target` holds (card, measurements)."""
    if not target.exists():
        os.replace(draft, target)
        return
    for file in draft.iterdir():
        os.replace(file, target / file.name)
    draft.rmdir()


def load_model(source: Path) -> PreTrainedModel:
    """An exported model in float32, ready to read prompts."""
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(source, local_files_only=True, dtype=torch.float32)
    model.train(False)
    return model


def write_ground_truth(target: Path, inventory: Inventory, counts: list[int], facts: dict[str, Any]) -> None:
    """Write `ground_truth.json`: which tokens the model never saw, saw rarely, and how often it saw each."""
    truth = {
        **facts,
        "vocab_size": inventory.vocab_size,
        "withheld": [
            {"token_id": token_id, "token_bytes": inventory.vocab_bytes[token_id].hex(), "kind": kind}
            for token_id, kind in sorted(inventory.withheld.items())
        ],
        "reserved": inventory.reserved,
        "under_trained": {str(tier): ids for tier, ids in inventory.tiers.items()},
        "held_out": inventory.held_out,
        "counts": counts,
    }
    draft = target / ".ground_truth.draft"
    draft.write_text(json.dumps(truth) + "\n")
    os.replace(draft, target / "ground_truth.json")
