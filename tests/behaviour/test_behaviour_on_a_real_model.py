"""The same code on a real transformer (stories260K: Llama, SentencePiece-style with byte fallback)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, ReplyPart
from explorer.base.records.tokens import CATEGORIES
from explorer.base.records.unions import Cancelled
from explorer.base.templates import SLOT, TEMPLATES, find_template
from explorer.engine.answers.logprobs import read_logprobs
from explorer.engine.answers.repeat_back import repeat_back
from explorer.engine.behaviour.prompts import build_prompt, fill_text
from explorer.engine.models.checkpoints.tokenizer_files import load_tokenizer
from explorer.engine.models.loading import load_model
from explorer.engine.models.local import LocalModel
from explorer.engine.models.vocabulary import Vocabulary
from tests.behaviour.behaviour_fakes import cancel_at, run_through


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    found = shared / "models" / "stories260K"
    if not found.is_dir():
        pytest.skip("../shared/models/stories260K is not here")
    return found


@pytest.fixture(scope="module")
def stories(folder: Path) -> LocalModel:
    return load_model(folder, name="stories", source=str(folder), dtype="float32", device="cpu")


def ordinary_ids(vocabulary: Vocabulary) -> list[int]:
    return [i for i, category in enumerate(vocabulary.categories) if CATEGORIES[category] == "ok"]


@torch.no_grad()
def next_logprobs(model: LocalModel, ids: tuple[int, ...]) -> torch.Tensor:
    """By one plain forward pass, without a cache: float64 [len(ids), vocab]."""
    logits: torch.Tensor = model.hf(torch.tensor([ids])).logits[0]
    return logits.double().log_softmax(-1)


def test_every_template_holds_every_id_and_the_prefix_once(stories: LocalModel) -> None:
    (bos,) = stories.vocabulary.prefix_ids
    for template in TEMPLATES:
        for token_id in range(bos + 1, stories.vocabulary.size, 37):
            prompt = build_prompt(stories.vocabulary, template, token_id)
            assert {prompt.ids[place] for place in prompt.slot_positions} == {token_id}
            assert len(prompt.slot_positions) == (template.question + template.prefill).count(SLOT)
            assert prompt.ids[0] == bos
            assert prompt.ids.count(bos) == 1


def test_text_without_a_slot_is_what_the_tokenizer_makes_of_it(stories: LocalModel) -> None:
    prompt = fill_text(stories.vocabulary, "Once upon a time", None)
    assert prompt.ids == tuple(stories.vocabulary.encode("Once upon a time"))
    assert prompt.reencodes


def test_a_chat_template_that_writes_its_own_prefix_does_not_get_another(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    bos = tokenizer.decode([1])
    tokenizer.chat_template = bos + "{% for m in messages %}[ {{ m.content }} ]{% endfor %}"
    with_own = Vocabulary(tokenizer)
    tokenizer = load_tokenizer(folder)
    tokenizer.chat_template = "{% for m in messages %}[ {{ m.content }} ]{% endfor %}"
    without = Vocabulary(tokenizer)
    token_id = ordinary_ids(without)[5]
    for vocabulary in (with_own, without):
        prompt = build_prompt(vocabulary, find_template("string-is"), token_id)
        assert prompt.ids[: len(vocabulary.prefix_ids)] == vocabulary.prefix_ids
        assert prompt.ids.count(vocabulary.prefix_ids[0]) == 1
        assert prompt.ids[prompt.slot_positions[0]] == token_id


def test_greedy_replies_are_those_of_a_plain_loop_without_a_cache(stories: LocalModel) -> None:
    request = RepeatBack(
        model="stories", token_id=ordinary_ids(stories.vocabulary)[40], template=find_template("repeat-1"), controls=3
    )
    parts, result = run_through(repeat_back(stories, request))
    for probe in (result.probe, *result.controls):
        (reply,) = probe.replies
        ids = probe.prompt_ids + reply.reply_ids
        told = next_logprobs(stories, ids)[len(probe.prompt_ids) - 1 :]
        assert reply.reply_ids == tuple(told[: len(reply.reply_ids)].argmax(-1).tolist())
        expected = [float(row[token]) for row, token in zip(told, reply.reply_ids, strict=False)]
        assert reply.logprobs == pytest.approx(expected, abs=2e-5)
        own = told[: len(reply.reply_ids) + (reply.finish == "eos"), probe.token.token_id]
        assert reply.token_logprob == pytest.approx(float(own.max()), abs=2e-5)
        assert reply.token_position == int(own.argmax())
        better = int((told[reply.token_position] > own.max()).sum())
        assert reply.token_rank == better
        streamed = [p.token_id for p in parts if isinstance(p, ReplyPart) and p.subject == probe.token.token_id]
        assert tuple(streamed) == reply.reply_ids


def test_sampled_replies_reproduce_and_do_not_depend_on_their_number(stories: LocalModel) -> None:
    def replies(samples: int) -> list[tuple[int, ...]]:
        request = RepeatBack(
            model="stories", token_id=300, template=find_template("repeat-2"), samples=samples, temperature=1.0, seed=5
        )
        _, result = run_through(repeat_back(stories, request))
        return [reply.reply_ids for reply in result.probe.replies]

    six = replies(6)
    assert six == replies(6)
    assert six[:2] == replies(2)
    assert len(set(six)) == 6


def test_targets_of_several_tokens_score_as_one_plain_forward_pass(stories: LocalModel) -> None:
    request = ReadLogprobs(
        models=("stories",),
        prompt="Once upon a time",
        targets=(", there was a little girl", " there", " the cat", "zq"),
    )
    _, table = run_through(read_logprobs([stories], request))
    assert isinstance(table, LogprobTable)
    (column,) = table.columns
    for cell in column.cells:
        told = next_logprobs(stories, column.prompt_ids + cell.target_ids)[len(column.prompt_ids) - 1 :]
        expected = sum(float(row[token]) for row, token in zip(told, cell.target_ids, strict=False))
        assert cell.logprob == pytest.approx(expected, abs=1e-4)
    first = next_logprobs(stories, column.prompt_ids)[-1]
    assert column.entropy == pytest.approx(float(-(first.exp() * first).sum()), abs=1e-5)
    assert [top.token.token_id for top in column.top] == first.topk(10).indices.tolist()


def test_a_real_run_can_be_stopped_between_two_tokens(stories: LocalModel) -> None:
    request = RepeatBack(model="stories", token_id=300, template=find_template("repeat-1"), samples=2, temperature=1.0)
    _, stopped = run_through(repeat_back(stories, request, cancel_at(3)))
    assert isinstance(stopped, Cancelled)
    assert isinstance(stopped.partial, RepeatBackResult)
    assert [len(reply.reply_ids) for reply in stopped.partial.probe.replies] == [3, 3]
