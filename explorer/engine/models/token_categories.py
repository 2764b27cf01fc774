"""Which kind of entry each token is, and which tokens no text can ever have trained."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from explorer.base.records.tokens import CATEGORIES, Category
from explorer.base.records.vocabulary import BYTE, MARKED, NAME, PADDING_ROW
from explorer.engine.models.errors import ModelError
from explorer.engine.models.reachability import Reencoder
from explorer.engine.models.token_bytes import Spelling

if TYPE_CHECKING:
    from tokenizers import AddedToken

CODE: dict[Category, int] = {category: code for code, category in enumerate(CATEGORIES)}

NEVER_IN_UTF8 = frozenset([0xC0, 0xC1, *range(0xF5, 0x100)])
"""Bytes that stand nowhere in valid UTF-8 (RFC 3629), so that no text can train their tokens."""

_UNUSED_NAME = re.compile(
    r"""
    (?: <\|? | \[ | >> | <｜ )                              # <unused7>, <|dummy_0|>, [unused7], >>UNUSED_7<<
    (?: unused (?:_token)?                                  # InternLM 2: [UNUSED_TOKEN_146]
      | (?:[a-z]+_)* reserved (?:_special)? (?:_token)?     # Llama 4: <|vision_reserved_special_token_1|>
      | dummy | special | control | placeholder
      | place[_▁]holder[_▁]no                               # DeepSeek: <｜place▁holder▁no▁0｜>
      | madeupword                                          # fairseq (XGLM, OPT, M2M): <madeupword0>
    ) [-_:▁]? \d+
    (?: \|?> | \] | << | ｜> )
    | <\|extra(?:_id|_token)?_?\d+(?:_token)?\|>            # Qwen, Cohere; T5 trains its <extra_id_0>
    | <\[plhd\d+_never_used\w*\]>                          # Seed-OSS
    | madeupword\d+
    | </?\w+>notused                                        # CamemBERT
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CONTROLS = frozenset(range(0x20)) - {0x09, 0x0A, 0x0D} | {0x7F}


def categorise(
    pieces: Sequence[str | None],
    tokens: Sequence[bytes],
    spelling: Spelling,
    special_ids: Collection[int],
    reencoder: Reencoder,
) -> npt.NDArray[np.uint8]:
    """The category of each token as an index into `records.CATEGORIES`; uint8 [vocab].

    `padding`: no piece (a row beyond the tokenizer or a hole in it). `special`: in `special_ids`.
    `byte`: a fallback byte, or one byte that is no character of ordinary text (0x80 and up, and controls
    other than tab, newline, carriage return). `fragment`: several bytes that are not UTF-8 alone.
    `unreachable`: see `Reencoder`. `ok`: all others.
    """
    categories = np.full(len(tokens), CODE["ok"], dtype=np.uint8)
    candidates: list[int] = []
    texts: list[str] = []
    for token_id, (piece, token) in enumerate(zip(pieces, tokens, strict=True)):
        if piece is None:
            categories[token_id] = CODE["padding"]
        elif token_id in special_ids:
            categories[token_id] = CODE["special"]
        elif spelling.is_fallback_byte(piece) or (len(token) == 1 and (token[0] in _CONTROLS or token[0] >= 0x80)):
            categories[token_id] = CODE["byte"]
        elif (text := _utf8(token)) is None:
            categories[token_id] = CODE["fragment"]
        else:
            candidates.append(token_id)
            texts.append(text)
    reachable = reencoder.reachable(candidates, texts)
    categories[np.array(candidates, dtype=np.int64)[~reachable]] = CODE["unreachable"]
    return categories


def known_unused(
    pieces: Sequence[str | None], tokens: Sequence[bytes], marked: Collection[int] = ()
) -> list[tuple[int, str]]:
    """The tokens that no text can have trained, by id, each with the reason, in the words of
    `records.UnusedReference`. `marked`: those that the model's file calls unused.
    """
    found: list[tuple[int, str]] = []
    for token_id, (piece, token) in enumerate(zip(pieces, tokens, strict=True)):
        if piece is None:
            found.append((token_id, PADDING_ROW))
        elif len(token) == 1 and token[0] in NEVER_IN_UTF8:
            found.append((token_id, BYTE))
        elif _UNUSED_NAME.fullmatch(piece):
            found.append((token_id, NAME))
        elif token_id in marked:
            found.append((token_id, MARKED))
    return found


def note_missing_rows(
    added: Mapping[int, AddedToken], ids: Iterable[int], tokenizer_size: int, rows: int
) -> tuple[str, ...]:
    """What to say of `added` tokens beyond the matrix; nothing where all ids have a row.

    `ids`: those of the tokenizer's model, without added tokens. Raises `ModelError` where one of these has no row.
    """
    beyond = sorted(token_id for token_id in added if token_id >= rows)
    if any(token_id >= rows and token_id not in added for token_id in ids):
        raise ModelError(
            f"the tokenizer has {tokenizer_size:,} ids but the embedding matrix only {rows:,} rows",
            hint="Tokenizer and weights are of different models: put the right tokenizer files in the directory.",
        )
    if not beyond:
        return ()
    shown = ", ".join(f"{added[token_id].content} ({token_id})" for token_id in beyond[:3])
    more = ", …" if len(beyond) > 3 else ""
    counted = "1 added token has" if len(beyond) == 1 else f"{len(beyond):,} added tokens have"
    return (f"{counted} no row in the embedding matrix: {shown}{more}",)


def _utf8(token: bytes) -> str | None:
    try:
        return token.decode("utf-8")
    except UnicodeDecodeError:
        return None
