"""From a tokenizer's pieces to the exact bytes of its tokens.

Four spellings are in use, and a tokenizer's own JSON (`Tokenizer.to_str`) says which: byte-level BPE writes
each byte as one printable character (Radford et al. 2019, GPT-2's `bytes_to_unicode`); SentencePiece
writes a space as `▁` (or another mark that the JSON names) and a byte it has no character for as `<0xNN>`; WordPiece
marks the continuation of a word by `##`; older BPE marks a word's end by `</w>`, and CLIP does so in byte-level BPE.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

METASPACE = "▁"
_SPLIT_AT_SPACES = ("WhitespaceSplit", "Whitespace", "BertPreTokenizer")
_FALLBACK_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def _byte_level_alphabet() -> dict[str, int]:
    """Character → byte of GPT-2's map: printable bytes stand for themselves, the others for U+0100 and on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in set(printable))
    alphabet.update({chr(0x100 + place): byte for place, byte in enumerate(others)})
    return alphabet


BYTE_LEVEL_ALPHABET = _byte_level_alphabet()


@dataclass(frozen=True)
class Spelling:
    """How a tokenizer spells bytes in its pieces."""

    byte_level: bool = False
    byte_fallback: bool = False
    space: str = ""
    """What stands for a space in a piece (SentencePiece's `▁`; CPM's `▂`), or empty."""
    continuation: str = ""
    """Prefix of a piece that continues a word (`##`), or empty."""
    end_of_word: str = ""
    """Suffix of a piece that ends a word (`</w>`), or empty."""
    alphabet: dict[str, int] = field(default_factory=lambda: BYTE_LEVEL_ALPHABET, repr=False, compare=False)

    def token_bytes(self, piece: str, *, added: bool, special: bool) -> bytes:
        """The bytes that `piece` stands for.

        `added` pieces were added to the tokenizer as literal text; of those, `special` ones are never
        touched by a decoder.
        """
        if special or (added and not self.space):
            return piece.encode("utf-8", "surrogatepass")
        if self.byte_fallback and (match := _FALLBACK_BYTE.fullmatch(piece)):
            return bytes([int(match[1], 16)])
        if self.end_of_word and piece.endswith(self.end_of_word):
            return self._inner_bytes(piece.removesuffix(self.end_of_word)) + b" "
        return self._inner_bytes(piece)

    def all_bytes(
        self, pieces: Sequence[str | None], added: Container[int], special_ids: Container[int]
    ) -> list[bytes]:
        """The bytes of every piece; none where there is no piece. `added`: ids of pieces added as literal text."""
        return [
            b"" if piece is None else self.token_bytes(piece, added=token_id in added, special=token_id in special_ids)
            for token_id, piece in enumerate(pieces)
        ]

    def _inner_bytes(self, piece: str) -> bytes:
        """The bytes of a piece without its mark of a word's end."""
        if self.byte_level:
            return self._from_byte_level(piece)
        text = piece.removeprefix(self.continuation) if self.is_continuation(piece) else piece
        if self.space:
            text = text.replace(self.space, " ")
        return text.encode("utf-8", "surrogatepass")

    def _from_byte_level(self, piece: str) -> bytes:
        try:
            return bytes([self.alphabet[character] for character in piece])
        except KeyError:  # a piece written as plain text, as tokenizers' own decoder then takes it
            return piece.encode("utf-8", "surrogatepass")

    def is_fallback_byte(self, piece: str) -> bool:
        """Whether `piece` is one of SentencePiece's `<0xNN>`."""
        return self.byte_fallback and _FALLBACK_BYTE.fullmatch(piece) is not None

    def is_continuation(self, piece: str) -> bool:
        """Whether `piece` can only stand inside a word (`##ing`)."""
        return bool(self.continuation) and piece.startswith(self.continuation) and piece != self.continuation


def read_spelling(structure: dict[str, Any]) -> Spelling:
    """The spelling of the tokenizer whose JSON is `structure`."""
    model = structure["model"]
    parts = [*_components(structure, "normalizer"), *_components(structure, "pre_tokenizer")]
    decoders = list(_components(structure, "decoder"))
    kinds = {part.get("type") for part in (*parts, *decoders)}
    byte_level = "ByteLevel" in kinds
    return Spelling(
        byte_level=byte_level,
        byte_fallback=not byte_level and (bool(model.get("byte_fallback")) or "ByteFallback" in kinds),
        space="" if byte_level else next(filter(None, map(_space_mark, (*parts, *decoders))), ""),
        continuation=model.get("continuing_subword_prefix") or "",
        end_of_word=model.get("end_of_word_suffix") or "",
    )


def can_lose_letters(structure: dict[str, Any], spelling: Spelling) -> bool:
    """Whether the tokenizer drops characters that it has no token for: it has neither bytes nor an unknown token."""
    model = structure["model"]
    has_unknown = model.get("unk_token") is not None or model.get("unk_id") is not None
    return not (has_unknown or spelling.byte_level or spelling.byte_fallback)


def without_dummy_prefix(structure: dict[str, Any]) -> dict[str, Any] | None:
    """`structure` changed so that no space is put before the text.

    None where none is put there anyway, and where the text is first split at its spaces (T5, XLM-R): there
    the space put before a word is the only one left, and the beginning of a text is a word like any other.
    """
    if any(part.get("type") in _SPLIT_AT_SPACES for part in _components(structure, "pre_tokenizer")):
        return None
    changed = dict(structure)
    for side in ("normalizer", "pre_tokenizer"):
        changed[side] = _without_prefix(structure.get(side))
    return None if changed == structure else changed


def _without_prefix(part: dict[str, Any] | None) -> dict[str, Any] | None:
    if part is None or part.get("type") == "Prepend":
        return None
    for key in ("normalizers", "pretokenizers"):
        if key in part:
            kept = [inner for inner in map(_without_prefix, part[key]) if inner is not None]
            return {**part, key: kept}
    if part.get("type") == "Metaspace":
        return {**part, "prepend_scheme": "never"}
    if part.get("type") == "ByteLevel" and part.get("add_prefix_space"):
        return {**part, "add_prefix_space": False}
    return part


def _space_mark(part: dict[str, Any]) -> str:
    """What a part of the tokenizer puts in the place of a space, or a space in the place of; empty where nothing."""
    if part.get("type") == "Metaspace":
        return str(part.get("replacement") or METASPACE)
    before, after = part.get("pattern", {}).get("String"), part.get("content")
    pair = (before, after) if before == " " else (after, before)
    if part.get("type") == "Replace" and pair[0] == " " and isinstance(pair[1], str):
        return pair[1].strip(" ")
    return ""


def _components(structure: dict[str, Any], side: str) -> Iterator[dict[str, Any]]:
    """The parts of one side of the tokenizer, sequences unrolled."""
    waiting = [structure.get(side)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            for key in ("normalizers", "pretokenizers", "decoders"):
                waiting.extend(part.get(key, ()))
