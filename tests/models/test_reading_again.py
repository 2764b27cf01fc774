"""Models whose weights wait until they must run, and models that are not read a second time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from explorer.base.records.record import Progress
from explorer.base.records.repeat_back import RepeatBack
from explorer.base.records.vocabulary import ReadVocabulary, VocabularyColumns
from explorer.base.templates import find_template
from explorer.engine import kept
from explorer.engine.handlers import Engine
from explorer.engine.models import loading, reading
from explorer.engine.models.errors import ModelError
from explorer.engine.models.local import LocalModel
from explorer.engine.models.memory import Memory
from explorer.engine.models.roster import Roster
from explorer.engine.models.vocabulary import Vocabulary
from tests.behaviour.behaviour_fakes import run_through
from tests.engine_work import CONTROL, answer

Tiny = Callable[[str], Path]


@pytest.fixture
def everything_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest model is treated as a large one."""
    monkeypatch.setattr(loading, "AT_ONCE", 0)
    monkeypatch.setattr(reading, "FEW", 0)


@pytest.fixture
def llama(tiny: Tiny, tmp_path: Path) -> Path:
    """A folder of its own, whose files may be changed."""
    folder = tmp_path / "llama"
    folder.mkdir()
    for file in tiny("llama").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def read(source: object) -> tuple[Roster, LocalModel]:
    """As the next start of the program would load it."""
    roster = Roster()
    model = roster.load(str(source), device="cpu")
    assert isinstance(model, LocalModel)
    return roster, model


def refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError("it was read")


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gptj", "mamba"])
def test_what_is_told_of_a_model_that_waits_is_what_is_told_of_it_filled(
    kind: str, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, filled = read(tiny(kind))
    monkeypatch.setattr(loading, "AT_ONCE", 0)
    _, waiting = read(tiny(kind))
    assert (filled.is_filled, waiting.is_filled) == (True, False)
    told = waiting.info
    assert told == filled.info
    prompts = [[5, 6, 7]]
    assert (waiting.start(prompts).logits == filled.start(prompts).logits).all()
    assert waiting.is_filled
    assert waiting.info == told


@pytest.mark.usefixtures("everything_counts")
def test_the_second_start_reads_neither_vocabulary_nor_matrices_for_the_table(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Engine()
    told = first.models.load(str(llama), device="cpu").info
    columns = answer(first, ReadVocabulary(model="llama"))
    with monkeypatch.context() as patched:
        for part in ("vocabulary", "matrices"):
            patched.setattr(loading.DirectoryFiles, part, property(refuse))
        second = Engine()
        assert second.models.load(str(llama), device="cpu").info == told
        assert answer(second, ReadVocabulary(model="llama")) == columns
        with pytest.raises(AssertionError, match="it was read"):
            answer(second, ReadVocabulary(model="llama", unused_ids=(5, 6)))  # other numbers, not kept yet
    chosen = answer(second, ReadVocabulary(model="llama", unused_ids=(5, 6)))
    assert isinstance(chosen, VocabularyColumns)
    assert chosen != columns
    assert second.models.get("llama").vocabulary.encode("the mynah") == first.models.get("llama").vocabulary.encode(
        "the mynah"
    )


@pytest.mark.usefixtures("everything_counts")
def test_changed_files_are_read_anew(llama: Path) -> None:
    engine = Engine()
    engine.models.load(str(llama), device="cpu")
    before = answer(engine, ReadVocabulary(model="llama"))
    assert isinstance(before, VocabularyColumns)
    file = llama / "model.safetensors"
    tensors = load_file(file)
    tensors["model.embed_tokens.weight"] = 2 * tensors["model.embed_tokens.weight"]
    save_file(tensors, file, {"format": "pt"})  # of the same size, and later
    engine = Engine()
    engine.models.load(str(llama), device="cpu")
    after = answer(engine, ReadVocabulary(model="llama"))
    assert isinstance(after, VocabularyColumns)
    norms = [columns.indicators["input_norm"].numpy() for columns in (before, after)]
    assert np.allclose(2 * norms[0], norms[1])


@pytest.mark.usefixtures("everything_counts")
@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"\x81"])
def test_a_damaged_file_of_the_cache_is_computed_anew(llama: Path, damage: bytes) -> None:
    engine = Engine()
    told = engine.models.load(str(llama), device="cpu").info
    columns = answer(engine, ReadVocabulary(model="llama"))
    files = [*(Path(os.environ["XDG_CACHE_HOME"]) / "glitch-explore").rglob("*.msgpack")]
    assert {file.parent.name for file in files} == {"models", "columns"}
    for file in files:
        file.write_bytes(damage)
    engine = Engine()
    assert engine.models.load(str(llama), device="cpu").info == told
    assert answer(engine, ReadVocabulary(model="llama")) == columns
    assert all(len(file.read_bytes()) > 100 for file in files)  # and kept again


