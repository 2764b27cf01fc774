"""Repeat-back: what streams, when replies stop, what is counted, and what is left on cancellation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from explorer.base.errors import UsageError
from explorer.base.records.record import Progress
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, Reply, ReplyPart
from explorer.base.records.unions import Cancelled
from explorer.base.shares import wilson_interval
from explorer.base.templates import Template
from explorer.engine.answers.repeat_back import repeat_back
from explorer.engine.behaviour import batching
from explorer.engine.behaviour.errors import BehaviourError
from tests.behaviour.behaviour_fakes import (
    EOS,
    FakeModel,
    FakeVocabulary,
    cancel_at,
    copies_slot,
    one_hot,
    random_rule,
    run_through,
    says,
)

V = FakeVocabulary()
FOO, THE, QUOTE, GLITCH = V.id_of(" Foo"), V.id_of(" the"), V.id_of("'"), V.id_of(" Glitch")
ASK = Template(name="ask", question="Say '{token}'", max_new_tokens=8)
BEGUN = Template(name="begun", question="Say '{token}'", prefill="\nIt is '", closing="'", window=1)
SLOT_AT = 1 + len(V.encode_segment("Say '"))


def request(token_id: int = FOO, template: Template = ASK, **fields: Any) -> RepeatBack:
    return RepeatBack(model="fake", token_id=token_id, template=template, **fields)


def ask(model: FakeModel, asked: RepeatBack) -> RepeatBackResult:
    _, result = run_through(repeat_back(model, asked))
    assert isinstance(result, RepeatBackResult)
    return result


def only_reply(model: FakeModel, asked: RepeatBack) -> Reply:
    (reply,) = ask(model, asked).probe.replies
    return reply


# ── what a reply is ───────────────────────────────────────────────────────────────────────────────────────


def test_a_model_that_copies_the_slot_is_exact_and_one_that_cannot_see_it_is_not() -> None:
    model = FakeModel(V, copies_slot(V, SLOT_AT, blind_to=frozenset({GLITCH})))
    exact = ask(model, request(FOO)).probe
    assert (exact.exact, exact.replies[0].outcome, exact.replies[0].reply_ids) == (1, "exact", (FOO,))
    assert exact.interval == wilson_interval(1, 1)
    assert not exact.replies[0].logprobs[0] < -0.001
    glitch = ask(model, request(GLITCH)).probe
    assert (glitch.exact, glitch.replies[0].outcome, glitch.replies[0].reply) == (0, "other", " the")
    assert glitch.prompt_ids[glitch.slot_positions[0]] == GLITCH
    assert not glitch.reencodes


def test_parts_stream_each_token_before_the_next_is_computed() -> None:
    model = FakeModel(V, says(V, THE, FOO, THE))
    generator = repeat_back(model, request())
    for expected, pushes in ((THE, 0), (FOO, 1), (THE, 2)):
        part = next(generator)
        assert isinstance(part, ReplyPart)
        assert (part.token_id, model.pushes) == (expected, pushes)
        assert (part.subject, part.sample) == (FOO, 0)


def test_the_parts_of_a_reply_make_up_the_reply_even_where_characters_span_tokens() -> None:
    spoken = [*(V.id_of(bytes([byte])) for byte in "né中".encode()), V.id_of(b"\xe4")]
    parts, result = run_through(repeat_back(FakeModel(V, says(V, *spoken)), request()))
    texts = [part.text for part in parts if isinstance(part, ReplyPart)]
    assert texts == ["n", "", "é", "", "", "中", ""]
    assert result.probe.replies[0].reply == "né中\ufffd"
    cut, result = run_through(repeat_back(FakeModel(V, says(V, *spoken)), request(max_new_tokens=7)))
    assert "".join(part.text for part in cut if isinstance(part, ReplyPart)) == result.probe.replies[0].reply


@pytest.mark.parametrize(
    ("spoken", "template", "finish", "ids"),
    [
        ([THE, FOO], ASK, "eos", (THE, FOO)),
        ([], ASK, "eos", ()),
        ([THE, FOO] * 3 + [THE], ASK, "length", ([THE, FOO] * 4)[:7]),
        ([FOO, QUOTE, THE], BEGUN, "closing", (FOO, QUOTE)),
        ([QUOTE, THE, QUOTE, THE], BEGUN, "closing", (QUOTE, THE, QUOTE)),
        ([THE] * 40, BEGUN, "loop", (THE,) * 12),
        ([THE, FOO, FOO] * 40, BEGUN, "loop", (THE, FOO, FOO) * 4),
    ],
)
def test_what_stops_a_reply(spoken: list[int], template: Template, finish: str, ids: tuple[int, ...]) -> None:
    limit = 7 if template is ASK else 30
    reply = only_reply(FakeModel(V, says(V, *spoken)), request(template=template, max_new_tokens=limit))
    assert (reply.finish, reply.reply_ids) == (finish, tuple(ids))
    assert len(reply.logprobs) == len(ids)


def test_a_quotation_mark_as_the_token_is_not_taken_for_the_closing() -> None:
    model = FakeModel(V, says(V, QUOTE, QUOTE, THE))
    reply = only_reply(model, request(QUOTE, BEGUN))
    assert (reply.outcome, reply.finish, reply.reply_ids) == ("exact", "closing", (QUOTE, QUOTE))


def test_end_of_text_is_no_part_of_a_reply_even_as_the_subject() -> None:
    reply = only_reply(FakeModel(V, says(V, EOS)), request(EOS))
    assert (reply.reply_ids, reply.outcome, reply.finish) == ((), "empty", "eos")
    assert reply.token_position == 0
    assert reply.token_rank == 0


# ── the token's own probability ───────────────────────────────────────────────────────────────────────────


def step_rule(*shares: float) -> FakeModel:
    """At reply position i the subject FOO has probability `shares[i]`; the rest goes to THE."""

    def rule(row: tuple[int, ...], prompt_length: int) -> torch.Tensor:
        share = shares[min(len(row) - prompt_length, len(shares) - 1)]
        probabilities = torch.zeros(V.size)
        probabilities[FOO], probabilities[THE] = share, 1 - share
        return probabilities.log()

    return FakeModel(V, rule)


@pytest.mark.parametrize(
    ("window", "logprob", "position"), [(1, 0.1, 0), (2, 0.3, 1), (3, 0.3, 1), (4, 0.4, 3), (0, 0.45, 4)]
)
def test_the_tokens_logprob_is_its_greatest_within_the_window(window: int, logprob: float, position: int) -> None:
    template = Template(name="w", question="{token}", window=window, max_new_tokens=5)
    reply = only_reply(step_rule(0.1, 0.3, 0.2, 0.4, 0.45), request(template=template))
    assert reply.token_logprob == pytest.approx(math.log(logprob), abs=1e-6)
    assert (reply.token_position, reply.token_rank) == (position, 1)
    assert reply.logprobs == pytest.approx([math.log(1 - share) for share in (0.1, 0.3, 0.2, 0.4, 0.45)], abs=1e-6)


def test_rank_counts_the_better_tokens_and_an_impossible_token_has_minus_infinity() -> None:
    assert only_reply(step_rule(0.9), request()).token_rank == 0
    impossible = only_reply(step_rule(0.0), request(V.id_of(" cat")))
    assert impossible.token_logprob == -math.inf
    assert impossible.token_rank == 1, "only THE is possible; equals share a rank"


# ── samples ───────────────────────────────────────────────────────────────────────────────────────────────


def test_greedy_gives_one_reply_however_many_are_asked_for() -> None:
    model = FakeModel(V, random_rule(V))
    assert len(ask(model, request(samples=5)).probe.replies) == 1
    assert model.batches == [1]


def test_a_seed_reproduces_and_another_does_not() -> None:
    def replies(seed: int) -> tuple[Reply, ...]:
        return ask(FakeModel(V, random_rule(V)), request(samples=6, temperature=1.0, seed=seed)).probe.replies

    assert replies(7) == replies(7)
    assert replies(7) != replies(8)
    assert len({reply.reply_ids for reply in replies(7)}) == 6


def test_a_sample_depends_neither_on_how_many_there_are_nor_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    many = ask(FakeModel(V, random_rule(V)), request(samples=9, temperature=0.8, top_p=0.9)).probe.replies
    few = ask(FakeModel(V, random_rule(V)), request(samples=3, temperature=0.8, top_p=0.9)).probe.replies
    assert many[:3] == few
    monkeypatch.setattr(batching, "MOST_ROWS", 2)
    model = FakeModel(V, random_rule(V))
    assert ask(model, request(samples=9, temperature=0.8, top_p=0.9)).probe.replies == many
    assert model.batches == [2, 2, 2, 2, 1]


def test_a_thousand_samples_run_in_bounded_batches_with_progress() -> None:
    model = FakeModel(V, says(V, FOO))
    parts, result = run_through(repeat_back(model, request(samples=1000, temperature=0.5)))
    assert max(model.batches) == batching.MOST_ROWS
    assert [part.done for part in parts if isinstance(part, Progress)][-1] == 1000
    assert [reply.sample for reply in result.probe.replies] == list(range(1000))
    assert result.probe.interval == wilson_interval(result.probe.exact, 1000)
    assert result.probe.exact == 1000


def test_long_prompts_make_small_batches() -> None:
    assert batching.rows_at_once(10) == batching.MOST_ROWS
    assert batching.rows_at_once(batching.MOST_POSITIONS // 3) == 3
    assert batching.rows_at_once(10**9) == 1


def test_a_finished_sample_is_reported_no_more() -> None:
    """Half of the samples end at once, the others go on for long: each part belongs to a reply's ids."""

    def rule(row: tuple[int, ...], prompt_length: int) -> torch.Tensor:
        logits = torch.full((V.size,), -math.inf)
        logits[[EOS, THE, FOO] if len(row) == prompt_length else [THE, FOO]] = 0.0
        return logits

    parts, result = run_through(repeat_back(FakeModel(V, rule), request(samples=12, temperature=1.0)))
    assert {reply.finish for reply in result.probe.replies} == {"eos", "length"}
    for reply in result.probe.replies:
        streamed = [part.token_id for part in parts if isinstance(part, ReplyPart) and part.sample == reply.sample]
        assert tuple(streamed) == reply.reply_ids


