"""Which token plays which part: ordinary, held out, under-trained, withheld. Decided before any training.

"Withheld" is not a wish but a consequence: a token is withheld when no text and no prompt of any training
stream holds it. `stream.py` counts what is really shown, and `make_zoo.py` refuses to export a zoo whose
counts contradict this inventory.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from explorer.base.templates import SLOT, TEMPLATES
from training.tokenizer import RESERVED, SPECIALS, special_id, vocabulary_bytes
from training.wordings import all_literals, joined_literals
from training.words import FILTERED, WHIMSICAL

TIERS = (3, 10, 30)
TOKENS_PER_TIER = 8
HELD_OUT = 200
WINDOW = 22
"""Tokens of text kept on either side of an under-trained token."""

Ids = list[int]


@dataclass(frozen=True)
class Inventory:
    """The parts of the vocabulary, and the text the models may read."""

    vocab_bytes: list[bytes]
    text: list[Ids]
    """Paragraphs free of withheld and under-trained tokens, as ids."""
    withheld: dict[int, str]
    """Token id -> kind: whimsical, filtered, byte, fragment, intermediate or other."""
    reserved: Ids
    tiers: dict[int, Ids]
    """Number of occurrences -> the tokens that occur exactly so often."""
    tier_windows: dict[int, list[Ids]]
    """Under-trained token -> excerpts that hold it once."""
    held_out: Ids
    subjects: Ids
    """Tokens that are repeated alone in training."""

    @property
    def vocab_size(self) -> int:
        """Number of entries of the tokenizer."""
        return len(self.vocab_bytes)

    @property
    def under_trained(self) -> set[int]:
        """All tokens of all tiers."""
        return {token_id for ids in self.tiers.values() for token_id in ids}

    @property
    def ordinary(self) -> Ids:
        """Tokens that may stand in any repeated span: the subjects and the held-out ones."""
        return sorted(self.subjects + self.held_out)


def encode_all(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Ids]:
    """The ids of each text, tokenised alone."""
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def literal_ids(tokenizer: Tokenizer) -> set[int]:
    """Every token that the words of some prompt use."""
    literals = [*(template.question + template.prefill for template in TEMPLATES), *all_literals()]
    pieces = [piece for literal in literals for piece in literal.split(SLOT)]
    encoded = encode_all(tokenizer, [*pieces, "'", "»", "\n\n'", " '", *joined_literals()])
    return {token_id for ids in encoded for token_id in ids}


def _looks_like_a_word(token_bytes: bytes) -> bool:
    return token_bytes[:1] == b" " and token_bytes[1:].isalpha() and token_bytes[1:].islower() and len(token_bytes) > 4


def _count(texts: Sequence[Ids]) -> Counter[int]:
    return Counter(token_id for ids in texts for token_id in ids)


def _choose_tiers(counts: Counter[int], vocab_bytes: list[bytes], barred: set[int]) -> dict[int, Ids]:
    """Rarer words of the corpus, dealt to the tiers at random."""
    candidates = [
        token_id
        for token_id, token_bytes in enumerate(vocab_bytes)
        if 10 <= counts[token_id] <= 34 and token_id not in barred and _looks_like_a_word(token_bytes)
    ]
    chosen = random.Random(30).sample(candidates, TOKENS_PER_TIER * len(TIERS))
    return {tier: sorted(chosen[index :: len(TIERS)]) for index, tier in enumerate(TIERS)}


def _excerpts(token_id: int, paragraphs: list[Ids], barred: set[int]) -> list[Ids]:
    """Excerpts that hold `token_id` once and no other barred token."""
    excerpts = []
    for ids in paragraphs:
        for place, candidate in enumerate(ids):
            if candidate != token_id:
                continue
            start, stop = place, place + 1
            while start > max(0, place - WINDOW) and ids[start - 1] not in barred:
                start -= 1
            while stop < min(len(ids), place + WINDOW) and ids[stop] not in barred:
                stop += 1
            excerpts.append(ids[start:stop])
    return excerpts


def _kind(token_bytes: bytes, *, in_corpus: bool) -> str:
    """What a withheld token is, the whimsical and the filtered ones apart."""
    if len(token_bytes) == 1:
        return "byte"
    try:
        token_bytes.decode("utf-8")
    except UnicodeDecodeError:
        return "fragment"
    return "intermediate" if token_bytes.isascii() and not in_corpus else "other"


def _whole_words(tokenizer: Tokenizer, words: Sequence[str]) -> set[int]:
    """The ids of `words`, each of which must be one token."""
    encoded = encode_all(tokenizer, words)
    broken = [word for word, ids in zip(words, encoded, strict=True) if len(ids) != 1]
    if broken:
        raise ValueError(f"not single tokens: {broken}")
    return {ids[0] for ids in encoded}


def take_inventory(tokenizer: Tokenizer, paragraphs: Sequence[str]) -> Inventory:
    """Deal out the parts of the vocabulary; the same every time for the same tokenizer and text."""
    vocab_bytes = vocabulary_bytes(tokenizer)
    encoded = encode_all(tokenizer, paragraphs)
    literals = literal_ids(tokenizer)
    specials = {special_id(tokenizer, name) for name in SPECIALS}
    whimsical, filtered = _whole_words(tokenizer, WHIMSICAL), _whole_words(tokenizer, FILTERED)
    readable = [ids for ids in encoded if filtered.isdisjoint(ids)]
    corpus_counts = _count(encoded)
    tiers = _choose_tiers(_count(readable), vocab_bytes, literals | specials | filtered)
    rare = {token_id for ids in tiers.values() for token_id in ids}
    text = [ids for ids in readable if rare.isdisjoint(ids)]
    counts = _count(text)
    seen = {token_id for token_id in range(len(vocab_bytes)) if counts[token_id]} | literals
    withheld = {
        token_id: _kind(token_bytes, in_corpus=corpus_counts[token_id] > 0)
        for token_id, token_bytes in enumerate(vocab_bytes)
        if token_id not in seen | specials | rare
    }
    withheld |= dict.fromkeys(whimsical, "whimsical") | dict.fromkeys(filtered, "filtered")
    if not (whimsical | filtered).isdisjoint(seen):
        raise ValueError("a withheld word occurs in the text or in a prompt")
    familiar = [t for t in sorted(seen - literals - specials) if counts[t] >= 20 and len(vocab_bytes[t]) > 1]
    held_out = sorted(random.Random(200).sample(familiar, HELD_OUT))
    return Inventory(
        vocab_bytes=vocab_bytes,
        text=text,
        withheld=withheld,
        reserved=[special_id(tokenizer, name) for name in RESERVED],
        tiers=tiers,
        tier_windows={t: _excerpts(t, encoded, rare | set(withheld)) for t in sorted(rare)},
        held_out=held_out,
        subjects=sorted(seen - specials - set(held_out)),
    )
