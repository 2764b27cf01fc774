"""Reading a directory's tokenizer, with nothing in its files ever run as code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.base.templates import SLOT
from explorer.engine.models.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "vocab.txt",
    "tekken.json",
)
_CHAT_ENDS = ("<|end|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_turn|>", "<end_of_turn>", "<|eot|>")


def load_tokenizer(directory: Path) -> PreTrainedTokenizerFast:
    """The tokenizer in `directory`: tokenizer.json, vocab.json with merges.txt, vocab.txt or a SentencePiece file.

    Raises `ModelError` where there is none, where it cannot be read, where it asks for code of its own,
    and where it has no form that the `tokenizers` library runs.
    """
    if not any((directory / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            f"{directory} has no tokenizer",
            hint=f"It should hold one of: {', '.join(TOKENIZER_FILES)}.",
        )
    if "auto_map" in read_json(directory / "tokenizer_config.json"):
        raise ModelError(
            f"the tokenizer in {directory.name} asks for code of its own (auto_map), which is never run",
            hint="Only tokenizers that the transformers library knows can be used.",
        )
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(directory), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises bare Exception for files it cannot read
        raise ModelError(
            f"the tokenizer in {directory.name} cannot be read: {_one_line(error)}",
            hint="A tokenizer.json or tokenizer.model that is whole is needed.",
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(
            f"the tokenizer in {directory.name} ({type(tokenizer).__name__}) has no fast form",
            hint="Save it as tokenizer.json first.",
        )
    return tokenizer


def bare_copy(
    tokenizer: Tokenizer, change: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda _: None
) -> tuple[Tokenizer, dict[str, Any]]:
    """A copy of `tokenizer` that neither cuts nor pads, changed by `change` (None: not at all), and its JSON."""
    from tokenizers import Tokenizer as Fast

    structure = json.loads(tokenizer.to_str())
    changed = change(structure)
    copied: Tokenizer = Fast.from_str(json.dumps(changed if changed is not None else structure))
    copied.no_truncation()
    copied.no_padding()
    return copied, structure


def render_chat(tokenizer: PreTrainedTokenizerFast, question: str) -> str:
    """The tokenizer's chat template around `question` as the user's turn, up to where the answer begins.

    The template is Jinja in transformers' immutable sandbox; raises `ModelError` where it fails or loses one
    of the question's slots (`{token}`).
    """
    turns = [{"role": "user", "content": question}]
    try:
        prompt = str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except Exception as error:  # the template is a stranger's program and may raise anything
        raise ModelError(
            f"the chat template fails: {type(error).__name__}: {_one_line(error)}",
            hint="Ask without the chat template.",
        ) from error
    if prompt.count(SLOT) < question.count(SLOT):
        raise ModelError("the chat template drops a part of the question", hint="Ask without the chat template.")
    return prompt


def end_ids(directory: Path, tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """The ids that end a reply: those the generation config, the config and the tokenizer name as end of
    sequence, and added tokens that by custom end a chat turn (`<|im_end|>`, `<|end|>`, …).
    """
    named: set[int] = set()
    for file in ("generation_config.json", "config.json"):
        value = read_json(directory / file).get("eos_token_id")
        named.update(value if isinstance(value, list) else [] if value is None else [value])
    if tokenizer.eos_token_id is not None:
        named.add(tokenizer.eos_token_id)
    added = {entry.content: token_id for token_id, entry in tokenizer.added_tokens_decoder.items()}
    named.update(added[content] for content in _CHAT_ENDS if content in added)
    return frozenset(token_id for token_id in named if isinstance(token_id, int))


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no file; `ModelError` where it is no JSON object."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {_one_line(error)}", hint="Download or copy it again.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{file} is no JSON object", hint="Download or copy it again.")
    return value


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
