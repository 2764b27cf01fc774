"""The head apart from the blocks: the same numbers slice by slice, and only where logits are its bare product."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig

from explorer.engine.models.decoding import Batch, Runner, join_batches
from explorer.engine.models.errors import ModelError
from explorer.engine.models.head import SLICE, Head, find_head
from explorer.engine.models.prediction import Choice, Prediction, Wanted, predict
from explorer.engine.models.probing import EXACT, probe

VOCAB = 2 * SLICE["cpu"] + 7
SMALL = {"vocab_size": 300, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "head_dim": 8}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 1}


def head_of(weight: torch.Tensor, bias: torch.Tensor | None = None) -> Head:
    product = nn.Linear(weight.shape[1], len(weight), bias=bias is not None)
    with torch.no_grad():
        product.weight.copy_(weight)
        if bias is not None:
            product.bias.copy_(bias)
    return Head(nn.Identity(), product.requires_grad_(False))


def ids(found: Prediction) -> list[int]:
    """The ids chosen."""
    assert found.chosen is not None
    return [int(one) for one in found.chosen]


@pytest.mark.parametrize("biased", [False, True])
def test_slices_tell_what_whole_logits_tell(biased: bool) -> None:
    made = torch.Generator().manual_seed(1)
    weight, states = torch.randn(VOCAB, 8, generator=made), 3 * torch.randn(5, 8, generator=made)
    head = head_of(weight, torch.randn(VOCAB, generator=made) if biased else None)
    wanted = Wanted(targets=np.array([[0, 1535], [1536, 3], [VOCAB - 1, 8], [5, 5], [3071, 3072]]), choice=Choice())
    found, whole = head.predict(states, wanted), predict(head.logits(states), wanted)
    np.testing.assert_allclose(found.logprobs, whole.logprobs, rtol=0, atol=1e-5)
    assert ids(found) == ids(whole)
    assert found.chosen_logprobs is not None
    assert whole.chosen_logprobs is not None
    np.testing.assert_allclose(found.chosen_logprobs, whole.chosen_logprobs, rtol=0, atol=1e-5)
    assert found.exact.all()


def test_of_identical_rows_in_different_slices_the_lowest_id_is_chosen() -> None:
    weight = torch.zeros(VOCAB, 4)
    weight[[40, 1600, VOCAB - 1]] = torch.tensor([0.3, 0.7, -0.2, 1.1])
    found = head_of(weight).predict(torch.tensor([[0.3, 0.7, -0.2, 1.1]]), Wanted(choice=Choice()))
    assert ids(found) == [40]


def test_impossible_tokens_and_broken_rows_are_told_as_by_whole_logits() -> None:
    weight, bias = torch.ones(VOCAB, 2), torch.zeros(VOCAB)
    bias[: SLICE["cpu"]] = -torch.inf
    head = head_of(weight, bias)
    states = torch.tensor([[0.5, 0.5], [torch.nan, 1.0]])
    wanted = Wanted(targets=np.array([[3, 2000], [3, 2000]]), choice=Choice(), strict=False)
    found, whole = head.predict(states, wanted), predict(head.logits(states), wanted)
    np.testing.assert_allclose(found.logprobs, whole.logprobs, rtol=0, atol=1e-5)
    assert found.logprobs[0, 0] == -np.inf
    assert np.isnan(found.logprobs[1]).all()
    assert ids(found) == ids(whole) == [SLICE["cpu"], 0]
    with pytest.raises(ModelError, match="NaN"):
        head.predict(states, Wanted(targets=wanted.targets))


@pytest.mark.parametrize("cap", [None, 30.0])
def test_a_model_that_caps_its_logits_keeps_its_own_way(cap: float | None) -> None:
    config = Gemma2Config(**SMALL, **HEADS, final_logit_softcapping=cap)
    model = AutoModelForCausalLM.from_config(config).eval()
    assert float(model(torch.tensor([[5, 6]])).logits.detach().abs().max()) < 5, "too small for the cap to show unasked"
    assert (find_head(model, [5, 6], EXACT) is None) == (cap is not None)


def test_prompts_read_in_parts_ask_the_head_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = AutoModelForCausalLM.from_config(LlamaConfig(**SMALL, **HEADS)).eval()
    runner = Runner(model, 64, 300)
    apart = [Batch(runner, [[5, 6, 7], [8, 9, 10]]), Batch(runner, [[11, 12, 13]])]
    expected = torch.cat([batch.logits for batch in apart])
    probe(runner, range(20, 40))
    assert runner.head is not None
    asked: list[int] = []
    runner.head.product.register_forward_hook(lambda *seen: asked.append(1))
    parts = [Batch(runner, [[5, 6, 7], [8, 9, 10]]), Batch(runner, [[11, 12, 13]])]
    joined = join_batches(parts)
    assert not asked, "prompts are read by the blocks alone"
    torch.testing.assert_close(joined.logits, expected, rtol=0, atol=1e-5)
    assert asked == [1], "and the head is asked once, for all rows"
    wanted = Wanted(rows=[2, 0], targets=np.array([[4], [9]]), choice=Choice())
    found, whole = joined.read(wanted), predict(expected, wanted)
    np.testing.assert_allclose(found.logprobs, whole.logprobs, rtol=0, atol=1e-5)
    assert ids(found) == ids(whole)
