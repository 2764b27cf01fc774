"""Prompts that begin alike: the beginning is read once, and every row is what it would be alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from explorer.engine.models.abilities import SharesPrefix
from explorer.engine.models.errors import ModelError
from explorer.engine.models.loading import load_model
from explorer.engine.models.local import LocalModel

Tiny = Callable[[str], Path]

SHARED = [5, 6, 7, 8, 9]
RESTS = [[300, 30, 2], [77, 78, 79], [5, 5, 5]]
STEPS = [[9, 200, 31], [44, 45, 46]]


def load(directory: Path) -> LocalModel:
    return load_model(directory, name=directory.name, source=str(directory), device="cpu")


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox", "gptj"])
def test_rows_after_a_prefix_are_those_of_the_whole_prompts(tiny: Tiny, kind: str) -> None:
    model = load(tiny(kind))
    assert isinstance(model, SharesPrefix)
    prefix = model.read_prefix(SHARED)
    assert prefix is not None
    for _ in range(2):  # a prefix serves any number of batches
        after, whole = model.start_after(prefix, RESTS), model.start([SHARED + rest for rest in RESTS])
        for step in [*STEPS, None]:
            torch.testing.assert_close(after.logits, whole.logits, rtol=0, atol=1e-4)
            if step is not None:
                after.push(torch.tensor(step))
                whole.push(torch.tensor(step))


def test_a_model_without_keys_and_values_shares_no_prefix(tiny: Tiny) -> None:
    assert load(tiny("mamba")).read_prefix(SHARED) is None


def test_what_cannot_follow_a_prefix_is_refused(tiny: Tiny) -> None:
    model = load(tiny("gpt2"))
    prefix = model.read_prefix(SHARED)
    assert prefix is not None
    with pytest.raises(ModelError, match="out of range"):
        model.start_after(prefix, [[9999]])
    with pytest.raises(ModelError, match="do not fit"):
        model.start_after(prefix, [[1] * 60])
    with pytest.raises(ValueError, match="equally long"):
        model.start_after(prefix, [[1], [2, 3]])
    with pytest.raises(ModelError, match="empty"):
        model.read_prefix([])