# ── controls ──────────────────────────────────────────────────────────────────────────────────────────────


def test_controls_are_ordinary_tokens_of_like_shape_asked_the_same() -> None:
    result = ask(FakeModel(V, copies_slot(V, SLOT_AT, blind_to=frozenset({FOO}))), request(controls=3, seed=3))
    assert result.probe.exact == 0
    assert [probe.exact for probe in result.controls] == [1, 1, 1]
    ids = [probe.token.token_id for probe in result.controls]
    assert len(set(ids)) == 3
    assert set(ids) <= {V.id_of(word) for word in (" the", " cat", " dog", " sun", " sky")}
    for probe in result.controls:
        assert probe.prompt_ids[SLOT_AT] == probe.token.token_id
        assert probe.prompt_ids[:SLOT_AT] == result.probe.prompt_ids[:SLOT_AT]


def test_controls_follow_the_seed_and_stop_where_the_vocabulary_does() -> None:
    def ids(seed: int, count: int) -> list[int]:
        result = ask(FakeModel(V, says(V, FOO)), request(controls=count, seed=seed))
        return [probe.token.token_id for probe in result.controls]

    assert ids(1, 3) == ids(1, 3)
    assert len({tuple(ids(seed, 3)) for seed in range(8)}) > 1
    everything = ids(1, 500)
    words = (" Foo", "Foo", " the", " cat", " dog", " sun", " sky", "cat", "dog", "ab")
    assert set(everything) == {V.id_of(word) for word in words} - {FOO}, "never punctuation alone, as '' is"


