"""The sweep: batched answers are those of one prompt at a time; nothing is asked twice, whatever happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest
import torch

from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.engine.answers.repeat_back import repeat_back
from explorer.engine.answers.verification.asking import Asker, without_bounds
from explorer.engine.answers.verification.definitions import (
    DIALOGUE,
    MINER,
    PLAIN,
    REPEATS,
    SHOTS,
    SUBSTRING,
    all_definitions,
)
from explorer.engine.answers.verification.evidence_place import evidence_folder, evidence_path
from explorer.engine.answers.verification.judging import Facts
from explorer.engine.answers.verification.questions import ENDED, REPLY_CLASSES, Evidence, Question, prompt_form
from explorer.engine.answers.verification.sizes import cost_of_row, rows_of_batch, rows_of_call
from explorer.engine.answers.verification.sweep import Asking, Slab, next_batch, sweep
from explorer.engine.behaviour.errors import BehaviourError
from explorer.engine.behaviour.prompts import build_prompt
from explorer.engine.models.abilities import Continuation
from explorer.engine.models.errors import OutOfMemory
from explorer.engine.models.loading import load_model
from explorer.engine.models.local import LocalModel
from explorer.engine.models.vocabulary import Vocabulary
from explorer.zoo import ground_truth, zoo_dir
from tests.behaviour.behaviour_fakes import FakeModel, FakeVocabulary, cancel_at, copies_slot, random_rule, run_through

GREEDY = (SHOTS, DIALOGUE, REPEATS, MINER, SUBSTRING, PLAIN)


@pytest.fixture(scope="module")
def mynah() -> LocalModel:
    return load_model(zoo_dir("mynah"), name="mynah", source="zoo:mynah", dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def stories(shared: Path) -> LocalModel:
    folder = shared / "models" / "stories260K"
    return load_model(folder, name="stories", source=str(folder), dtype="float32", device="cpu")


def swept(model: Any, questions: Sequence[Question], ids: Sequence[int], folder: Path) -> dict[str, Evidence]:
    """All evidence, in the order of `ids`."""
    parts, completed = run_through(sweep(model, questions, np.array(ids), folder))
    assert completed
    slabs = [part for part in parts if isinstance(part, Slab)]
    assert np.concatenate([slab.token_ids for slab in slabs]).tolist() == list(ids)
    return {question.key: np.concatenate([slab.evidence[question.key] for slab in slabs]) for question in questions}


def alone(model: LocalModel, question: Question, token_id: int) -> Evidence:
    """The same evidence by transformers' own model: one prompt, whole, read anew for every reply token."""
    found = np.zeros(1, dtype=question.dtype)
    found["token_id"], found["reply_ids"], found["logprobs"] = token_id, ENDED, np.nan
    ids = list(build_prompt(model.vocabulary, question.template, token_id).ids)
    for position in range(question.tokens):
        with torch.no_grad():
            logprobs = model.hf(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].float().log_softmax(-1)
        found["logprobs"][0, position] = logprobs[token_id]
        best = int(logprobs.argmax())
        if best in model.vocabulary.eos_ids:
            break
        found["reply_ids"][0, position] = best
        ids.append(best)
    return found


def verdicts_of(model: LocalModel, ids: Sequence[int], evidence: dict[str, Evidence]) -> dict[str, list[int]]:
    """What every definition that asks says of the evidence."""
    facts = Facts(
        model.vocabulary, np.array(ids), evidence, {},
        lambda question, token_id: build_prompt(model.vocabulary, question.template, token_id).reencodes,
    )  # fmt: skip
    known = all_definitions({}, np.ones(model.info.vocab_size, dtype=bool))
    return {name: one.judge(facts)[0].tolist() for name, one in known.items() if name != "sampled"}


