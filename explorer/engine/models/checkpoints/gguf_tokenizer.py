"""The tokenizer that a GGUF file's metadata describe, built for the `tokenizers` library.

transformers builds one too, but takes GPT-2's pre-tokenizer for the names that it does not know (SmolLM2's), and spends
two minutes on the merges of Gemma's vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from explorer.engine.models.checkpoints import gguf_pretokenizers as splitting
from explorer.engine.models.checkpoints.gguf_header import GgufHeader
from explorer.engine.models.checkpoints.gguf_merges import read_merges, recover_merges
from explorer.engine.models.checkpoints.tokenizer_files import chat_end_ids
from explorer.engine.models.errors import ModelError
from explorer.engine.models.first_import import TRANSFORMERS, import_heard
from explorer.engine.models.token_bytes import METASPACE

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

_NAMED = {
    "bos_token": "bos",
    "eos_token": "eos",
    "unk_token": "unknown",
    "pad_token": "padding",
    "sep_token": "seperator",
}
"""transformers' names of tokens and llama.cpp's (spelt as it spells them)."""
_ENDS = ("eos", "eot", "eom")
_CONTINUES = "##"
_OTHER_TOKENIZER = "Take a GGUF file of a language model, or name a folder with its tokenizer: --tokenizer DIR."
_NAMES_SHOWN = "gpt2, llama, gemma4, bert, t5"


class TokenType(IntEnum):
    """`tokenizer.ggml.token_type`, as llama.cpp numbers it."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class GgufVocabulary:
    """The tokens of a file: their texts and types by id."""

    header: GgufHeader
    tokens: list[str]
    types: list[int]
    ids: dict[str, int] = field(default_factory=dict)
    """Of tokens of the same text, the first."""

    @property
    def kind(self) -> str:
        """`gpt2` (byte-level BPE), `llama` (SentencePiece), …"""
        return self.header.text("tokenizer.ggml.model")

    def of_type(self, *types: TokenType) -> list[str]:
        """The texts of the tokens of these types, by id."""
        return [token for token, kind in zip(self.tokens, self.types, strict=True) if kind in types]

    def named(self, name: str) -> int | None:
        """The id of a token with a role: `bos`, `eos`, `eot`."""
        token_id = self.header.number(f"tokenizer.ggml.{name}_token_id")
        return token_id if token_id is not None and 0 <= token_id < len(self.tokens) else None


@dataclass(frozen=True)
class GgufTokenizer:
    """A tokenizer, and what the `tokenizers` library cannot hold of it."""

    tokenizer: PreTrainedTokenizerFast
    eos_ids: frozenset[int]
    pieces: dict[int, str]
    """Of tokens whose text an earlier one has."""
    unused: frozenset[int]
    """Ids that the file calls unused."""
    notes: tuple[str, ...]


def read_gguf_tokenizer(header: GgufHeader) -> GgufTokenizer:
    """The tokenizer in the metadata; raises `ModelError` where there is none, or none that can be built here."""
    vocabulary = _read_vocabulary(header)
    build = _BUILDERS.get(vocabulary.kind)
    if build is None:
        raise ModelError(
            f"the tokenizer in {header.file.name} is of the kind {vocabulary.kind[:40]!r}, which is not supported",
            hint=f"Kinds that are: {_NAMES_SHOWN}. Or name a folder with the model's tokenizer: --tokenizer DIR.",
        )
    import_heard(TRANSFORMERS)
    try:
        backend, notes = build(vocabulary)
        return _wrap(vocabulary, backend, notes)
    except ModelError:
        raise
    except Exception as error:  # the tokenizers library raises bare Exception for what it cannot use
        said = " ".join(str(error).split())[:200]
        raise ModelError(f"the tokenizer in {header.file.name} cannot be used: {said}") from error


