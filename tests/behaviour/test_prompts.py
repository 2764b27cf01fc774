"""Prompts: ids go in as ids, literal text piece by piece."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.base.templates import SLOT, TEMPLATES, Template
from explorer.engine.behaviour.errors import BehaviourError
from explorer.engine.behaviour.prompts import build_prompt, fill_text, same_token, spell
from explorer.engine.models.vocabulary import Vocabulary
from tests.behaviour.behaviour_fakes import ASSISTANT, BOS, USER, FakeVocabulary

FAKE = FakeVocabulary()
PLAIN = cast(Vocabulary, FAKE)
CHAT = cast(Vocabulary, FakeVocabulary(chat=True))
QUOTED = Template(name="quoted", question="Say '{token}' again.", prefill="\n\nIt is '", closing="'")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
@pytest.mark.parametrize("vocabulary", [PLAIN, CHAT], ids=["base", "chat"])
def test_every_slot_holds_the_very_id(vocabulary: Vocabulary, template: Template) -> None:
    for token_id in (0, 1, 5, 200, FAKE.id_of(" Glitch"), FAKE.size - 1):
        prompt = build_prompt(vocabulary, template, token_id)
        assert len(prompt.slot_positions) == (template.question + template.prefill).count(SLOT)
        assert {prompt.ids[place] for place in prompt.slot_positions} == {token_id}


def test_literal_text_is_tokenised_piece_by_piece_and_the_prefix_stands_once() -> None:
    glitch = FAKE.id_of(" Glitch")
    prompt = build_prompt(PLAIN, QUOTED, glitch)
    before, after = FAKE.encode_segment("Say '"), FAKE.encode_segment("' again.\n\nIt is '")
    assert prompt.ids == (BOS, *before, glitch, *after)
    assert prompt.slot_positions == (1 + len(before),)
    assert prompt.text == "Say ' Glitch' again.\n\nIt is '"


def test_a_slot_at_the_very_start_follows_the_prefix() -> None:
    foo = FAKE.id_of(" Foo")
    assert fill_text(PLAIN, "{token}{token}", (foo,)).ids == (BOS, foo, foo)
    assert fill_text(PLAIN, "{token}{token}", (foo,)).slot_positions == (1, 2)


def test_a_chat_prompt_has_one_prefix_the_users_turn_and_the_stripped_prefill() -> None:
    foo = FAKE.id_of(" Foo")
    prompt = build_prompt(CHAT, QUOTED, foo)
    question = (*FAKE.encode_segment("Say '"), foo, *FAKE.encode_segment("' again."))
    assert prompt.ids == (BOS, USER, *question, ASSISTANT, *FAKE.encode_segment("It is '"))


@pytest.mark.parametrize("chat", ["auto", "never"])
def test_a_raw_template_and_a_plain_wish_bypass_the_chat_template(chat: str) -> None:
    raw = Template(name="raw", question="Say {token}", raw_only=True)
    assert USER not in build_prompt(CHAT, raw, 7, chat=chat).ids  # type: ignore[arg-type]
    assert USER not in build_prompt(CHAT, QUOTED, 7, chat="never").ids


def test_a_chat_template_without_a_prefix_gets_one() -> None:
    class Bare(FakeVocabulary):
        def chat_prompt(self, question: str, prefill: str = "") -> str | None:
            return f"<|user|>{question}<|assistant|>{prefill}"

    assert build_prompt(cast(Vocabulary, Bare()), QUOTED, 7).ids[:2] == (BOS, USER)


def test_reencodes_tells_a_spliced_id_from_one_its_text_would_give() -> None:
    assert build_prompt(PLAIN, QUOTED, FAKE.id_of(" Foo")).reencodes
    assert not build_prompt(PLAIN, QUOTED, FAKE.id_of(" Glitch")).reencodes
    assert not build_prompt(PLAIN, QUOTED, FAKE.id_of(b"\xe4")).reencodes
    assert not build_prompt(PLAIN, QUOTED, FAKE.size - 1).reencodes, "a padding row has no text"
    assert not fill_text(PLAIN, "a{token}", (FAKE.id_of("b"),)).reencodes, "'ab' is one token"
    assert build_prompt(CHAT, QUOTED, FAKE.id_of(" Foo")).reencodes


@settings(deadline=None)  # the machine may be busy
@given(text=st.text(alphabet="abF o'{}.ø中", max_size=30), token_id=st.integers(0, FAKE.size - 1))
def test_a_prompts_bytes_are_its_texts_bytes_with_the_tokens_in_place(text: str, token_id: int) -> None:
    prompt = fill_text(PLAIN, "x" + text + "{token}" + text, (token_id,))
    wanted = b"x" + text.encode() + FAKE.token_bytes(token_id) + text.encode()
    assert FAKE.decode_bytes(prompt.ids[1:]) == wanted
    assert prompt.text == wanted.decode("utf-8", "replace")


def test_a_slot_can_take_several_ids() -> None:
    prompt = fill_text(PLAIN, "{token}.{token}", (10, 11))
    assert prompt.ids == (BOS, 10, 11, FAKE.id_of("."), 10, 11)
    assert prompt.slot_positions == (1, 2, 4, 5)


@pytest.mark.parametrize(
    ("text", "token_id", "said"),
    [
        ("", 5, "the prompt is empty"),
        ("say {token}", None, "has a slot"),
        ("say {token}", -1, "out of range"),
        ("say {token}", FAKE.size, "out of range"),
        ("bad \udcff byte", None, "not Unicode"),
    ],
)
def test_a_free_prompt_that_makes_no_sense_is_refused(text: str, token_id: int | None, said: str) -> None:
    with pytest.raises(BehaviourError, match=said) as caught:
        fill_text(PLAIN, text, None if token_id is None else (token_id,))
    assert caught.value.hint


def test_a_template_without_a_slot_is_refused() -> None:
    with pytest.raises(BehaviourError, match="no slot"):
        build_prompt(PLAIN, Template(name="none", question="Hello"), 5)


def test_spelling_another_vocabularys_bytes() -> None:
    assert spell(PLAIN, b" Food") == (FAKE.id_of(" Foo"), FAKE.id_of("d"))
    assert spell(PLAIN, b"\xe4\xb8\xad") == tuple(FAKE.id_of(bytes([byte])) for byte in b"\xe4\xb8\xad")
    assert spell(PLAIN, b"\xff\xe4") == (FAKE.id_of(b"\xff"), FAKE.id_of(b"\xe4"))
    assert spell(PLAIN, b"") == ()


def test_the_same_id_is_the_same_token_where_two_have_its_bytes() -> None:
    doubled = FakeVocabulary(words=("ab", "ab"))
    second = doubled.id_of("ab")
    assert doubled.find(b"ab") != second
    assert same_token(cast(Vocabulary, doubled), second, b"ab") == second
    assert same_token(cast(Vocabulary, doubled), 9, b"ab") == doubled.find(b"ab")
    assert same_token(cast(Vocabulary, doubled), doubled.size - 1, b"") is None