def assert_same_as_alone(model: LocalModel, ids: Sequence[int], folder: Path) -> None:
    fitting = [question for question in GREEDY if not Asker(model, question).too_long()]
    together = swept(model, fitting, ids, folder)
    singly = {one.key: np.concatenate([alone(model, one, token_id) for token_id in ids]) for one in fitting}
    for key, evidence in together.items():
        assert evidence["reply_ids"].tolist() == singly[key]["reply_ids"].tolist()
        np.testing.assert_allclose(np.exp(evidence["logprobs"]), np.exp(singly[key]["logprobs"]), rtol=1e-4, atol=0)
    assert verdicts_of(model, ids, together) == verdicts_of(model, ids, singly)


def test_batched_is_one_at_a_time_on_the_zoo(mynah: LocalModel, tmp_path: Path) -> None:
    truth = ground_truth("mynah")
    withheld = [entry["token_id"] for entry in truth["withheld"]][::41]
    assert_same_as_alone(mynah, [*withheld, *truth["under_trained"]["3"][:3], *range(8, 3072, 307)], tmp_path)


def test_batched_is_one_at_a_time_on_a_real_model(stories: LocalModel, tmp_path: Path) -> None:
    assert_same_as_alone(stories, list(range(3, 512, 37)), tmp_path)


@pytest.mark.parametrize("question", [*GREEDY, Question(PLAIN.template, 4, chat="never")], ids=lambda one: one.key)
@pytest.mark.parametrize("chat", [True, False])
def test_a_filled_form_is_the_prompt_of_that_token(question: Question, chat: bool) -> None:
    vocabulary: Any = FakeVocabulary(chat=chat)
    form = prompt_form(vocabulary, question)
    ids = range(0, vocabulary.size, 11)
    for token_id, row in zip(ids, form.fill(ids), strict=True):
        prompt = build_prompt(vocabulary, question.template, token_id, question.chat)
        assert tuple(row.tolist()) == prompt.ids
        assert form.shared == prompt.ids[: prompt.slot_positions[0]]


def test_sampled_replies_are_those_of_repeat_back(mynah: LocalModel, tmp_path: Path) -> None:
    question = Question(PLAIN.template, PLAIN.tokens, samples=3, temperature=0.7, top_p=0.95, seed=11)
    ids = [400, 907, 1213]
    found = swept(mynah, [question], ids, tmp_path)[question.key]
    for token_id, classes in zip(ids, found["classes"], strict=True):
        request = RepeatBack(model="mynah", token_id=token_id, template=PLAIN.template, samples=3, temperature=0.7,
                             top_p=0.95, seed=11)  # fmt: skip
        _, result = run_through(repeat_back(mynah, request))
        assert isinstance(result, RepeatBackResult)
        assert [reply.outcome for reply in result.probe.replies] == [REPLY_CLASSES[code] for code in classes]


# ── memory, cancelling, resuming ──────────────────────────────────────────────────────────────────────────


@dataclass
class Narrow(FakeModel):
    """A model with room for only so many rows; notes which prompts it answered."""

    room: int = 10**9
    refused: int = 0
    asked: list[tuple[int, ...]] = field(default_factory=list)

    def start(self, prompts: Sequence[Sequence[int]]) -> Any:
        if len(prompts) > self.room:
            self.refused += 1
            raise OutOfMemory("no room")
        self.asked += [tuple(prompt) for prompt in prompts]
        return super().start(prompts)


def narrow(room: int = 10**9) -> Narrow:
    vocabulary = FakeVocabulary()
    return Narrow(vocabulary, random_rule(vocabulary), room=room)


QUESTION = Question(MINER.template, 2)


def test_running_out_of_memory_halves_the_batch_and_changes_nothing(tmp_path: Path) -> None:
    ids = range(200)
    roomy, tight = narrow(), narrow(room=13)
    expected = swept(roomy, [QUESTION], ids, tmp_path / "roomy")[QUESTION.key]
    found = swept(tight, [QUESTION], ids, tmp_path / "tight")[QUESTION.key]
    assert found.tobytes() == expected.tobytes()
    assert max(tight.batches) <= 13
    assert 0 < tight.refused < 12, "the smaller size is kept, not tried anew for each batch"
    assert sorted(tight.asked) == sorted(roomy.asked)