def _read_vocabulary(header: GgufHeader) -> GgufVocabulary:
    tokens = header.strings("tokenizer.ggml.tokens")
    if not tokens:
        raise ModelError(f"{header.file.name} holds no vocabulary", hint=_OTHER_TOKENIZER)
    types = [int(kind) for kind in header.numbers("tokenizer.ggml.token_type").tolist()] or [1] * len(tokens)
    if len(types) != len(tokens):
        raise ModelError(f"{header.file.name} has {len(tokens):,} tokens but types of {len(types):,}")
    used = _without_padding(tokens, types)
    ids: dict[str, int] = {}
    for token_id, token in enumerate(tokens[:used]):
        ids.setdefault(token, token_id)
    return GgufVocabulary(header, tokens[:used], types[:used], ids)


def _without_padding(tokens: list[str], types: list[int]) -> int:
    """How many tokens there are before those that converters append where the matrix has more rows (`[PAD151646]`)."""
    used = len(tokens)
    while used and types[used - 1] == TokenType.UNUSED and tokens[used - 1] == f"[PAD{used - 1}]":
        used -= 1
    return used


def _wrap(vocabulary: GgufVocabulary, backend: Tokenizer, notes: tuple[str, ...]) -> GgufTokenizer:
    """With its control tokens, what is put before a text, and its chat template."""
    from tokenizers import AddedToken, processors
    from transformers import PreTrainedTokenizerFast

    control = vocabulary.of_type(TokenType.CONTROL, TokenType.UNKNOWN)
    backend.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control if token])
    own = vocabulary.of_type(TokenType.USER_DEFINED)
    backend.add_tokens([AddedToken(token, normalized=False, special=False) for token in own if token])
    first = _first_token(vocabulary)
    if first is not None:
        text = vocabulary.tokens[first]
        backend.post_processor = processors.TemplateProcessing(
            single=[text, "$A"], pair=[text, "$A", "$B"], special_tokens=[(text, vocabulary.ids[text])]
        )
    roles = {role: vocabulary.named(name) for role, name in _NAMED.items()}
    options: dict[str, Any] = {
        role: vocabulary.tokens[token_id] for role, token_id in roles.items() if token_id is not None
    }
    template = vocabulary.header.text("tokenizer.chat_template") or None
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, chat_template=template, **options)
    twice = {token_id: token for token_id, token in enumerate(vocabulary.tokens) if vocabulary.ids[token] != token_id}
    if twice:
        counted = "1 token of the GGUF file has" if len(twice) == 1 else f"{len(twice):,} tokens of the GGUF file have"
        notes = (*notes, f"{counted} the same text as another one")
    ends = {token_id for name in _ENDS if (token_id := vocabulary.named(name)) is not None}
    unused = (token_id for token_id, kind in enumerate(vocabulary.types) if kind == TokenType.UNUSED)
    return GgufTokenizer(tokenizer, chat_end_ids(tokenizer) | ends, twice, frozenset(unused), notes)


def _first_token(vocabulary: GgufVocabulary) -> int | None:
    """The token that begins every text, where one does. Files that do not say: llama.cpp's own rules."""
    says = vocabulary.header.flag("tokenizer.ggml.add_bos_token")
    by_kind = (
        vocabulary.kind in ("llama", "bert") or vocabulary.header.text("tokenizer.ggml.pre") in splitting.BOS_FIRST
    )
    return vocabulary.named("bos") if (by_kind if says is None else says) else None


# ── one builder a kind ────────────────────────────────────────────────────────────────────────────────────────


def _byte_level(vocabulary: GgufVocabulary) -> tuple[Tokenizer, tuple[str, ...]]:
    from tokenizers import Tokenizer, decoders, models

    name = vocabulary.header.text("tokenizer.ggml.pre")
    merges, left_out = read_merges(vocabulary.header, vocabulary.ids)
    tokenizer = Tokenizer(models.BPE(vocabulary.ids, merges, ignore_merges=name in splitting.WHOLE_FIRST))
    tokenizer.pre_tokenizer, unknown = splitting.pre_tokenizer("" if name == "default" else name)
    if (normaliser := splitting.normaliser(name)) is not None:
        tokenizer.normalizer = normaliser
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, tuple(note for note in (unknown, left_out) if note)


