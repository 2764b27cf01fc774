"""A fused activation is the same function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from explorer.engine.models.activations import fuse_activations

Tiny = Callable[[str], Path]


def test_fusing_changes_logits_by_rounding_alone(tiny: Tiny) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny("gpt2"), dtype=torch.float32).eval()
    ids = torch.arange(5, 45)[None]
    with torch.no_grad():
        before = model(input_ids=ids).logits
        assert fuse_activations(model) == model.config.n_layer
        after = model(input_ids=ids).logits
    torch.testing.assert_close(before, after, rtol=0, atol=1e-5)
    assert fuse_activations(model) == 0


def test_other_activations_are_left_alone(tiny: Tiny) -> None:
    assert fuse_activations(AutoModelForCausalLM.from_pretrained(tiny("llama"))) == 0
