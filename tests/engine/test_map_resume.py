"""A layout that is stopped goes on where it was, and ends as it would have without a stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from platformdirs import user_cache_path

from explorer.base.records.maps import ReadMap, VocabularyMap
from explorer.base.records.record import Progress
from explorer.base.records.unions import AnyOutcome, Cancelled
from explorer.engine.answers.maps import unfinished
from explorer.engine.control import Control
from explorer.engine.core import landmarks, layout, nearest_rows
from explorer.engine.core.layout import Phase
from explorer.engine.handlers import Engine
from explorer.engine.models.local import Held
from explorer.engine.queue import Work
from tests.behaviour.behaviour_fakes import run_through

REQUEST = ReadMap(model="mynah", plane="neighbours")
STEPS, BLOCKS = "steps of the layout", "blocks of rows compared, for the neighbours of each"
OTHERS, NEAREST = "tokens placed at their nearest landmarks", "blocks of rows compared, for the nearest of each"


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (layout, unfinished):
        monkeypatch.setattr(module, "FORMING", (Phase(10, 12.0, 0.5), Phase(10, 1.0, 0.8)))
        monkeypatch.setattr(module, "SETTLING", (Phase(20, 1.0, 0.8),))
    monkeypatch.setattr(nearest_rows, "_BLOCK", 512)


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine()
    made.models.load("zoo:mynah")
    return made


def fresh_engine(engine: Engine, kept_as: str) -> Engine:
    """One that knows nothing of maps but what is on the disk under that key."""
    model = engine.models.get("mynah")
    assert isinstance(model, Held)
    model.kept_as = kept_as
    fresh = Engine(engine.models)
    fresh.vocabularies = engine.vocabularies
    return fresh


def stop_at(engine: Engine, what: str, done: int, request: ReadMap = REQUEST) -> list[Progress]:
    """Ask for the map, and stop it at that step; the parts that came."""
    parts: list[Progress] = []
    work = engine.begin(request, Control(cancelled=lambda: _is_reached(parts, what, done), tell=lambda part: None))
    _, outcome = run_through(_noted(work, parts))
    assert outcome == Cancelled()
    return parts


def _noted(work: Work, parts: list[Progress]) -> Work:
    while True:
        try:
            part = next(work)
        except StopIteration as end:
            outcome: AnyOutcome = end.value
            return outcome
        assert isinstance(part, Progress)
        parts.append(part)
        yield part


def _is_reached(parts: list[Progress], what: str, done: int) -> bool:
    return bool(parts) and parts[-1].what.startswith(what) and parts[-1].done >= done


def finish(engine: Engine, request: ReadMap = REQUEST) -> tuple[list[Progress], VocabularyMap]:
    parts, found = run_through(engine.begin(request, Control(cancelled=lambda: False, tell=lambda part: None)))
    assert isinstance(found, VocabularyMap)
    return parts, found


def test_a_sample_s_layout_goes_on_in_each_of_its_parts(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "RANDOM", 1_400)
    monkeypatch.setattr(landmarks, "INNERMOST", 200)
    monkeypatch.setattr(landmarks, "_BLOCK", 256)
    request = ReadMap(model="mynah", plane="landmarks")
    _, expected = finish(fresh_engine(engine, "e" * 32), request)
    parts_of_it = (("blocks of landmarks compared", 5), ("steps of the landmarks' layout", 11), (OTHERS, 1_024))
    for what, done in parts_of_it:
        parts = stop_at(fresh_engine(engine, "f" * 32), what, done, request)
        assert parts[-1].done < parts[-1].total, "in the middle"
        assert len(unfinished_files()) == 1
    parts, found = finish(fresh_engine(engine, "f" * 32), request)
    assert {part.what for part in parts} == {f"{OTHERS}, resumed at 1,024"}, "nothing before it is done again"
    assert parts[0].done == 1_280
    assert np.array_equal(found.x.numpy(), expected.x.numpy(), equal_nan=True)
    assert np.array_equal(found.y.numpy(), expected.y.numpy(), equal_nan=True)
    assert unfinished_files() == []
    graphs = list((user_cache_path("glitch-explore") / "maps" / "keptgraph").glob("*.msgpack"))
    assert graphs == [], "the landmarks' own is of no more use"


def test_distances_to_the_nearest_row_go_on_too(engine: Engine) -> None:
    request = ReadMap(model="mynah", plane="nearest")
    _, expected = finish(fresh_engine(engine, "g" * 32), request)
    stop_at(fresh_engine(engine, "h" * 32), NEAREST, 9, request)
    assert len(unfinished_files()) == 1
    parts, found = finish(fresh_engine(engine, "h" * 32), request)
    compared = [part for part in parts if part.what.startswith(NEAREST)]
    assert (compared[0].done, compared[0].what) == (10, f"{NEAREST}, resumed at 9")
    assert np.array_equal(found.x.numpy(), expected.x.numpy(), equal_nan=True)
    assert unfinished_files() == []


def unfinished_files() -> list[Path]:
    maps, kinds = user_cache_path("glitch-explore") / "maps", ("keptmidway", "keptcompared", "keptplaced")
    return [file for kind in kinds for file in (maps / kind).glob("*.msgpack")]


def test_what_was_stopped_goes_on_to_the_same_map_in_another_engine(engine: Engine) -> None:
    _, expected = finish(fresh_engine(engine, "a" * 32))
    parts = stop_at(fresh_engine(engine, "b" * 32), BLOCKS, 9)
    assert parts[-1].done < parts[-1].total
    assert len(unfinished_files()) == 1
    parts = stop_at(fresh_engine(engine, "b" * 32), STEPS, 11)
    compared = [part for part in parts if part.what.startswith(BLOCKS)]
    assert (compared[0].done, compared[0].what) == (10, f"{BLOCKS}, resumed at 9")
    assert len(unfinished_files()) == 1, "the graph is whole, and the layout is not"
    parts, found = finish(fresh_engine(engine, "b" * 32))
    assert {part.what for part in parts} == {f"{STEPS}, resumed at 11"}
    assert parts[0].reused == 11
    assert np.array_equal(found.x.numpy(), expected.x.numpy(), equal_nan=True)
    assert np.array_equal(found.y.numpy(), expected.y.numpy(), equal_nan=True)
    assert unfinished_files() == []


def test_what_was_stopped_is_damaged_and_is_done_anew(engine: Engine) -> None:
    stop_at(fresh_engine(engine, "c" * 32), STEPS, 11)
    (file,) = unfinished_files()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    parts, _ = finish(fresh_engine(engine, "c" * 32))
    assert parts[0].done == 0
    assert parts[0].what == STEPS


def test_an_engine_that_is_ended_has_kept_what_it_had(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "SAVE_EVERY", 0.0)
    work = fresh_engine(engine, "d" * 32).begin(REQUEST, Control(cancelled=lambda: False, tell=lambda part: None))
    parts: list[Progress] = []
    noted = _noted(work, parts)
    while not _is_reached(parts, STEPS, 15):
        next(noted)
    assert len(unfinished_files()) == 1, "before it is stopped"
    parts, _ = finish(fresh_engine(engine, "d" * 32))
    assert parts[0].reused >= 14


def test_a_small_model_that_is_not_kept_on_disk_goes_on_too(engine: Engine) -> None:
    fresh = fresh_engine(engine, "")
    stop_at(fresh, STEPS, 11)
    parts, _ = finish(fresh)
    assert parts[0].reused == 11
    assert unfinished_files() == []
