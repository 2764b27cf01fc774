"""A model that is being filled with its weights hears a cancellation, and nothing half filled is left of it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.unions import Cancelled
from explorer.base.templates import find_template
from explorer.engine.control import Control, Stopped, put_to_work
from explorer.engine.handlers import Engine
from explorer.engine.models import filling, loading, reading
from explorer.engine.models.checkpoints.weight_files import SafetensorsFiles
from explorer.engine.models.first_import import import_heard
from explorer.engine.models.local import LocalModel
from explorer.engine.models.roster import Roster
from explorer.engine.queue import WorkQueue
from tests.direct_client import Gate
from tests.engine.test_queue import Listener
from tests.engine_work import CONTROL
from tests.models import gguf_samples as samples
from tests.models.conftest import byte_level_tokenizer

Tiny = Callable[[str], Path]


class Looks:
    """Hears of a cancellation at a certain look, and counts them."""

    def __init__(self, last: int | None = None) -> None:
        self._last = last
        self.count = 0
        put_to_work(Control(self._cancelled, lambda part: None))

    def _cancelled(self) -> bool:
        self.count += 1
        return self._last is not None and self.count >= self._last


@pytest.fixture(autouse=True)
def _nothing_stays_at_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gc, "freeze", lambda: None)  # what is frozen is not among `gc.get_objects`
    yield
    put_to_work(CONTROL)


@pytest.fixture
def _waits_for_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest model is treated as a large one."""
    monkeypatch.setattr(loading, "AT_ONCE", 0)
    monkeypatch.setattr(reading, "FEW", 0)


@pytest.fixture(params=["safetensors", "gguf"])
def source(request: pytest.FixtureRequest, tiny: Tiny, tmp_path: Path) -> Path:
    if request.param == "safetensors":
        return tiny("llama")
    tensors = samples.llama_tensors(samples.llama(320, tied=True))
    metadata = samples.byte_level_metadata(byte_level_tokenizer(), 320) | samples.LLAMA_METADATA
    return samples.write_gguf(tmp_path / "model.gguf", tensors, metadata)


def load(source: Path) -> LocalModel:
    model = Roster().load(str(source), device="cpu")
    assert isinstance(model, LocalModel)
    return model


def filled_models() -> int:
    """How many models with weights are in memory."""
    models = [each for each in gc.get_objects() if isinstance(each, PreTrainedModel)]
    return sum(each.device.type != "meta" for each in models)


@pytest.mark.usefixtures("_waits_for_weights")
def test_wherever_filling_is_cancelled_nothing_is_filled_and_the_next_time_it_is(source: Path) -> None:
    load(source).fill()  # the first time there are imports, too
    kept = load(source)
    looks = Looks()
    expected = kept.fill().start([[5, 6, 7]]).logits
    assert looks.count > 100
    gc.collect()
    before = filled_models()
    for last in range(1, looks.count * 9 // 10, looks.count // 6):
        Looks()
        waiting = load(source)
        told = waiting.info
        Looks(last)
        with pytest.raises(Stopped):
            waiting.fill()
        assert (waiting.is_filled, waiting.info, filled_models()) == (False, told, before), f"at look {last}"
        Looks()
        assert torch.equal(waiting.fill().start([[5, 6, 7]]).logits, expected)
        del waiting


def test_wherever_a_load_is_cancelled_no_model_is_there_and_its_name_is_free(source: Path) -> None:
    load(source)  # the first time there are imports
    looks = Looks()
    load(source)
    gc.collect()
    before, roster = filled_models(), Roster()
    for last in range(1, looks.count * 9 // 10, looks.count // 6):
        Looks(last)
        with pytest.raises(Stopped):
            roster.load(str(source), device="cpu")
        assert (roster.infos(), filled_models()) == ((), before), f"at look {last}"
    Looks()
    assert roster.load(str(source), device="cpu").info.name == source.stem


@pytest.mark.usefixtures("_waits_for_weights")
def test_the_queue_answers_what_is_cancelled_while_weights_are_read(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, gate, read = Engine(), Gate(), SafetensorsFiles.tensor
    name = engine.models.load(str(tiny("llama")), device="cpu").info.name
    ask = RepeatBack(model=name, token_id=70, template=find_template("repeat-1"), max_new_tokens=1)

    def read_slowly(files: SafetensorsFiles, tensor: str) -> torch.Tensor:
        gate.wait()
        return read(files, tensor)

    listener = Listener()
    queue = WorkQueue(engine.begin, listener.report)
    with monkeypatch.context() as patched:
        patched.setattr(SafetensorsFiles, "tensor", read_slowly)
        queue.add(engine.job(1, ask))
        assert gate.reached.wait(10)
        queue.cancel(1)
        gate.opened.set()
        listener.wait_for(1)
    queue.add(engine.job(2, ask))
    listener.wait_for(2)
    assert isinstance(listener.answers[0][1], Cancelled)
    assert isinstance(listener.answers[1][1], RepeatBackResult)


def test_a_large_matrix_is_widened_part_by_part_to_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "_PART", 100)
    given = torch.randn(37, 11).bfloat16()
    assert torch.equal(filling._widen(given), given.float())
    small = torch.randn(3, 11).half()
    assert filling._widen(small) is small, "left to transformers"
    whole = torch.randn(37, 11)
    assert filling._widen(whole) is whole


def test_a_cancellation_does_not_wait_for_a_first_import_which_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_module.py").write_text("import gate_of_a_test\ngate_of_a_test.wait()\nends = 'here'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    gate = Gate()
    monkeypatch.setitem(sys.modules, "gate_of_a_test", gate)
    Looks(last=1)
    with pytest.raises(Stopped):
        import_heard(("slow_module",))
    assert gate.reached.wait(10)
    gate.opened.set()
    Looks()
    import_heard(("slow_module",))
    assert import_module("slow_module").ends == "here"
