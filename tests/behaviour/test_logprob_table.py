"""The table of log-probabilities: known distributions, the product rule, alignment by string, cancellation."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.record import Progress
from explorer.base.records.unions import Cancelled
from explorer.base.templates import Template
from explorer.engine.answers.logprobs import read_logprobs
from explorer.engine.behaviour import batching
from explorer.engine.behaviour.errors import BehaviourError
from tests.behaviour.behaviour_fakes import FakeModel, FakeVocabulary, cancel_at, one_hot, random_rule, run_through

V = FakeVocabulary()
OTHER = FakeVocabulary(words=(" dog", " cat", "Solid", "the"), unreachable=(), bos=False)
CAT, DOG, FOO = V.id_of(" cat"), V.id_of(" dog"), V.id_of(" Foo")


def read(models: list[FakeModel], prompt: str = "Say", **fields: Any) -> LogprobTable:
    asked = ReadLogprobs(models=tuple(model.name for model in models), prompt=prompt, **fields)
    _, table = run_through(read_logprobs(models, asked))
    assert isinstance(table, LogprobTable)
    return table


def fixed(vocabulary: FakeVocabulary, shares: dict[str, float], **fields: Any) -> FakeModel:
    """A model with this next-token distribution wherever it stands."""
    probabilities = torch.zeros(vocabulary.size)
    for token, share in shares.items():
        probabilities[vocabulary.id_of(token)] = share
    return FakeModel(vocabulary, lambda row, prompt_length: probabilities.log(), **fields)


def random_model(vocabulary: FakeVocabulary = V, seed: int = 0, **fields: Any) -> FakeModel:
    return FakeModel(vocabulary, random_rule(vocabulary, seed), **fields)


def test_a_known_distribution_gives_its_logprobs_ranks_and_entropy() -> None:
    table = read(
        [fixed(V, {" cat": 0.5, " dog": 0.25, " Foo": 0.25})], targets=(" dog", " cat", " Foo", " the"), top_k=2
    )
    (column,) = table.columns
    assert [cell.target for cell in column.cells] == list(table.targets) == [" dog", " cat", " Foo", " the"]
    assert [cell.logprob for cell in column.cells[:3]] == pytest.approx([math.log(p) for p in (0.25, 0.5, 0.25)])
    assert [cell.rank for cell in column.cells] == [1, 0, 1, 3], "equals share a rank"
    assert column.cells[3].logprob == -math.inf
    assert column.entropy == pytest.approx(1.5 * math.log(2))
    assert [top.token.token_id for top in column.top] == [CAT, min(DOG, FOO)]
    assert column.prompt_ids == tuple(V.encode("Say"))


def test_several_tokens_follow_the_product_rule() -> None:
    model = random_model()
    targets = (" Food", " cat dog", "ab", "'' Foo.", " Foo")
    table = read([model], targets=targets)
    for cell in table.columns[0].cells:
        row, wanted = tuple(V.encode("Say")), 0.0
        for token_id in V.encode_segment(cell.target):
            wanted += float(torch.as_tensor(model.rule(row, 0)).log_softmax(-1)[token_id])
            row = (*row, token_id)
        assert cell.logprob == pytest.approx(wanted, abs=1e-5)
        assert cell.target_ids == tuple(V.encode_segment(cell.target))
        assert (cell.rank is None) == (len(cell.target_ids) > 1)


def test_a_cell_depends_neither_on_the_other_targets_nor_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = (" Food", "cats dogs", " cat", "ab.", "''''", "zebra")
    together = read([random_model()], targets=targets).columns[0].cells
    alone = tuple(read([random_model()], targets=(target,)).columns[0].cells[0] for target in targets)
    assert together == alone
    monkeypatch.setattr(batching, "MOST_ROWS", 2)
    assert read([random_model()], targets=targets).columns[0].cells == together


def test_probabilities_of_all_single_tokens_sum_to_one() -> None:
    column = read([random_model()], top_k=V.size).columns[0]
    assert math.fsum(math.exp(top.logprob) for top in column.top) == pytest.approx(1, abs=1e-5)
    assert [cell.rank for cell in column.cells] == list(range(V.size))


# ── several models ────────────────────────────────────────────────────────────────────────────────────────


def test_targets_are_aligned_by_string_across_tokenizers() -> None:
    table = read([random_model(), random_model(OTHER, 1, name="other")], targets=(" cat", "Solid", " Foo"))
    first, second = (column.cells for column in table.columns)
    assert first[0].target_ids == (V.id_of(" cat"),)
    assert second[0].target_ids == (OTHER.id_of(" cat"),)
    assert len(first[1].target_ids) == 5
    assert second[1].target_ids == (OTHER.id_of("Solid"),)
    assert [cell.rank is None for cell in first] == [False, True, False]
    assert [cell.rank is None for cell in second] == [False, False, True]


def test_the_top_tokens_of_one_model_are_scored_in_all() -> None:
    models = [
        fixed(V, {" cat": 0.6, " Glitch": 0.4}),
        fixed(OTHER, {" dog": 0.7, " cat": 0.3}, name="other"),
    ]
    table = read(models, top_k=2)
    assert table.targets == (" cat", " Glitch")
    ours, theirs = table.columns
    assert [cell.target_ids for cell in ours.cells] == [(CAT,), (V.id_of(" Glitch"),)]
    assert (theirs.cells[0].target_ids, theirs.cells[0].rank) == ((OTHER.id_of(" cat"),), 1)
    assert theirs.cells[0].logprob == pytest.approx(math.log(0.3))
    assert theirs.cells[1].target_ids == tuple(OTHER.encode_segment(" Glitch"))
    assert read(models, top_k=1, top_of="other").targets == (" dog",)
    assert read(models, top_k=2, top_of="other", targets=("x", " cat")).targets == ("x", " cat", " dog")


def test_a_top_token_without_bytes_cannot_be_written_elsewhere() -> None:
    padding = V.size - 1
    model = FakeModel(V, lambda row, prompt_length: one_hot(V.size, padding))
    table = read([model, random_model(OTHER, name="other")], top_k=1)
    assert table.columns[0].cells[0].target_ids == (padding,)
    assert (table.columns[1].cells[0].target_ids, table.columns[1].cells[0].logprob) == ((), -math.inf)


def test_each_model_runs_its_prompt_once() -> None:
    models = [random_model(name="a"), random_model(name="b")]
    read(models, top_k=5, top_of="b")
    assert [model.calls for model in models] == [1, 1]


def test_models_of_equal_rule_and_tokenizer_give_equal_columns() -> None:
    table = read([random_model(name="a"), random_model(name="b")], targets=(" cat", "zebra"))
    assert table.columns[0].cells == table.columns[1].cells


# ── slots ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_slot_takes_the_first_models_id_and_elsewhere_the_same_bytes_or_the_text() -> None:
    models = [random_model(), random_model(OTHER, name="other")]
    same = read(models, "say {token}", token_id=CAT, targets=("x",)).columns
    assert same[0].prompt_ids[-1] == CAT
    assert same[1].prompt_ids[-1] == OTHER.id_of(" cat")
    assert [column.slot_as_text for column in same] == [False, False]
    spelled = read(models, "say {token}", token_id=FOO, targets=("x",)).columns
    assert spelled[1].prompt_ids[-4:] == tuple(OTHER.encode_segment(" Foo"))
    assert [column.slot_as_text for column in spelled] == [False, True]
    assert spelled[0].prompt == spelled[1].prompt == "say  Foo"


def test_a_template_is_filled_like_a_probe_and_a_token_without_a_slot_is_ignored() -> None:
    template = Template(name="t", question="Say '{token}'", prefill=" It is '")
    column = read([random_model()], "", template=template, token_id=V.id_of(" Glitch"), targets=("x",)).columns[0]
    assert V.id_of(" Glitch") in column.prompt_ids
    assert column.prompt == "Say ' Glitch' It is '"
    assert not column.reencodes
    plain = read([random_model()], "hello", token_id=V.size - 1, targets=("x",)).columns[0]
    assert (plain.prompt, plain.slot_as_text, plain.reencodes) == ("hello", False, True)


# ── cancellation and nonsense ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fields", [{"targets": (" cat", "zebra", "cats")}, {"top_k": 4, "top_of": "b"}])
def test_cancelling_at_any_step_returns_the_finished_columns(fields: dict[str, Any]) -> None:
    asked = ReadLogprobs(models=("a", "b"), prompt="Say", **fields)

    def models() -> list[FakeModel]:
        return [random_model(OTHER, 1, name="a"), random_model(name="b")]

    whole_models = models()
    parts, whole = run_through(read_logprobs(whole_models, asked))
    assert parts == [Progress(done=done, total=2, what="models") for done in (1, 2)]
    for call in range(sum(model.calls for model in whole_models)):
        stopped_models = models()
        parts, stopped = run_through(read_logprobs(stopped_models, asked, cancel_at(call)))
        assert sum(model.calls for model in stopped_models) <= call
        assert isinstance(stopped, Cancelled)
        assert isinstance(stopped.partial, LogprobTable)
        assert stopped.partial.columns == whole.columns[: len(parts)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"models": ()}, "no model"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": "say {token}"}, "no token was given"),
        ({"prompt": "say {token}", "token_id": V.size}, "out of range"),
        ({"targets": ("x", "")}, "target is empty"),
        ({"targets": ("\udc80",)}, "not Unicode"),
        ({"top_k": 0}, "no target"),
        ({"top_k": -1}, "top -1"),
        ({"top_of": "nobody"}, "nobody is not among"),
        ({"template": Template(name="t", question="Say {token}")}, "needs a token"),
        ({"template": Template(name="t", question="Say"), "token_id": 5}, "no slot"),
        ({"prompt": "a" * 64}, "reads 32 at most"),
        ({"prompt": "a" * 30, "targets": ("xyz",)}, "2 to follow"),
        ({"prompt": "say {token}", "token_id": V.size - 1, "models": ("fake", "other")}, "no way to write"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_before_a_model_runs(fields: dict[str, Any], said: str) -> None:
    models = [random_model(context=32), random_model(OTHER, name="other")]
    asked = ReadLogprobs(**{"models": ("fake",), "prompt": "Say", **fields})
    with pytest.raises(BehaviourError, match=said) as caught:
        next(read_logprobs(models[: len(asked.models)], asked))
    assert caught.value.hint
    assert sum(model.calls for model in models) == 0


def test_a_target_may_fill_the_context_to_its_end() -> None:
    assert read([random_model(context=32)], "a" * 29, targets=("xyz",)).columns[0].cells[0].rank is None
