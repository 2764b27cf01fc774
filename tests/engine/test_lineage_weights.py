"""Lineage by the weights of the zoo's models (measured: lineage notes, A7)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from explorer.base.records.lineage import PROMPTS, FindLineage, Lineage, Rung
from explorer.base.records.unions import Cancelled
from explorer.base.templates import find_template
from explorer.engine.control import Control
from explorer.engine.core.lineage import exact
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import has_hidden
from explorer.engine.models.mlps import mlps_of
from explorer.zoo import ground_truth, zoo_dir
from tests.engine_work import answer

TEMPLATES = tuple(map(find_template, PROMPTS))
MODELS = ("mynah", "lyrebird", "starling", "mynah-instruct", "mynah-sibling")


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine()
    for name in MODELS:
        engine.models.load(f"zoo:{name}", device="cpu")
    return engine


@pytest.fixture(scope="module")
def rungs(engine: Engine) -> dict[str, dict[str, Rung]]:
    """Of mynah-instruct and each other model, by their names."""
    others = tuple(name for name in MODELS if name != "mynah-instruct")
    outcome = answer(engine, FindLineage(children=("mynah-instruct",), bases=others, templates=TEMPLATES))
    assert isinstance(outcome, Lineage)
    return {pair.candidate: {rung.name: rung for rung in pair.rungs} for pair in outcome.pairs}


def test_a_child_has_all_neurons_of_its_base_and_its_never_trained_rows_to_the_bit(
    rungs: dict[str, dict[str, Rung]],
) -> None:
    own = rungs["mynah"]
    neurons, never, trained = own["W2 neurons"], own["W1 never-trained rows"], own["W1 trained rows"]
    assert (neurons.fixed, neurons.tokens, neurons.said) == (768, 768, "384, 384 of 384 a layer")
    assert (never.equal, never.tokens) == (1.0, 413)
    assert trained.equal == 0.0
    assert trained.effect is not None
    assert trained.effect > 0.98
    assert own["W0 files"].p is None, "a fact has no p"
    assert own["W0 files"].said.startswith("same tokenizer; configs differ in 1 entries (eos_token_id); 0 of")
    states = own["W3 CKA"]
    assert states.z is not None
    assert (states.z > 50, states.tokens) == (True, 120)


def test_never_trained_rows_do_not_tell_a_child_from_a_sibling_and_the_others_do(
    rungs: dict[str, dict[str, Rung]],
) -> None:
    sibling = rungs["mynah-sibling"]
    assert sibling["W1 never-trained rows"].equal == 1.0
    assert sibling["W1 trained rows"].effect is not None
    assert 0.5 < sibling["W1 trained rows"].effect < 0.75
    assert sibling["W2 neurons"].fixed is not None
    assert 300 < sibling["W2 neurons"].fixed < 450


def test_strangers_have_nothing_in_common_although_they_learned_from_the_same_data(
    rungs: dict[str, dict[str, Rung]],
) -> None:
    for name in ("lyrebird", "starling"):
        for kind in ("never-trained", "trained"):
            rung = rungs[name][f"W1 {kind} rows"]
            assert rung.p is not None
            assert (rung.p > 0.05, rung.equal) == (True, 0.0), rung
        states = rungs[name]["W3 CKA"]
        assert states.z is not None
        assert abs(states.z) < 3
    neurons = rungs["lyrebird"]["W2 neurons"]
    assert neurons.p is not None
    assert neurons.p > 0.05


def test_shuffled_rows_would_call_strangers_related(engine: Engine) -> None:
    """Which is why coordinates are permuted: this is the wrong null of trained rows."""
    one, other = (engine.models.get(name) for name in ("mynah", "lyrebird"))
    assert has_hidden(one)
    assert has_hidden(other)
    trained = np.flatnonzero(np.array(ground_truth("mynah")["counts"]) > 100)[:400]
    units = [each.embeddings().input[trained].double().numpy() for each in (one, other)]
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in units]
    shuffled = exact.permute(units[0] @ units[1].T, 0, draws=999)
    assert shuffled is not None
    assert shuffled.p == 0.001


def test_top_token_agreement_stands_beside_and_calls_a_stranger_the_parent(engine: Engine, tmp_path: Path) -> None:
    """On ordinary prompts able strangers agree; beside a weaker model the abler one is called the parent. The exact
    test is not moved."""
    weak = tmp_path / "weak"
    shutil.copytree(zoo_dir("starling"), weak)
    generator = torch.Generator().manual_seed(0)
    weights = load_file(weak / "model.safetensors")
    for tensor in weights.values():
        if tensor.ndim == 2:
            noise = torch.randn(tensor.shape, generator=generator)
            tensor += (noise * 0.7 * tensor.float().std()).to(tensor.dtype)
    save_file(weights, weak / "model.safetensors", metadata={"format": "pt"})
    name = engine.models.load(str(weak), device="cpu").info.name
    outcome = answer(engine, FindLineage(children=("lyrebird",), bases=("mynah", name), templates=TEMPLATES))
    assert isinstance(outcome, Lineage)
    able, other = (next(rung for rung in pair.rungs if rung.name == "MPT agreement") for pair in outcome.pairs)
    assert able.effect is not None
    assert other.effect is not None
    assert able.effect > 0.9 > other.effect
    assert able.p is not None
    assert able.p < 1e-3
    assert able.said.startswith("would call it the parent; ")
    assert able.said.endswith("strangers agree there, too: no verdict")
    assert (other.p, other.said[:26]) == (None, "another one agrees more of")
    assert outcome.pairs[0].verdict == "none"
    engine.models.unload(name)


def test_shapes_that_differ_are_told(rungs: dict[str, dict[str, Rung]]) -> None:
    rung = rungs["starling"]["W2 neurons"]
    assert (rung.p, rung.said) == (None, "shapes differ (256 gated / 384 GELU)")


def test_another_model_says_what_does_not_apply(engine: Engine, shared: Path) -> None:
    name = engine.models.load(str(shared / "models" / "stories260K"), device="cpu").info.name
    outcome = answer(engine, FindLineage(children=(name,), bases=("mynah",), templates=TEMPLATES[:1]))
    assert isinstance(outcome, Lineage)
    found = {rung.name: rung.said for rung in outcome.pairs[0].rungs}
    assert "two tokenizers" in found["W0 files"]
    assert found["W1 trained rows"].startswith("W1 needs equal d_model (96 / ")
    assert found["W2 neurons"].startswith(("shapes differ (384 GELU / ", "depths differ ("))
    engine.models.unload(name)


@pytest.mark.parametrize("stop_at", ["tensors of", "rows of", "layers of", "states of"])
def test_looking_into_weights_stops_between_its_steps(engine: Engine, stop_at: str) -> None:
    seen: list[str] = []
    request = FindLineage(children=("mynah-instruct",), bases=("mynah",), templates=TEMPLATES[:1], seed=7)
    work = engine.begin(request, Control(cancelled=lambda: any(stop_at in each for each in seen), tell=print))
    outcome: object = None
    try:
        while True:
            seen.append(getattr(next(work), "what", ""))
    except StopIteration as ended:
        outcome = ended.value
    assert outcome == Cancelled()
    assert stop_at in seen[-1]


def test_half_precision_weights_are_compared_as_they_are(engine: Engine) -> None:
    model = engine.models.get("mynah")
    assert has_hidden(model)
    first = mlps_of(model.hf)[0]
    assert (tuple(first.read.shape), tuple(first.write.shape), first.gated) == ((384, 96), (384, 96), False)
    read, write = first.rows(np.array([3, 5]))
    assert read.dtype == np.float32
    assert read.shape == write.shape == (2, 96)
    halved = torch.nn.Module()
    halved.mlp = torch.nn.Module()
    halved.mlp.gate_up_proj = torch.nn.Linear(4, 6, bias=False, dtype=torch.bfloat16)
    halved.mlp.down_proj = torch.nn.Linear(3, 4, bias=False, dtype=torch.bfloat16)
    holder = torch.nn.Module()
    holder.layer = halved
    (mlp,) = mlps_of(holder)
    assert mlp.gated
    assert torch.equal(mlp.read, halved.mlp.gate_up_proj.weight[3:])
    assert torch.equal(mlp.write, halved.mlp.down_proj.weight.T)
    halved.mlp.down_proj.weight = torch.nn.Parameter(torch.zeros(12, 1, dtype=torch.uint8), requires_grad=False)
    assert mlps_of(holder) == []