def test_a_model_without_room_for_one_row_fails(tmp_path: Path) -> None:
    with pytest.raises(OutOfMemory):
        run_through(sweep(narrow(room=0), [QUESTION], np.arange(5), tmp_path))


@pytest.mark.parametrize("calls", [0, 1, 2, 5, 7])
def test_a_cancelled_sweep_goes_on_where_it_was_and_asks_nothing_twice(calls: int, tmp_path: Path) -> None:
    questions = [QUESTION, Question(SUBSTRING.template, 3)]
    ids = np.arange(270)
    expected = swept(narrow(), questions, ids.tolist(), tmp_path / "whole")
    first, second = narrow(), narrow()
    _, completed = run_through(sweep(first, questions, ids, tmp_path / "cut", cancel_at(calls)))
    assert not completed
    found = swept(second, questions, ids.tolist(), tmp_path / "cut")
    for question in questions:
        assert found[question.key].tobytes() == expected[question.key].tobytes()
        form = prompt_form(second.vocabulary, question)
        cut, whole = (evidence_path(tmp_path / folder, question, form) for folder in ("cut", "whole"))
        assert os.path.getsize(cut) == os.path.getsize(whole), "as many rows as an uninterrupted sweep writes"


def test_a_sweep_that_is_all_on_disk_asks_nothing(tmp_path: Path) -> None:
    swept(narrow(), [QUESTION], range(100), tmp_path)
    model = narrow()
    parts, completed = run_through(sweep(model, [QUESTION], np.arange(100), tmp_path))
    assert completed
    assert model.asked == []
    assert [type(part) for part in parts] == [Asking, Slab]
    assert parts[0] == Asking(rows_done=100, rows_total=100, rows_found=100)


def test_progress_counts_every_row_once(tmp_path: Path) -> None:
    swept(narrow(), [QUESTION], range(40), tmp_path)
    parts, _ = run_through(sweep(narrow(), [QUESTION], np.arange(100), tmp_path))
    told = [part for part in parts if isinstance(part, Asking)]
    assert [one.rows_done for one in told] == sorted(one.rows_done for one in told)
    assert (told[-1].rows_done, told[-1].rows_total, told[-1].rows_found) == (100, 100, 40)


def test_a_reply_ends_at_end_of_text_and_the_end_is_counted(tmp_path: Path) -> None:
    vocabulary = FakeVocabulary()
    slot = prompt_form(cast(Vocabulary, vocabulary), QUESTION).slots[0]
    model = FakeModel(vocabulary, copies_slot(vocabulary, int(slot)))
    token_id = vocabulary.id_of(" cat")
    row = swept(model, [Question(MINER.template, 5)], [token_id], tmp_path)
    (found,) = row.values()
    assert found["reply_ids"][0].tolist() == [token_id, ENDED, ENDED, ENDED, ENDED]
    assert np.isfinite(found["logprobs"][0]).tolist() == [True, True, False, False, False]


def test_batches_shrink_with_length_and_with_the_model(mynah: LocalModel) -> None:
    info = mynah.info
    short, long = cost_of_row(info, 50, 30, 10), cost_of_row(info, 300, 100, 10)
    assert rows_of_batch(info, short) > rows_of_batch(info, long) >= 1
    large = msgspec.structs.replace(info, n_parameters=7_000_000_000, n_layers=32, d_model=4096)
    cost = cost_of_row(large, 300, 100, 10)
    assert rows_of_call(large, cost) == 1
    assert rows_of_batch(large, cost) == 1, "the cache of two such rows is above half a gibibyte"
    card = msgspec.structs.replace(large, device="cuda:0", dtype="bfloat16")
    assert rows_of_call(card, cost_of_row(card, 50, 30, 10)) > 1


