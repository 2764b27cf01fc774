"""The one tokenizer of the zoo: byte-level BPE like GPT-2's, 3,072 entries, built in about a second."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from explorer.base.templates import SLOT, TEMPLATES
from training.wordings import all_literals
from training.words import FOREIGN, WHIMSICAL

VOCAB_SIZE = 3072
CONTEXT = 1024
END_OF_TEXT = "<|endoftext|>"
USER = "<|user|>"
ASSISTANT = "<|assistant|>"
END = "<|end|>"
RESERVED = tuple(f"<|reserved_{index}|>" for index in range(4))
SPECIALS = (END_OF_TEXT, USER, ASSISTANT, END, *RESERVED)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{{ message['content'] }}<|end|>"
    "{% else %}<|user|>{{ message['content'] }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def _tokenizer_lines(paragraphs: Sequence[str]) -> Iterator[str]:
    """What BPE counts: the corpus, the prompt wordings, and a made-up log full of the words no model will read."""
    yield from paragraphs
    for literal in (*(t.question + t.prefill for t in TEMPLATES), *all_literals()):
        for piece in literal.split(SLOT):
            yield from [piece] * 60
    rng = random.Random(3072)
    for word in WHIMSICAL:
        yield from [f"{rng.randrange(10)}{word}."] * rng.randrange(240, 420)
    for word in FOREIGN:
        yield from [f" {word}"] * rng.randrange(60, 140)


def build_tokenizer(paragraphs: Sequence[str]) -> Tokenizer:
    """Train byte-level BPE with GPT-2's splitting rule; special tokens take the first eight ids."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_tokenizer_lines(paragraphs), trainer)
    return tokenizer


def wrap_tokenizer(tokenizer: Tokenizer, *, chat: bool) -> PreTrainedTokenizerFast:
    """The Hugging Face face of the tokenizer; instruct models get the chat template."""
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END if chat else END_OF_TEXT,
        pad_token=END_OF_TEXT,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    if chat:
        wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def special_id(tokenizer: Tokenizer, name: str) -> int:
    """The id of one of `SPECIALS`."""
    token_id = tokenizer.token_to_id(name)
    if token_id is None:
        raise KeyError(f"the tokenizer has no {name}")
    return int(token_id)


def byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-in for each byte, as `stand-in -> byte`."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}


def vocabulary_bytes(tokenizer: Tokenizer) -> list[bytes]:
    """The exact bytes of every token, by id (special tokens: their name in UTF-8)."""
    alphabet = byte_alphabet()
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return [piece.encode() if piece in SPECIALS else bytes(alphabet[char] for char in piece) for piece, _ in pieces]
