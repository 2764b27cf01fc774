"""From text to ids, at the beginning of a text and in its middle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from explorer.engine.models.checkpoints.tokenizer_files import bare_tokenizer
from explorer.engine.models.errors import PromptError
from explorer.engine.models.token_bytes import can_lose_letters, read_spelling, without_dummy_prefix

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class TextEncoder:
    """A tokenizer as prompts need it: it neither cuts nor pads, and adds no special tokens by itself."""

    def __init__(self, backend: Tokenizer) -> None:
        self.tokenizer, structure = bare_tokenizer(backend)
        """For the beginning of a text."""
        self.segments = self.tokenizer
        """For a text in the middle of another: it puts no space before it."""
        if without_dummy_prefix(structure) is not None:
            self.segments, _ = bare_tokenizer(backend, without_dummy_prefix)
        self.model: dict[str, Any] = structure["model"]
        """That part of the tokenizer's JSON."""
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


def _encode(tokenizer: Tokenizer, text: str) -> list[int]:
    try:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids if text else []
    except Exception as error:  # Unigram and WordLevel without an unknown token raise a bare Exception
        raise PromptError(f"the tokenizer cannot write this text: {' '.join(str(error).split())[:200]}") from error
    return ids