@pytest.mark.usefixtures("everything_counts")
def test_a_cache_that_cannot_be_written_is_no_fault(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = llama / "blocked"
    blocked.write_text("a file, and no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    engine = Engine()
    engine.models.load(str(llama), device="cpu")
    assert isinstance(answer(engine, ReadVocabulary(model="llama")), VocabularyColumns)


def test_the_least_recently_used_of_the_kept_files_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_FILES", 3)
    things = {str(number): Progress(done=number, total=9, what="") for number in range(4)}
    folder = Path(os.environ["XDG_CACHE_HOME"]) / "glitch-explore" / "things"
    for number, (key, thing) in enumerate(list(things.items())[:3]):
        kept.remember("things", key, thing)
        os.utime(folder / f"{key}.msgpack", ns=(number, number))
    assert kept.recall("things", "0", Progress) == things["0"]  # used just now
    kept.remember("things", "3", things["3"])
    found = {key for key in things if kept.recall("things", key, Progress) is not None}
    assert found == {"0", "2", "3"}


@pytest.mark.usefixtures("everything_counts")
def test_a_fault_of_the_weights_is_told_when_they_are_needed_and_geometry_stays(llama: Path) -> None:
    file = llama / "model.safetensors"
    tensors = load_file(file)
    del tensors["model.norm.weight"]
    save_file(tensors, file, {"format": "pt"})
    engine = Engine()
    engine.models.load(str(llama), device="cpu")
    request = RepeatBack(model="llama", token_id=7, template=find_template("repeat-1"))
    for _ in range(2):
        with pytest.raises(ModelError, match=r"lack 1 of the model's tensors \(model\.norm\.weight"):
            answer(engine, request)
    assert isinstance(answer(engine, ReadVocabulary(model="llama")), VocabularyColumns)


@pytest.mark.usefixtures("everything_counts")
def test_reading_the_weights_is_told_before_a_model_first_runs(llama: Path) -> None:
    engine = Engine()
    engine.models.load(str(llama), device="cpu")
    request = RepeatBack(model="llama", token_id=7, template=find_template("repeat-1"))
    told = [
        [part.what for part in run_through(engine.begin(request, CONTROL))[0] if isinstance(part, Progress)]
        for _ in range(2)
    ]
    assert told[0][0] == "reading the weights of llama to run it"
    assert "reading the weights of llama to run it" not in told[1]


@pytest.mark.usefixtures("everything_counts")
def test_room_is_kept_for_models_that_have_not_run_yet(llama: Path) -> None:
    free = 2**30
    roster = Roster(measure=lambda device: Memory(used=0, free=free, total=2**30))
    other = shutil.copytree(llama, llama.with_name("other"))
    first = roster.load(str(llama), device="cpu")
    free = first.info.memory_bytes + reading.weights_size(other, torch.float32) - 1
    with pytest.raises(ModelError, match="other needs"):
        roster.load(str(other), device="cpu")
    assert isinstance(first, LocalModel)
    first.fill()  # now its memory is taken, and no longer only promised
    assert roster.load(str(other), device="cpu").info.name == "other"


@pytest.mark.usefixtures("everything_counts")
def test_the_day_of_a_chat_template_is_of_the_start_and_not_of_what_was_kept(llama: Path) -> None:
    (llama / "chat_template.jinja").write_text("{{ strftime_now('%Y') }} {{ messages[0]['content'] }}")
    days = [Roster().load(str(llama), device="cpu", chat_day=day).info.chat_day for day in ("2024-07-26", "2025-01-01")]
    assert days == ["2024-07-26", "2025-01-01"]
    model = Roster().load(str(llama), device="cpu", chat_day="2025-01-01")
    assert model.vocabulary.chat_prompt("say it") == "2025 say it"


def test_what_is_kept_names_the_files_and_what_was_asked_of_them(llama: Path, tiny: Tiny) -> None:
    keys = {
        kept.fingerprint([llama], ()),
        kept.fingerprint([tiny("llama")], ()),
        kept.fingerprint([llama], ("float32",)),
        kept.fingerprint([llama, tiny("gpt2")], ()),
    }
    assert len(keys) == 4
    before = kept.fingerprint([llama], ())
    (llama / "tokenizer_config.json").write_text("{}")
    assert kept.fingerprint([llama], ()) != before
    assert Vocabulary.from_directory(llama).size > 0


def test_models_of_few_tokens_are_not_kept(llama: Path) -> None:
    _, model = read(llama)
    assert model.kept_as == ""
    assert not (Path(os.environ["XDG_CACHE_HOME"]) / "glitch-explore" / "models").exists()
