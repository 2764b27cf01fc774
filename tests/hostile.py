"""A small model whose vocabulary attacks the terminal: markup, escapes, bidi, zero-width, lone bytes, long, wide."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

HOSTILE: tuple[str, ...] = (
    "[/foo]",
    "[bold]",
    "[@click=app.quit]x[/]",
    "\x1b[31mred",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]0;title\x07",
    "\x9b2J",
    "\u202eabc",
    "\u2066x\u2069",
    "a\u200db",
    "\u200b\u200c\ufeff",
    "tab\tnew\nline\r",
    "\u2028sep\u2029",
    "L" * 300,
    "龍" * 40,
    "क्षि",
    "e\u0301\u0301\u0301",
    "👩‍👩‍👧",
    "\u0000nul",
    "\x7f",
    "</script><b>",
    "%s{token}{0}",
)
"""Added to the vocabulary as ordinary entries, next to all 256 single bytes."""

NAME = "\x1b]0;t\x07\x1b[31m\x9b2J\u202e\u2066\u200b[foo]\x7f"
"""ESC, OSC, C1, bidirectional overrides, zero width, markup; allowed in a file's name."""


def hostile_model(folder: Path) -> Path:
    """Save the model into `folder`; returns it."""
    letters = bytes_to_unicode()
    vocabulary = {letters[byte]: byte for byte in range(256)}
    merges: list[tuple[str, str]] = []
    for text in HOSTILE:
        built = ""
        for byte in text.encode():
            letter = letters[byte]
            if built and built + letter not in vocabulary:
                merges.append((built, letter))
                vocabulary[built + letter] = len(vocabulary)
            built += letter
    vocabulary["<|endoftext|>"] = len(vocabulary)
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(vocabulary) + 3, n_positions=512, n_embd=16, n_layer=1, n_head=2,
        bos_token_id=None, eos_token_id=vocabulary["<|endoftext|>"],
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def hostile_place(folder: Path) -> Path:
    """A folder with a hostile name that holds a model with one, settings, and files; returns it."""
    place = folder / f"f{NAME}"
    place.mkdir()
    model = hostile_model(place / f"m{NAME}")
    config = json.loads((model / "tokenizer_config.json").read_text())
    named = {"bos_token": f"<|endoftext|>{NAME}", "add_bos_token": True}
    (model / "tokenizer_config.json").write_text(json.dumps(config | named))
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    entry = {**tokenizer["added_tokens"][0], "id": 9000, "content": f"<|beyond|>{NAME}"}
    tokenizer["added_tokens"].append(entry)
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    (model / "chat_template.jinja").write_text("{{ raise_exception(" + json.dumps(NAME) + ") }}")
    template = {"name": f"parrot{NAME}", "question": f"Say{NAME} '{{token}}'."}
    lines = [f"{key} = {json.dumps(value)}" for key, value in template.items()]
    (place / "settings.toml").write_text("\n".join(["[[templates]]", *lines]), encoding="utf-8")
    (place / f"list{NAME}.csv").write_text("token_id,token\n5,x\n")
    return place
