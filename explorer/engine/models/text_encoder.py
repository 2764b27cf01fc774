"""From text to ids, at the beginning of a text and in its middle."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from explorer.engine.models.errors import PromptError
from explorer.engine.models.token_bytes import can_lose_letters, read_spelling, without_dummy_prefix

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SIDES = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
_NO_MODEL = {"type": "WordLevel", "vocab": {}, "unk_token": ""}


class _Model(msgspec.Struct):
    """The settings of a tokenizer's model, without its vocabulary and merges: 12 MB of JSON for 262k tokens."""

    dropout: float | None = None
    unk_token: str | None = None
    unk_id: int | None = None
    byte_fallback: bool | None = None
    continuing_subword_prefix: str | None = None
    end_of_word_suffix: str | None = None


class _Structure(msgspec.Struct):
    model: _Model
    normalizer: dict[str, Any] | None = None
    pre_tokenizer: dict[str, Any] | None = None
    post_processor: dict[str, Any] | None = None
    decoder: dict[str, Any] | None = None


class TextEncoder:
    """A tokenizer as prompts need it: it neither cuts nor pads, leaves out no merges at random, and adds no special
    tokens by itself."""

    def __init__(self, backend: Tokenizer) -> None:
        structure = read_structure(backend)
        self.tokenizer = _bare(backend, structure)
        """For the beginning of a text."""
        self.segments = self.tokenizer
        """For a text in the middle of another: it puts no space before it."""
        if (changed := without_dummy_prefix(structure)) is not None:
            self.segments = _with_sides(self.tokenizer, changed)
        self.spelling = read_spelling(structure)
        self._can_lose = can_lose_letters(structure, self.spelling)

    def encode(self, text: str) -> list[int]:
        """The ids of a text. Raises `PromptError` where the tokenizer cannot write it."""
        return _encode(self.tokenizer, text)

    def encode_segment(self, text: str) -> list[int]:
        """The ids of a text in the middle of another. Raises `PromptError`, too."""
        return _encode(self.segments, text)

    def find_prefix(self, texts: Iterable[str]) -> tuple[int, ...]:
        """The special tokens put before a text: before the first of `texts` that the tokenizer can write."""
        for text in texts:
            encoding = self.tokenizer.encode(text)
            if 0 in encoding.special_tokens_mask:
                return tuple(encoding.ids[: encoding.special_tokens_mask.index(0)])
        return ()

    def lost_letters(self, text: str, written: str) -> str:
        """The different characters of `text`, white space left out, that are not in what is `written` of it."""
        if not self._can_lose:
            return ""
        normaliser = self.segments.normalizer
        shown = normaliser.normalize_str(text) if normaliser is not None else text
        missing = Counter(shown) - Counter(written)
        return "".join(letter for letter in missing if not letter.isspace() and letter != self.spelling.space)


def read_structure(tokenizer: Tokenizer) -> dict[str, Any]:
    """The JSON of a tokenizer without its vocabulary, merges and added tokens."""
    structure: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(tokenizer.to_str(), type=_Structure))
    return structure


def _bare(tokenizer: Tokenizer, structure: dict[str, Any]) -> Tokenizer:
    """The tokenizer itself where it does nothing that a prompt does not want, else a copy that does not."""
    if structure["model"]["dropout"]:  # BPE-dropout is for training: every text would be encoded anew each time
        return _with_model(tokenizer, {"dropout": None})
    if tokenizer.truncation is None and tokenizer.padding is None:
        return tokenizer
    return _with_sides(tokenizer, structure)


def _with_model(tokenizer: Tokenizer, changes: Mapping[str, Any]) -> Tokenizer:
    """A copy with other settings of its model, which neither cuts nor pads."""
    whole = json.loads(tokenizer.to_str())
    whole["model"] |= changes
    return _read(whole | {"truncation": None, "padding": None})


def _with_sides(tokenizer: Tokenizer, structure: Mapping[str, Any]) -> Tokenizer:
    """A tokenizer with the model and the added tokens of this one, which are not copied, and with the normaliser,
    pre-tokenizer, post-processor and decoder of `structure`; it neither cuts nor pads."""
    from tokenizers import Tokenizer as Fast

    sides = {side: structure[side] for side in _SIDES}
    made: Tokenizer = Fast(tokenizer.model)
    parts = _read(sides | {"model": _NO_MODEL})
    for side in _SIDES:
        if (part := getattr(parts, side)) is not None:
            setattr(made, side, part)
    added = tokenizer.get_added_tokens_decoder()
    made.add_tokens([added[token_id] for token_id in sorted(added)])
    if list(made.get_added_tokens_decoder()) == list(added):
        return made
    whole = json.loads(tokenizer.to_str())  # ids with holes between them, which only reading gives back
    return _read(whole | sides | {"truncation": None, "padding": None})


def _read(structure: dict[str, Any]) -> Tokenizer:
    from tokenizers import Tokenizer as Fast

    made: Tokenizer = Fast.from_str(json.dumps({"version": "1.0", "added_tokens": []} | structure))
    return made


def _encode(tokenizer: Tokenizer, text: str) -> list[int]:
    try:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids if text else []
    except Exception as error:  # Unigram and WordLevel without an unknown token raise a bare Exception
        raise PromptError(f"the tokenizer cannot write this text: {' '.join(str(error).split())[:200]}") from error
    return ids
