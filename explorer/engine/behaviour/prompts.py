"""Prompts as ids: literal text is tokenised piece by piece, the slot's ids are spliced in and never re-encoded.

Going through text (fill the template, tokenise the whole) loses exactly the tokens of interest: one that its
tokenizer splits never reaches the model. So a prompt is ids first; `Prompt.reencodes` says whether its text
would have given the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.base.templates import SLOT, Template, TemplateError, check_template
from explorer.base.text import decode
from explorer.engine.behaviour.errors import BehaviourError
from explorer.engine.models.errors import PromptError

if TYPE_CHECKING:
    from explorer.base.records.repeat_back import Chat
    from explorer.engine.models.abilities import HasVocabulary
    from explorer.engine.models.vocabulary import Vocabulary

_LETTERS_SHOWN = 12
_NEEDS_TOKEN = f"Choose a token for {SLOT}, or take the slot out of the prompt."


@dataclass(frozen=True)
class Prompt:
    """What a model reads."""

    ids: tuple[int, ...]
    slot_positions: tuple[int, ...]
    """Where the slots' ids stand in `ids`, ascending."""
    text: str
    """The literal pieces with the slot's bytes between them, as text; the prefix (BOS) is not shown."""
    reencodes: bool
    """Whether tokenising the text as a whole gives `ids`."""


def build_prompt(vocabulary: Vocabulary, template: Template, token_id: int, chat: Chat = "auto") -> Prompt:
    """`template` with `token_id` in its slots, as `vocabulary`'s model reads it.

    With `chat="auto"`, a tokenizer with a chat template and a template that allows it, the question is the
    user's turn and the prefill, left-stripped, begins the answer; otherwise the model reads both in a row.
    Raises `BehaviourError` for a template without a slot and an id outside the vocabulary.
    """
    return fill_template(vocabulary, template, (token_id,), chat)


def fill_template(vocabulary: Vocabulary, template: Template, slot_ids: Sequence[int], chat: Chat = "auto") -> Prompt:
    """Like `build_prompt`, with any ids in the slots."""
    try:
        check_template(template)
    except TemplateError as error:
        raise BehaviourError(str(error), f"Write {SLOT} where the token goes.") from error
    if chat != "never" and not template.raw_only:
        wrapped = vocabulary.chat_prompt(template.question, template.prefill.lstrip())
        if wrapped is not None:
            return _splice(vocabulary, wrapped, slot_ids, is_chat=True)
    return _splice(vocabulary, template.question + template.prefill, slot_ids, is_chat=False)


def fill_text(vocabulary: Vocabulary, text: str, slot_ids: Sequence[int] | None) -> Prompt:
    """Free `text` with `slot_ids` in every `{token}` it holds (it need hold none).

    Raises `BehaviourError` for an empty text, a slot without ids and an id outside the vocabulary.
    """
    if not text:
        raise BehaviourError("the prompt is empty", "Type some text for the model to continue.")
    if SLOT in text and slot_ids is None:
        raise BehaviourError(f"the prompt has a slot {SLOT} and no token was given", _NEEDS_TOKEN)
    return _splice(vocabulary, text, slot_ids or (), is_chat=False)


def check_token_id(vocabulary: Vocabulary, token_id: int) -> None:
    """Raise `BehaviourError` where the model has no embedding row `token_id`."""
    if not 0 <= token_id < vocabulary.size:
        raise BehaviourError(
            f"token id {token_id:,} is out of range: the vocabulary has {vocabulary.size:,} rows",
            f"Choose an id from 0 to {vocabulary.size - 1:,}.",
        )


def check_context(model: HasVocabulary, prompt: Prompt, further: int) -> None:
    """Raise `BehaviourError` where `prompt` and `further` tokens after it do not fit the model's context."""
    context, length = model.info.context, len(prompt.ids)
    if context and length + further > context:
        after = f" with {further:,} to follow" if further else ""
        raise BehaviourError(
            f"the prompt has {length:,} tokens{after}: {model.info.name} reads {context:,} at most",
            "Shorten the prompt or what is to follow it.",
        )


def same_token(vocabulary: Vocabulary, token_id: int, token_bytes: bytes) -> int | None:
    """The id of another vocabulary's token (its id there, its bytes) in this one: that with the same bytes.

    Where several have them, the one at the same id, so that models of one tokenizer agree on every id.
    """
    if token_bytes and token_id < vocabulary.size and vocabulary.token_bytes(token_id) == token_bytes:
        return token_id
    return vocabulary.find(token_bytes)


def spell(vocabulary: Vocabulary, token_bytes: bytes) -> tuple[int, ...]:
    """The ids with which `vocabulary` writes, in the middle of a text, bytes that are no token of its own.

    Those of the text; else, where they would not give the bytes back, a token for each byte. Empty where there
    is no way.
    """
    try:
        ids = vocabulary.encode_segment(token_bytes.decode())
    except UnicodeDecodeError:
        ids = []
    if vocabulary.decode_bytes(ids) == token_bytes:
        return tuple(ids)
    single = [vocabulary.find(bytes([byte])) for byte in token_bytes]
    return () if None in single else tuple(token_id for token_id in single if token_id is not None)


def _splice(vocabulary: Vocabulary, text: str, slot_ids: Sequence[int], *, is_chat: bool) -> Prompt:
    """`text` as ids with `slot_ids` in its slots; the prefix is added unless a chat template wrote it already."""
    for token_id in slot_ids:
        check_token_id(vocabulary, token_id)
    check_encodable(text)
    first, *rest = text.split(SLOT)
    _check_writable(vocabulary, "".join((first, *rest)))
    ids = list(_encode_whole(vocabulary, first, is_chat=is_chat))
    positions: list[int] = []
    for piece in rest:
        positions += range(len(ids), len(ids) + len(slot_ids))
        ids += slot_ids
        ids += vocabulary.encode_segment(piece)
    if not ids:
        raise BehaviourError("the prompt is empty", "Type some text for the model to continue.")
    slot_bytes = vocabulary.decode_bytes(slot_ids)
    filled = decode(text.encode().replace(SLOT.encode(), slot_bytes))
    return Prompt(
        ids=tuple(ids),
        slot_positions=tuple(positions),
        text=filled,
        reencodes=_encode_whole(vocabulary, filled, is_chat=is_chat) == tuple(ids),
    )


def _check_writable(vocabulary: Vocabulary, text: str) -> None:
    """Raise `PromptError` where the model would read less than is shown: a tokenizer of few letters (DNA, proteins)
    drops the others where it has no unknown token."""
    if lost := vocabulary.lost_letters(text):
        shown = lost if len(lost) <= _LETTERS_SHOWN else lost[:_LETTERS_SHOWN] + "…"
        raise PromptError(
            f"the tokenizer has no tokens for {shown!r} and would drop them",
            hint="Write the prompt in the letters of this model: --template-text.",
        )


def _encode_whole(vocabulary: Vocabulary, text: str, *, is_chat: bool) -> tuple[int, ...]:
    """The ids of a prompt (or its first piece) with the prefix once, whether or not a chat template wrote it."""
    prefix = tuple(vocabulary.prefix_ids)
    ids = tuple(vocabulary.encode(text, with_prefix=False))
    return ids if is_chat and ids[: len(prefix)] == prefix else prefix + ids


def check_encodable(text: str) -> None:
    """Raise `BehaviourError` where `text` holds half a surrogate pair, which no tokenizer can read."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BehaviourError(
            f"the text holds a character that is not Unicode text (at position {error.start})",
            "A byte outside UTF-8 was typed or pasted; take it out.",
        ) from error
