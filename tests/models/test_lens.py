from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from explorer.engine.models.errors import ModelError
from explorer.engine.models.lens import folded_unembedding, residuals
from explorer.engine.models.loading import load_model
from explorer.engine.models.local import LocalModel

PROMPT = [5, 6, 7, 200]


def load(directory: Path) -> LocalModel:
    return load_model(directory, name=directory.name, source=str(directory), device="cpu")


def normalised(residual: Tensor, *, centred: bool, epsilon: float = 1e-5) -> Tensor:
    """The final norm without its scale and bias, which the folding has moved into the unembedding."""
    if centred:
        residual = residual - residual.mean(dim=-1, keepdim=True)
    return residual / (residual.pow(2).mean(dim=-1, keepdim=True) + epsilon).sqrt()


def assert_folded_unembedding_gives_the_logits(model: LocalModel, *, centred: bool) -> None:
    rows, bias = folded_unembedding(model)
    last = normalised(residuals(model, PROMPT)[-1, -1], centred=centred)
    torch.testing.assert_close(last @ rows.T + bias, model.start([PROMPT]).logits[0], rtol=0, atol=1e-4)
    assert rows.dtype == bias.dtype == torch.float32
    assert tuple(rows.shape) == (model.info.vocab_size, model.info.d_model)


@pytest.mark.parametrize(("kind", "centred"), [("gpt2", True), ("gptj", True), ("llama", False)])
def test_folded_unembedding_of_the_normalised_residual_gives_the_logits(
    tiny: Callable[[str], Path], kind: str, centred: bool
) -> None:
    assert_folded_unembedding_gives_the_logits(load(tiny(kind)), centred=centred)


def test_folded_unembedding_of_a_real_model_gives_its_logits(stories: Path) -> None:
    assert_folded_unembedding_gives_the_logits(load(stories), centred=False)


def test_residuals_are_transformers_own_hidden_states(tiny: Callable[[str], Path]) -> None:
    model = load(tiny("llama"))
    with torch.no_grad():
        hidden = model.hf(input_ids=torch.tensor([PROMPT]), output_hidden_states=True).hidden_states
    found = residuals(model, PROMPT)
    assert tuple(found.shape) == (model.info.n_layers + 1, len(PROMPT), model.info.d_model)
    torch.testing.assert_close(found[:-1], torch.stack([layer[0] for layer in hidden[:-1]]), rtol=0, atol=1e-5)


def test_looking_through_the_lens_leaves_the_model_as_it_was(tiny: Callable[[str], Path]) -> None:
    model = load(tiny("gpt2"))
    weights = {name: tensor.clone() for name, tensor in model.hf.state_dict().items()}
    logits = model.start([PROMPT]).logits
    attention = model.hf.config._attn_implementation
    names = dict(model.vocabulary.tokenizer.special_tokens_map)
    folded_unembedding(model)
    residuals(model, PROMPT)
    assert model.vocabulary.tokenizer.special_tokens_map == names, "chat templates read them"
    assert model.hf.config._attn_implementation == attention
    assert model.hf.state_dict().keys() == weights.keys()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.hf.state_dict().items())
    assert torch.equal(model.start([PROMPT]).logits, logits)


def test_architecture_that_transformer_lens_does_not_know_is_refused(tmp_path: Path, save: Callable[..., None]) -> None:
    from transformers import BioGptConfig, BioGptForCausalLM

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    save(BioGptForCausalLM(BioGptConfig(vocab_size=320, max_position_embeddings=64, **sizes)), tmp_path)
    model = load(tmp_path)
    for look in (lambda: folded_unembedding(model), lambda: residuals(model, PROMPT)):
        with pytest.raises(ModelError, match="TransformerLens cannot wrap BioGptForCausalLM") as refused:
            look()
        assert refused.value.hint


def test_residuals_of_what_is_no_prompt_are_refused(tiny: Callable[[str], Path]) -> None:
    with pytest.raises(ModelError, match="empty"):
        residuals(load(tiny("gpt2")), [])