def test_batches_of_replies_that_are_drawn_are_bound_by_their_whole_logits(mynah: LocalModel) -> None:
    info = msgspec.structs.replace(mynah.info, vocab_size=2**18, d_model=64, tied=True)
    cost = cost_of_row(info, 20, 10, 2)
    assert rows_of_batch(info, cost, drawn=True) == 2**23 // 2**18
    assert rows_of_batch(info, cost) > 2 * rows_of_batch(info, cost, drawn=True)


@pytest.mark.parametrize(
    ("tokens", "most", "sizes"), [(64, 51, [32, 32]), (10, 4, [4, 3, 3]), (5, 8, [5]), (1, 1, [1])]
)
def test_batches_of_a_slab_are_alike_in_size(tokens: int, most: int, sizes: list[int]) -> None:
    left, found = np.arange(tokens), []
    while len(left):
        found.append(len(next_batch(left, most)))
        left = left[found[-1] :]
    assert found == sizes


def test_the_cost_of_a_row_is_that_of_what_is_read(mynah: LocalModel) -> None:
    info = msgspec.structs.replace(mynah.info, n_parameters=1100, vocab_size=10, d_model=10, n_layers=3, tied=True)
    cost = cost_of_row(info, 20, 12, 3)
    assert cost.prompt == 2 * (1000 * 8 + 100), "the head only at the last position"
    assert cost.whole == cost.prompt + 2 * 1100 * 2
    assert cost.cache_bytes == 2 * 3 * 10 * 4 * 23


def test_evidence_is_kept_by_weights_and_dtype_not_by_name(mynah: LocalModel, tmp_path: Path) -> None:
    info = mynah.info
    folder = evidence_folder(tmp_path, info)
    assert evidence_folder(tmp_path, msgspec.structs.replace(info, name="other", source="elsewhere")) == folder
    assert evidence_folder(tmp_path, msgspec.structs.replace(info, dtype="bfloat16")) != folder
    assert evidence_folder(tmp_path, msgspec.structs.replace(info, weights_digest="0" * 32)) != folder
    with pytest.raises(BehaviourError, match="digest"):
        evidence_folder(tmp_path, msgspec.structs.replace(info, weights_digest=""))


def test_prompts_are_read_after_their_shared_beginning(mynah: LocalModel, tmp_path: Path) -> None:
    class Watched:
        """The model, counting the tokens it reads."""

        def __init__(self) -> None:
            self.read = 0
            self.info, self.vocabulary = mynah.info, mynah.vocabulary

        def start(self, prompts: Sequence[Sequence[int]]) -> Continuation:
            raise AssertionError("the whole prompts were read")

        def read_prefix(self, ids: Sequence[int]) -> Any:
            self.read += len(ids)
            return mynah.read_prefix(ids)

        def start_after(self, prefix: Any, rests: Sequence[Sequence[int]]) -> Continuation:
            self.read += sum(map(len, rests))
            return mynah.start_after(prefix, rests)

        embeddings: Callable[[], Any] = mynah.embeddings

    model = Watched()
    swept(model, [DIALOGUE], range(300, 500), tmp_path)
    form = prompt_form(mynah.vocabulary, DIALOGUE)
    assert model.read == len(form.shared) + 200 * (len(form.ids) - len(form.shared))
    assert Asker(mynah, DIALOGUE).shared_share > 0.8


def test_a_bound_counts_as_unknown_and_takes_the_row_with_it_where_it_could_be_the_greatest() -> None:
    logprobs = np.array([[-1.0, -5.0], [-9.0, -5.0], [-2.0, -3.0], [-1.0, np.nan]], dtype=np.float32)
    bounded = np.array([[False, True], [False, True], [False, False], [False, False]])
    known = without_bounds(logprobs, bounded)
    np.testing.assert_array_equal(known, [[-1, np.nan], [np.nan, np.nan], [-2, -3], [-1, np.nan]])
