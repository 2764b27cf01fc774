"""Classes of replies: general rules, checked on ordinary tokens, on hostile ones and on random ones."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from explorer.base.records.repeat_back import ReplyClass
from explorer.base.reply_classes import Subject, classify, continues_repeats, core, is_closed, loop_period
from explorer.base.templates import Template, find_template
from tests.behaviour.behaviour_fakes import FakeVocabulary

OPEN = find_template("repeat-1")
QUOTED = find_template("string-is")
SHOTS = find_template("magikarp-20-shot")
ROW = find_template("magikarp-repeats")
V = FakeVocabulary(
    words=(" Foo", "Foo", " foo", " Solid", "Solid", " S", "sol", "don't", "''", "'''", "日本", " dog", "U.S.A")
)


def subject_of(token: str | bytes | int) -> Subject:
    token_id = token if isinstance(token, int) else V.id_of(token)
    return Subject(token_id, V.token_bytes(token_id), token_id in V.special_ids)


def class_of(reply: str | list[str | bytes | int], token: str | bytes | int, template: Template = OPEN) -> ReplyClass:
    """The class of a reply, given as text (tokenised here) or token by token."""
    if isinstance(reply, str):
        ids = V.encode_segment(reply)
    else:
        ids = [part if isinstance(part, int) else V.id_of(part) for part in reply]
    return classify(ids, V.decode_bytes(ids), subject_of(token), template)


@pytest.mark.parametrize(
    ("reply", "token", "wanted"),
    [
        ("Foo", "Foo", "exact"),
        (" 'Foo'.", "Foo", "exact"),
        ("\n\n« Foo»!", " Foo", "exact"),
        ("“Foo”", "Foo", "exact"),
        ("The string is 'Foo'.", "Foo", "contains"),
        ("a Foo b", " Foo", "contains"),
        ("Food", "Foo", "contains"),  # the id itself was said
        ("xFo od", "Foo", "other"),
        ("foo", " Foo", "variant"),
        ("FOO!", "Foo", "variant"),
        ("Foo", " Foo", "variant"),
        ("'dont'", "don't", "variant"),
        ("S-o-l-i-d", "Solid", "spelled"),
        ("It is S, O, L, I, D.", " Solid", "spelled"),
        ("'S' 'o' 'l' 'i' 'd'", " Solid", "spelled"),
        ("S-o-l-i", "Solid", "other"),
        ("u.s.a", "U.S.A", "variant"),
        ("", "Foo", "empty"),
        (" \n''", "Foo", "empty"),
        ("no no no no", "Foo", "loops"),
        ("I am a bat", "Foo", "other"),
        ("日本", "日本", "exact"),
        ("「日本」。", "日本", "exact"),
    ],
)
def test_plain_replies(reply: str, token: str, wanted: ReplyClass) -> None:
    assert class_of(reply, token) == wanted


@pytest.mark.parametrize(
    ("reply", "token", "wanted"),
    [
        (["'"], "'", "exact"),
        (["'", "'", "'"], "'", "exact"),  # the quotation mark, quoted
        (["'", "'"], "'", "contains"),
        (["'''"], "'", "empty"),  # other ids than the token's
        ([" ", "'", "."], "'", "exact"),
        ([" "], " ", "exact"),
        (["\n"], " ", "empty"),
        (["."], ".", "exact"),
        (["a", "."], ".", "contains"),
        (["a", "b"], ".", "other"),
        (["."], "!", "other"),
        ([b"\xe4"], b"\xe4", "exact"),
        (["'", b"\xe4", "'"], b"\xe4", "exact"),
        (["日本"], b"\xe6", "other"),  # the byte stands in it, the token does not
        ([b"\xe4", b"\xb8"], b"\xe4", "contains"),
        ([b"\xe4", b"\xb8"], b"\xe4\xb8", "variant"),  # its bytes, in other tokens
        ([b"\x08"], b"\x08", "exact"),
        ([b"\x08", "x"], b"\x08", "contains"),
        ([0], 0, "exact"),
        (["<", "s", ">"], 0, "variant"),  # the name of a special token is not the token
        (["a", 0, "b"], 0, "contains"),
        ([V.size - 1], V.size - 1, "exact"),
        (["a"], V.size - 1, "other"),
        ([], V.size - 1, "empty"),
    ],
)
def test_the_ids_decide_for_tokens_that_say_nothing_by_themselves(
    reply: list[str | bytes | int], token: str | bytes | int, wanted: ReplyClass
) -> None:
    assert class_of(reply, token) == wanted


def test_two_letters_apart_spell_nothing() -> None:
    im = Subject(999, b" Im")
    assert classify(V.encode_segment("I'm sorry"), b"I'm sorry", im, OPEN) == "other"


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        (["Foo"], "exact"),
        (["Foo", "'", "."], "exact"),
        (["Foo", "d"], "contains"),
        ([" Foo", "'"], "contains"),
        (["F", "o", "o", "'"], "contains"),
        (["'", "Foo", "'"], "contains"),
        ([" foo", "'"], "variant"),
        (["'"], "empty"),
    ],
)
def test_a_begun_answer_must_go_on_with_the_very_token_and_the_closing(reply: list[str], wanted: ReplyClass) -> None:
    assert class_of([*reply], "Foo", QUOTED) == wanted


def test_a_begun_answer_with_a_quotation_mark_as_the_token() -> None:
    assert class_of(["'", "'"], "'", QUOTED) == "exact"
    assert class_of(["''"], "'", QUOTED) == "empty"


def test_a_row_of_the_token_must_go_on_with_nothing_else() -> None:
    assert continues_repeats(ROW)
    assert not any(map(continues_repeats, (OPEN, QUOTED, SHOTS)))
    assert class_of([" dog", " dog", " dog"], " dog", ROW) == "exact"
    assert class_of([" dog", " dog", "."], " dog", ROW) == "contains"
    assert class_of([" ", " "], " ", ROW) == "exact"


def test_the_shots_are_exact_with_anything_after_the_closing() -> None:
    assert class_of("Foo»\n", "Foo", SHOTS) == "exact"
    assert class_of(" Foo»\n", "Foo", SHOTS) == "contains"


@pytest.mark.parametrize(
    ("ids", "period"),
    [([1, 1, 1], 1), ([1, 1], None), ([9, 1, 2, 1, 2, 1, 2], 2), ([1, 2, 1, 2, 1, 2, 3], None), ([], None)],
)
def test_loops(ids: list[int], period: int | None) -> None:
    assert loop_period(ids) == period


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), min_size=1, max_size=8), st.integers(3, 5))
def test_a_stretch_said_thrice_to_the_end_is_a_loop(before: list[int], stretch: list[int], times: int) -> None:
    period = loop_period(before + stretch * times)
    assert period is not None
    assert period <= len(stretch)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(0, 2), max_size=30), st.integers(0, 20))
def test_a_loop_covers_what_it_must(ids: list[int], least: int) -> None:
    period = loop_period(ids, least=least)
    if period is not None:
        times = max(3, -(-least // period))
        assert ids[-period * times :] == ids[-period:] * times
        assert period * times >= least
    elif least == 0:
        assert all(ids[-3 * p :] != ids[-p:] * 3 for p in range(1, 9) if 3 * p <= len(ids))


def closed(reply: list[str], token: str, closing: str = "'") -> bool:
    ids = [V.id_of(part) for part in reply]
    return is_closed(ids, V.decode_bytes(ids), subject_of(token), closing)


def test_the_closing_ends_a_reply_only_after_something_was_said() -> None:
    assert not closed(["Foo"], "Foo")
    assert closed(["Foo", "'"], "Foo")
    assert closed(["x", "'"], "Foo")
    assert not closed(["'"], "Foo"), "nothing was said yet"
    assert not closed(["'"], "'"), "that is the token itself"
    assert closed(["'", "'"], "'")
    assert not closed(["don't"], "don't")
    assert not closed(["d", "o", "n", "'"], "don't"), "still on the way to the token"
    assert closed(["d", "o", "n", "'", "x"], "don't")
    assert not closed(["Foo", "'"], "Foo", closing="")


TOKENS = st.integers(0, V.size - 1)
REPLIES = st.lists(TOKENS, max_size=12)
TEMPLATES_USED = st.sampled_from([OPEN, QUOTED, SHOTS, ROW])


@settings(deadline=None)  # the machine may be busy
@given(REPLIES, TOKENS, TEMPLATES_USED)
def test_every_reply_has_one_class_and_saying_the_id_counts(ids: list[int], token: int, template: Template) -> None:
    outcome = classify(ids, V.decode_bytes(ids), subject_of(token), template)
    assert outcome in get_args(ReplyClass)
    if token in ids:
        assert outcome in ("exact", "contains")
    if outcome == "exact" and not subject_of(token).core:
        assert token in ids


@settings(deadline=None)  # the machine may be busy
@given(TOKENS, TEMPLATES_USED)
def test_the_token_alone_is_exact_whatever_it_is(token: int, template: Template) -> None:
    assert classify([token], V.token_bytes(token), subject_of(token), template) == "exact"


@settings(deadline=None)  # the machine may be busy
@given(TOKENS, st.sampled_from(["'", '"', " ", "\n", "."]))
def test_wrapping_an_exact_reply_keeps_it_exact(token: int, wrapper: str) -> None:
    wrap = V.id_of(wrapper)
    assume(token != wrap)
    ids = [token, wrap] if wrapper == "." else [wrap, token, wrap]
    assert classify(ids, V.decode_bytes(ids), subject_of(token), OPEN) == "exact"


@settings(deadline=None)  # the machine may be busy
@given(st.text(min_size=1, max_size=8))
def test_upper_case_and_punctuation_make_a_variant_at_most(word: str) -> None:
    subject = Subject(10_000, word.encode())
    assume(subject.core)
    shouted = f"- {word.upper()} -"
    assume(core(shouted) == subject.core)
    assert classify(V.encode_segment(shouted), shouted.encode(), subject, OPEN) in ("variant", "contains")


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet="abcdefgh", min_size=3, max_size=10), st.sampled_from(["-", " ", ", ", ". "]))
def test_letters_set_apart_are_spelled(word: str, separator: str) -> None:
    reply = separator.join(word)
    ids = list(range(5000, 5000 + len(reply)))
    assert classify(ids, reply.encode(), Subject(10_000, word.encode()), OPEN) == "spelled"
