from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from explorer.engine.models.errors import ModelError
from explorer.engine.models.local import EmbeddingsOnly, LocalModel
from explorer.engine.models.memory import Memory, free_memory
from explorer.engine.models.reading import weights_size
from explorer.engine.models.roster import Roster

Tiny = Callable[[str], Path]


@pytest.fixture
def mynah(tiny: Tiny, tmp_path: Path) -> str:
    """A directory called `mynah`."""
    (tmp_path / "mynah").symlink_to(tiny("llama"))
    return str(tmp_path / "mynah")


@pytest.fixture
def namesake(tiny: Tiny, tmp_path: Path) -> str:
    """Another directory called `mynah`."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mynah").symlink_to(tiny("gpt2"))
    return str(tmp_path / "other" / "mynah")


def names(roster: Roster) -> list[str]:
    return [info.name for info in roster.infos()]


def test_every_loaded_model_has_a_name_of_its_own(mynah: str, namesake: str) -> None:
    roster = Roster()
    for source, dtype in [(mynah, "auto"), (f"weights:{mynah}", "auto"), (mynah, "bfloat16"), (namesake, "auto")]:
        roster.load(source, dtype, "cpu")  # type: ignore[arg-type]
    assert names(roster) == ["mynah", "mynah(weights)", "mynah@bfloat16", "mynah-2"]
    assert roster.get("mynah-2").info.source == namesake


def test_second_load_of_the_same_is_the_first(mynah: str) -> None:
    roster = Roster()
    first = roster.load(mynah, device="cpu")
    assert roster.load(mynah, "float32", "cpu") is first  # what `auto` had chosen
    assert names(roster) == ["mynah"]


def test_weights_source_is_not_run(mynah: str) -> None:
    roster = Roster()
    assert isinstance(roster.load(f"weights:{mynah}"), EmbeddingsOnly)
    assert isinstance(roster.load(mynah, device="cpu"), LocalModel)


def test_model_is_found_by_name_or_source_and_unknown_ones_list_the_loaded(mynah: str) -> None:
    roster = Roster()
    with pytest.raises(ModelError, match="no model 'wren'") as refused:
        roster.get("wren")
    assert "none" in refused.value.hint
    model = roster.load(mynah, device="cpu")
    assert roster.get("mynah") is roster.get(mynah) is model
    with pytest.raises(ModelError, match="no model 'wren'") as refused:
        roster.unload("wren")
    assert "mynah" in refused.value.hint


def test_unloading_frees_the_weights_and_the_name(mynah: str) -> None:
    roster = Roster()
    model = roster.load(mynah, device="cpu")
    assert isinstance(model, LocalModel)
    held = [weakref.ref(model), weakref.ref(model.hf), weakref.ref(model.hf.get_input_embeddings().weight)]
    del model
    roster.unload("mynah")
    assert [reference() for reference in held] == [None, None, None]
    assert roster.infos() == ()
    assert roster.load(mynah, device="cpu").info.name == "mynah"


def test_load_that_would_not_fit_is_refused_with_numbers_before_it_starts(mynah: str) -> None:
    needed = weights_size(Path(mynah), torch.float32)
    told: list[str] = []
    tight = Roster(measure=lambda device: Memory(used=0, free=needed - 1, total=2**30))
    with pytest.raises(
        ModelError, match=r"mynah needs 152\.6 KiB as float32; 152\.6 KiB of 1\.0 GiB are free on cpu"
    ) as no:
        tight.load(mynah, "float32", "cpu", progress=lambda done, total, what: told.append(what))
    assert "Unload" in no.value.hint
    assert told == []
    assert tight.infos() == ()
    assert tight.load(mynah, "bfloat16", "cpu").info.name == "mynah"  # half the size fits
    assert Roster(measure=lambda device: Memory(used=0, free=needed, total=needed)).load(mynah, "float32", "cpu")


def test_size_in_a_dtype_is_known_from_the_headers(tiny: Tiny) -> None:
    single, half = (weights_size(tiny("llama"), dtype) for dtype in (torch.float32, torch.float16))
    assert single == 2 * half
    file = tiny("llama") / "model.safetensors"
    assert 0 < file.stat().st_size - single < 5_000  # the header


def test_failed_load_leaves_the_roster_as_it_was(mynah: str, tmp_path: Path) -> None:
    roster = Roster()
    roster.load(mynah, device="cpu")
    (tmp_path / "bare").mkdir()
    with pytest.raises(ModelError, match=r"no config\.json"):
        roster.load(str(tmp_path / "bare"))
    assert names(roster) == ["mynah"]


def test_progress_counts_the_bytes_of_the_weights(mynah: str) -> None:
    told: list[tuple[int, int, str]] = []
    Roster().load(mynah, device="cpu", progress=lambda done, total, what: told.append((done, total, what)))
    done, total, what = told[-1]
    assert done == total == weights_size(Path(mynah), torch.float32)
    assert what == "bytes hashed"


def test_memory_is_told_for_every_device() -> None:
    cpu = Roster().memory()[0]
    assert cpu.device == "cpu"
    assert 0 < cpu.used < cpu.total
    assert 0 < cpu.free <= cpu.total
    assert free_memory("cpu").total == cpu.total


def test_a_folder_without_a_tokenizer_is_given_anothers(tiny: Tiny, tmp_path: Path) -> None:
    """Its own end of replies stays: that is the model's, not the tokenizer's."""
    bare, other = tmp_path / "bare", tmp_path / "other"
    bare.mkdir()
    other.mkdir()
    for file in tiny("llama").iterdir():
        (other if file.name.startswith("tokenizer") else bare).joinpath(file.name).symlink_to(file)
    (bare / "generation_config.json").unlink(missing_ok=True)
    (bare / "generation_config.json").write_text('{"eos_token_id": 7}')
    roster = Roster()
    with pytest.raises(ModelError, match="has no tokenizer") as refused:
        roster.load(str(bare))
    assert "--tokenizer" in refused.value.hint
    model = roster.load(str(bare), tokenizer=str(other))
    assert model.info.tokenizer == str(other)
    assert model.vocabulary.digest() == roster.load(str(tiny("llama"))).vocabulary.digest()
    assert 7 in model.vocabulary.eos_ids
    assert roster.load(str(bare), tokenizer=str(other)) is model
    assert roster.load(f"weights:{bare}", tokenizer=str(other)).vocabulary.size == 320
    with pytest.raises(ModelError, match="no directory"):
        roster.load(str(bare), tokenizer=str(tmp_path / "nowhere"))


@pytest.fixture(autouse=True)
def thaw() -> object:
    """Loading freezes what is alive; the tests that follow shall not inherit that."""
    yield
    gc.unfreeze()
