"""A model that fits no single GPU: how it is placed, and that it says the same. No GPU is needed: layers that wait on
the disk stand on the meta device between their turns, as those of another device stand where the others are not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.models import LoadModel, ModelLoaded
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.templates import find_template
from explorer.engine.answers import models
from explorer.engine.handlers import Engine
from explorer.engine.models import local, placement, roster
from explorer.engine.models.errors import ModelError
from explorer.engine.models.lens import residuals
from explorer.engine.models.local import LocalModel
from explorer.engine.models.memory import Memory
from explorer.engine.models.placement import choose_gpus, devices_of, is_spread, put, spread
from tests.engine_work import answer

GIB = 2**30
TEMPLATE = find_template("string-is")


def gpus(*free: float) -> dict[str, Memory]:
    return {f"cuda:{place}": Memory(used=0, free=int(each * GIB), total=80 * GIB) for place, each in enumerate(free)}


@pytest.mark.parametrize(
    ("free", "chosen"),
    [
        ((40, 40), "cuda:0"),
        ((8, 40), "cuda:1"),
        ((10, 12), "cuda:0+cuda:1"),
        ((1, 14, 9), "cuda:1+cuda:2"),
        ((6, 7, 8), "cuda:0+cuda:1+cuda:2"),
    ],
)
def test_the_fewest_gpus_with_room_are_taken(free: tuple[float, ...], chosen: str) -> None:
    assert choose_gpus(16 * GIB, gpus(*free), "big", "bfloat16") == chosen
    assert devices_of(chosen) == tuple(chosen.split("+"))


def test_what_fits_nowhere_is_told_with_the_memory_of_each() -> None:
    with pytest.raises(ModelError) as raised:
        choose_gpus(40 * GIB, gpus(10, 12), "big", "bfloat16")
    assert str(raised.value).startswith("big needs 40.0 GiB as bfloat16; cuda:0: 10.0 GiB of 80.0 GiB are free; cuda:1")


def halved(hf: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The second half of the layers, and the head, wait on the disk."""
    count = int(hf.config.num_hidden_layers)
    layers = {f"model.layers.{place}": "cpu" if 2 * place < count else "disk" for place in range(count)}
    rest = {"model.embed_tokens": "cpu", "model.rotary_emb": "cpu", "model.norm": "cpu", "lm_head": "disk"}
    return spread(hf, layers | rest, str(folder))


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Engine, Engine]:
    """With zoo:starling on one device, and spread."""
    whole, parted = Engine(), Engine()
    whole.models.load("zoo:starling", device="cpu")
    monkeypatch.setattr(local, "put", lambda hf, device, rooms: halved(hf, tmp_path))
    monkeypatch.setattr(local, "check_same", lambda hf, embeddings: None)  # the head is on the meta device
    parted.models.load("zoo:starling", device="cpu")
    return whole, parted


def test_a_spread_model_says_the_same(engines: tuple[Engine, Engine]) -> None:
    whole, parted = engines
    model = parted.models.get("starling")
    assert isinstance(model, LocalModel)
    assert is_spread(model.hf)
    assert any(parameter.is_meta for parameter in model.hf.parameters())
    ask = ReadLogprobs(models=("starling",), template=TEMPLATE, token_id=400, top_k=20)
    tables = [answer(engine, ask) for engine in (whole, parted)]
    cells = [[cell.logprob for cell in table.columns[0].cells] for table in tables if isinstance(table, LogprobTable)]
    assert np.abs(np.subtract(cells[0], cells[1])).max() < 1e-5
    repeat = RepeatBack(model="starling", token_id=400, template=TEMPLATE, samples=2, temperature=0.7, controls=2)
    replies = [answer(engine, repeat) for engine in (whole, parted)]
    said = [
        [each.reply_ids for probe in (found.probe, *found.controls) for each in probe.replies]
        for found in replies
        if isinstance(found, RepeatBackResult)
    ]
    assert said[0] == said[1]
    assert len(said[0]) == 6
    assert model.info.memory_bytes == whole.models.get("starling").info.memory_bytes


def test_its_layers_are_refused_in_words(engines: tuple[Engine, Engine]) -> None:
    model = engines[1].models.get("starling")
    assert isinstance(model, LocalModel)
    with pytest.raises(ModelError, match="is spread over cpu, and TransformerLens wants one device"):
        residuals(model, [1, 2, 3])


def test_auto_spreads_what_fits_no_gpu_and_the_queue_keeps_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs that are told of; the weights stay where they are."""
    small = {"cpu": Memory(0, 8 * GIB, 8 * GIB)} | {f"cuda:{n}": Memory(0, 2_000_000, 2_000_000) for n in range(2)}
    placed: list[tuple[str, dict[str, int]]] = []

    def keep(hf: PreTrainedModel, device: str, rooms: Mapping[str, int]) -> PreTrainedModel:
        placed.append((device, dict(rooms)))
        return hf

    for module in (roster, models):
        monkeypatch.setattr(module, "local_devices", lambda: tuple(small))
        monkeypatch.setattr(
            module, "choose_device", lambda device: torch.device("cuda" if device == "auto" else device)
        )
    monkeypatch.setattr("explorer.engine.models.loading.choose_device", lambda device: torch.device(device))
    monkeypatch.setattr(local, "free_memory", small.__getitem__)
    monkeypatch.setattr(local, "put", keep)
    engine = Engine(roster.Roster(small.__getitem__))
    asked = LoadModel(source="zoo:starling", dtype="float32", device="auto")
    assert engine.job(1, asked).resources == {"cuda:0", "cuda:1"}
    loaded = answer(engine, asked)
    assert isinstance(loaded, ModelLoaded)
    assert loaded.info.device == "cuda:0+cuda:1"
    assert placed == [("cuda:0+cuda:1", {"cuda:0": 2_000_000, "cuda:1": 2_000_000})]
    ask = RepeatBack(model="starling", token_id=400, template=TEMPLATE)
    assert engine.job(2, ask).resources == {"cuda:0", "cuda:1"}
    assert [memory.device for memory in engine.roster_state().devices] == ["cpu", "cuda:0", "cuda:1"]


def test_layers_that_do_not_fit_as_they_are_cut_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    model = roster.Roster().load("zoo:starling", device="cpu")
    assert isinstance(model, LocalModel)
    with pytest.raises(ModelError, match="its layers do not fit cuda:0\\+cuda:1 as they are cut"):
        put(model.hf, "cuda:0+cuda:1", {"cuda:0": 200_000, "cuda:1": 200_000})
    laid: dict[str, object] = {}

    def note(hf: PreTrainedModel, layers: Mapping[str, object]) -> PreTrainedModel:
        laid.update(layers)
        return hf

    monkeypatch.setattr(placement, "spread", note)
    put(model.hf, "cuda:0+cuda:1", {"cuda:0": 3_000_000, "cuda:1": 3_000_000})
    assert set(laid.values()) == {0, 1}
    assert all(name.count(".") <= 2 for name in laid), "no layer is cut"