def _sentencepiece(vocabulary: GgufVocabulary) -> tuple[Tokenizer, tuple[str, ...]]:
    """SentencePiece's BPE: `▁` for a space, bytes for characters that have no token."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    header = vocabulary.header
    merges, left_out = read_merges(header, vocabulary.ids) if header.strings("tokenizer.ggml.merges") else ((), "")
    unknown = vocabulary.named("unknown")
    has_bytes = bool(vocabulary.of_type(TokenType.BYTE))
    tokenizer = Tokenizer(
        models.BPE(
            vocabulary.ids,
            merges or recover_merges(vocabulary.ids, header),
            unk_token=None if unknown is None else vocabulary.tokens[unknown],
            fuse_unk=True,
            byte_fallback=has_bytes,
        )
    )
    parts: list[Any] = [normalizers.Replace(" ", METASPACE)]
    if header.flag("tokenizer.ggml.add_space_prefix") is not False and vocabulary.kind == "llama":
        parts.insert(0, normalizers.Prepend(METASPACE))
    tokenizer.normalizer = normalizers.Sequence(parts)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(METASPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer, (left_out,) if left_out else ()


def _word_piece(vocabulary: GgufVocabulary) -> tuple[Tokenizer, tuple[str, ...]]:
    """BERT's. llama.cpp writes `▁word` and `ing` for BERT's `word` and `##ing`."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    ordinary = zip(vocabulary.tokens, vocabulary.types, strict=True)
    vocabulary.tokens[:] = [_bert_spelling(token) if kind == TokenType.NORMAL else token for token, kind in ordinary]
    vocabulary.ids.clear()
    for token_id, token in enumerate(vocabulary.tokens):
        vocabulary.ids.setdefault(token, token_id)
    tokenizer = Tokenizer(models.WordPiece(vocabulary.ids, unk_token=vocabulary.tokens[_unknown(vocabulary)]))
    has_capitals = any(token != token.lower() for token in vocabulary.of_type(TokenType.NORMAL))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=not has_capitals)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=_CONTINUES)
    return tokenizer, ()


def _unknown(vocabulary: GgufVocabulary) -> int:
    """The token for what has no other; raises `ModelError` where there is none, since these models need one."""
    named = vocabulary.named("unknown")
    if named is None and TokenType.UNKNOWN not in vocabulary.types:
        raise ModelError(f"the tokenizer in {vocabulary.header.file.name} names no unknown token")
    return vocabulary.types.index(TokenType.UNKNOWN) if named is None else named


def _bert_spelling(token: str) -> str:
    if token.startswith("[") and token.endswith("]"):
        return token
    return token.removeprefix(METASPACE) if token.startswith(METASPACE) else _CONTINUES + token


def _unigram(vocabulary: GgufVocabulary) -> tuple[Tokenizer, tuple[str, ...]]:
    """SentencePiece's other model (T5): the likeliest pieces by their scores."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    scores: Iterable[float] = (float(score) for score in vocabulary.header.numbers("tokenizer.ggml.scores").tolist())
    pieces = list(zip(vocabulary.tokens, scores, strict=False))
    if len(pieces) != len(vocabulary.tokens):
        raise ModelError(f"{vocabulary.header.file.name} has no score for every token")
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=_unknown(vocabulary), byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer, ()


_BUILDERS: dict[str, Callable[[GgufVocabulary], tuple[Tokenizer, tuple[str, ...]]]] = {
    "gpt2": _byte_level,
    "llama": _sentencepiece,
    "gemma4": _sentencepiece,
    "bert": _word_piece,
    "t5": _unigram,
}