def test_controls_run_in_one_batch_with_a_reply_per_sample() -> None:
    model = FakeModel(V, random_rule(V))
    result = ask(model, request(controls=4, samples=3, temperature=1.0))
    assert model.batches == [15]
    assert [len(probe.replies) for probe in result.controls] == [3] * 4
    alone = ask(FakeModel(V, random_rule(V)), request(samples=3, temperature=1.0))
    assert result.probe == alone.probe


# ── cancellation ──────────────────────────────────────────────────────────────────────────────────────────


def test_cancelling_before_any_call_of_the_model_returns_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MOST_ROWS", 4)
    asked = request(samples=3, temperature=1.0, controls=1, max_new_tokens=5)
    whole_model = FakeModel(V, random_rule(V))
    whole = ask(whole_model, asked)
    for call in range(whole_model.calls):
        model = FakeModel(V, random_rule(V))
        parts, stopped = run_through(repeat_back(model, asked, cancel_at(call)))
        assert model.calls == call, "nothing runs once the flag is up"
        assert isinstance(stopped, Cancelled)
        assert isinstance(stopped.partial, RepeatBackResult)
        check_partial(stopped.partial, whole, parts)
    _, finished = run_through(repeat_back(FakeModel(V, random_rule(V)), asked, cancel_at(whole_model.calls)))
    assert finished == whole


