"""Reading a directory's tokenizer, with nothing in its files ever run as code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.base.errors import one_line
from explorer.engine.models.checkpoints.limits import check_file, check_folder, refuse_depth
from explorer.engine.models.errors import ModelError
from explorer.engine.models.first_import import TRANSFORMERS, import_heard

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
_NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
_CHAT_ENDS = ("<|end|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_turn|>", "<end_of_turn>", "<|eot|>")


def load_tokenizer(directory: Path) -> PreTrainedTokenizerFast:
    """The tokenizer in `directory`: tokenizer.json as it stands; without one, what transformers makes of tekken.json,
    of vocab.json with merges.txt, of vocab.txt or of a SentencePiece file.

    Raises `ModelError` where there is none, where it cannot be read, where it asks for code of its own,
    and where it has no form that the `tokenizers` library runs.
    """
    check_folder(directory)
    if not _vocabulary_files(directory):
        raise ModelError(
            f"{directory} has no tokenizer",
            hint=f"It should hold one of: {', '.join(TOKENIZER_FILES)}; or name a folder that does: --tokenizer DIR.",
        )
    config = read_json(directory / "tokenizer_config.json")
    has_own = (directory / "tokenizer.json").is_file()
    if "auto_map" in config and not has_own:
        raise ModelError(
            f"the tokenizer in {directory.name} asks for code of its own (auto_map), which is never run",
            hint="Only tokenizers that the transformers library knows can be used.",
        )
    import_heard(TRANSFORMERS)
    try:
        if has_own:
            return _own_tokenizer(directory, config)
        return _with_mistral_ends(converted_tokenizer(directory), directory)
    except ModelError:
        raise
    except Exception as error:  # the tokenizers library raises bare Exception for files it cannot read
        raise ModelError(
            f"the tokenizer in {directory.name} cannot be read: {one_line(error)}",
            hint="A tokenizer.json or tokenizer.model that is whole is needed.",
        ) from error


def _vocabulary_files(directory: Path) -> list[str]:
    return [name for name in TOKENIZER_FILES if (directory / name).is_file()]


def _own_tokenizer(directory: Path, config: dict[str, Any]) -> PreTrainedTokenizerFast:
    """tokenizer.json as it stands, with the special tokens and the chat template that are named beside it.

    transformers' AutoTokenizer is not asked: it puts the normaliser and pre-tokenizer of the class that is named beside
    the file in the place of the file's own (huggingface/transformers#45488).
    """
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(directory / "tokenizer.json"), chat_template=read_chat_template(directory, config)
    )
    backend = tokenizer.backend_tokenizer
    _add_declared(backend, config)
    named = read_json(directory / "special_tokens_map.json") | config
    for name in _NAMED_TOKENS:
        content = _content(named.get(name))
        if content is not None and backend.token_to_id(content) is not None:  # a name alone makes no row
            setattr(tokenizer, name, content)
    _make_special(backend, [*tokenizer.special_tokens_map.values(), *_further_special(named)])
    return tokenizer


def _further_special(named: dict[str, Any]) -> list[str]:
    """The special tokens that have no role of their own."""
    entries = named.get("additional_special_tokens") or named.get("extra_special_tokens") or ()
    contents = [_content(entry) for entry in (entries.values() if isinstance(entries, dict) else entries)]
    return [content for content in contents if content is not None]


def _make_special(backend: Tokenizer, contents: Iterable[str]) -> None:
    """Let pieces of the vocabulary be special tokens, which a text that holds them is split at; others make no row."""
    known = {entry.content for entry in backend.get_added_tokens_decoder().values() if entry.special}
    new = [one for one in dict.fromkeys(contents) if one not in known and backend.token_to_id(one) is not None]
    backend.add_special_tokens(new)


def _add_declared(backend: Tokenizer, config: dict[str, Any]) -> None:
    """Add the tokens that only tokenizer_config.json has, where they get the ids that it declares."""
    from tokenizers import AddedToken

    declared = config.get("added_tokens_decoder")
    entries = {int(key): entry for key, entry in declared.items()} if isinstance(declared, dict) else {}
    for token_id in sorted(entries):
        content = _content(entries[token_id])
        is_next = token_id == backend.get_vocab_size(with_added_tokens=True)
        if content is not None and is_next and backend.token_to_id(content) is None:
            flags = {key: entries[token_id][key] for key in _FLAGS if key in entries[token_id]}
            backend.add_tokens([AddedToken(content, **flags)])


def _content(entry: object) -> str | None:
    """The text of a token that a JSON file names, alone or with its flags; None for anything else."""
    text = entry.get("content") if isinstance(entry, dict) else entry
    return text if isinstance(text, str) and text else None


def read_chat_template(directory: Path, config: dict[str, Any]) -> Any:
    """The chat template beside a tokenizer, as transformers takes it (a text, or named texts); None without one.

    A file of its own goes before the entry in tokenizer_config.json (`config`), and that before chat_template.json,
    where multimodal checkpoints keep it. Raises `ModelError` where a file cannot be read.
    """
    file = directory / "chat_template.jinja"
    try:
        own = file.read_text(encoding="utf-8") if file.is_file() else None
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read: {one_line(error)}", hint="Download or copy it again.") from error
    found = own or config.get("chat_template") or read_json(directory / "chat_template.json").get("chat_template")
    if not isinstance(found, list):
        return found if isinstance(found, str) else None
    named = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, dict)}
    return {name: text for name, text in named.items() if isinstance(name, str) and isinstance(text, str)} or None


def converted_tokenizer(directory: Path) -> PreTrainedTokenizerFast:
    """What transformers makes of a folder without tokenizer.json, or in spite of it."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    tokenizer: Any
    if _vocabulary_files(directory) != ["tekken.json"]:
        tokenizer = AutoTokenizer.from_pretrained(
            str(directory), local_files_only=True, trust_remote_code=False, mistral_format=False
        )
    else:  # whatever else is installed: mistral-common's tokenizers are of another kind
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(directory), local_files_only=True)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ModelError(
            f"the tokenizer in {directory.name} ({type(tokenizer).__name__}) has no fast form",
            hint="Save it as tokenizer.json first.",
        )
    return tokenizer


