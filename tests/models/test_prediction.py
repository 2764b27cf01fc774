"""Distributions are reduced where the logits are: the same numbers as from all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from explorer.engine.models.errors import ModelError
from explorer.engine.models.prediction import UNKNOWN, Choice, Wanted, predict

BROKEN = [[math.nan, 0.0], [math.inf, 0.0], [-math.inf, -math.inf]]


@pytest.mark.parametrize("row", BROKEN)
def test_logits_without_a_distribution_are_refused(row: list[float]) -> None:
    with pytest.raises(ModelError, match="NaN"):
        predict(torch.tensor([row]), Wanted())


@pytest.mark.parametrize("row", BROKEN)
def test_a_sweep_gets_nan_for_a_broken_row_and_the_others_as_they_are(row: list[float]) -> None:
    logits = torch.tensor([row, [1.0, 3.0]])
    told = predict(logits, Wanted(targets=np.array([[1], [0]]), choice=Choice(), strict=False))
    assert math.isnan(told.logprobs[0, 0])
    assert told.logprobs[1, 0] == float(logits[1].log_softmax(-1)[0])
    assert told.chosen is not None
    assert told.chosen[1] == 1
    with pytest.raises(ModelError, match="NaN"):
        predict(logits, Wanted(choice=Choice(0.7, 0.9, [0.5, 0.5]), strict=False))


def test_what_is_told_is_what_the_whole_distribution_says() -> None:
    logits = torch.randn(5, 60, generator=torch.Generator().manual_seed(3))
    logits[2, [7, 9]] = 5.0
    rows, targets = [4, 2], np.array([[3, 59, 0], [9, 7, 30]])
    told = predict(logits, Wanted(rows=rows, targets=targets, ranks=True, top=4, entropy=True, choice=Choice()))
    whole = logits[rows].log_softmax(-1)
    assert told.logprobs.tolist() == whole.gather(-1, torch.from_numpy(targets)).tolist()
    assert told.exact.all()
    assert told.ranks.tolist() == [
        [int((row > row[one]).sum()) for one in ids] for row, ids in zip(whole, targets.tolist(), strict=True)
    ]
    assert told.top_ids[1, :2].tolist() == [7, 9], "equals by id"
    np.testing.assert_array_equal(told.top_logprobs, whole.gather(-1, torch.from_numpy(told.top_ids)).numpy())
    wide = whole.double()
    assert told.entropy is not None
    np.testing.assert_allclose(told.entropy, -(wide.exp() * wide).sum(-1).numpy())
    assert told.chosen is not None
    assert told.chosen.tolist() == logits[rows].argmax(-1).tolist()
    assert told.chosen_logprobs is not None
    assert told.chosen_logprobs.tolist() == whole.amax(-1).tolist()


def test_what_was_not_wanted_is_not_told() -> None:
    told = predict(torch.randn(3, 8), Wanted(targets=np.array([[1], [2], [3]])))
    assert (told.entropy, told.chosen, told.chosen_logprobs) == (None, None, None)
    assert told.ranks.tolist() == [[UNKNOWN]] * 3
    assert told.top_ids.shape == told.top_logprobs.shape == (3, 0)