def check_partial(partial: RepeatBackResult, whole: RepeatBackResult, parts: list[Any]) -> None:
    """What was streamed, and only that, is in the partial result; finished replies are as in the whole one."""
    assert partial.probe.prompt_ids == whole.probe.prompt_ids
    streamed = [part.token_id for part in parts if isinstance(part, ReplyPart)]
    kept = 0
    for probe, full in zip((partial.probe, *partial.controls), (whole.probe, *whole.controls), strict=True):
        for reply, complete in zip(probe.replies, full.replies, strict=False):
            kept += len(reply.reply_ids)
            if reply.finish == "cancelled":
                assert reply.reply_ids == complete.reply_ids[: len(reply.reply_ids)]
                assert reply.outcome != "exact"
            else:
                assert reply == complete
    assert kept == len(streamed)


def test_an_unfinished_reply_is_never_counted() -> None:
    long_template = Template(name="b", question="Say '{token}'", prefill=" '", closing="'", max_new_tokens=9)
    _, stopped = run_through(
        repeat_back(FakeModel(V, says(V, FOO, QUOTE)), request(template=long_template), cancel_at(1))
    )
    (reply,) = stopped.partial.probe.replies
    assert (reply.reply_ids, reply.finish, reply.outcome) == ((FOO,), "cancelled", "contains")
    assert (stopped.partial.probe.exact, stopped.partial.probe.interval) == (0, (0.0, 1.0))
    assert reply.token_position == 0


def test_closing_the_generator_stops_the_model() -> None:
    model = FakeModel(V, random_rule(V))
    generator = repeat_back(model, request())
    next(generator)
    calls = model.calls
    generator.close()
    assert model.calls == calls


# ── requests that make no sense ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"samples": 0}, "0 samples"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"top_p": 0.0}, "top-p"),
        ({"top_p": 1.1}, "top-p"),
        ({"top_p": math.nan}, "top-p"),
        ({"max_new_tokens": 0}, "reply of 0"),
        ({"controls": -1}, "controls"),
        ({"token_id": -1}, "out of range"),
        ({"token_id": V.size}, "out of range"),
        ({"template": Template(name="x", question="no slot here")}, "no slot"),
        ({"max_new_tokens": 100}, "100 to follow"),
        ({"template": Template(name="x", question="{token}" * 70)}, "71 tokens"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_before_the_model_runs(fields: dict[str, Any], said: str) -> None:
    model = FakeModel(V, random_rule(V), context=64)
    with pytest.raises((BehaviourError, UsageError), match=said) as caught:
        next(repeat_back(model, request(**fields)))
    assert caught.value.hint
    assert model.calls == 0


def test_a_reply_may_fill_the_context_to_its_end() -> None:
    length = len(V.encode("Say '")) + 1 + 1
    model = FakeModel(V, lambda row, n: one_hot(V.size, THE if len(row) % 2 else FOO), context=length + 8)
    assert only_reply(model, request(max_new_tokens=8)).finish == "length"
    with pytest.raises(BehaviourError, match="9 to follow"):
        only_reply(model, request(max_new_tokens=9))