def _with_mistral_ends(tokenizer: PreTrainedTokenizerFast, directory: Path) -> PreTrainedTokenizerFast:
    """A tokenizer made of tekken.json puts `<s>` before a text and ends at `</s>`, as mistral-common's does (checked
    with 1.13.1): what transformers makes of the file knows neither. Any other tokenizer stays as it is."""
    from tokenizers.processors import TemplateProcessing

    bos, eos = (tokenizer.convert_tokens_to_ids(name) for name in ("<s>", "</s>"))
    if _vocabulary_files(directory) == ["tekken.json"] and None not in (bos, eos):
        tokenizer.bos_token, tokenizer.eos_token = "<s>", "</s>"
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", bos)])
    return tokenizer


def bos_notes(directory: Path, tokenizer: PreTrainedTokenizerFast, prefix_ids: Sequence[int]) -> tuple[str, ...]:
    """What to say where tokenizer_config.json asks for a BOS that tokenizer.json does not put (DeepSeek's distilled
    models: huggingface/swift-transformers#161)."""
    asked = read_json(directory / "tokenizer_config.json").get("add_bos_token") is True
    if not asked or tokenizer.bos_token_id is None or tokenizer.bos_token_id in prefix_ids:
        return ()
    return (
        f"add_bos_token asks for {tokenizer.bos_token} before a text; tokenizer.json puts none, so prompts have none",
    )


def lost_pieces(directory: Path, tokenizer: PreTrainedTokenizerFast) -> dict[int, str]:
    """The entries of a vocab.txt that stand there a second time further on, by id: the tokenizer knows the last of them
    (ERNIE: PaddlePaddle/PaddleNLP#5974), but the matrix has a row for each."""
    file = directory / "vocab.txt"
    if (directory / "tokenizer.json").is_file() or not file.is_file():
        return {}
    entries = file.read_text(encoding="utf-8", errors="replace").split("\n")
    backend = tokenizer.backend_tokenizer
    return {place: entry for place, entry in enumerate(entries) if entry and backend.id_to_token(place) is None}


def end_ids(directory: Path, tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """The ids that end a reply: those the model's generation config and config and the tokenizer name as end of
    sequence, and added tokens that by custom end a chat turn (`<|im_end|>`, `<|end|>`, …).
    """
    named: set[int] = set()
    for file in ("generation_config.json", "config.json"):
        value = read_json(directory / file).get("eos_token_id")
        listed = value if isinstance(value, list) else [value]
        named.update(token_id for token_id in listed if isinstance(token_id, int))
    if isinstance(tokenizer.eos_token_id, int):
        named.add(tokenizer.eos_token_id)
    return frozenset(named) | chat_end_ids(tokenizer)


def chat_end_ids(tokenizer: PreTrainedTokenizerFast) -> frozenset[int]:
    """The added tokens that by custom end a chat turn."""
    added = {entry.content: token_id for token_id, entry in tokenizer.added_tokens_decoder.items()}
    return frozenset(added[content] for content in _CHAT_ENDS if content in added)


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no file; `ModelError` where it is no JSON object, or one beyond
    the limits (`checkpoints.limits`)."""
    check_file(file)
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {one_line(error)}", hint="Download or copy it again.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{file} is no JSON object", hint="Download or copy it again.")
    refuse_depth(value, file)
    return value
