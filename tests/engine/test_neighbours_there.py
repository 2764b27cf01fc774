"""A token's neighbours in two models: against the rows, by bytes, and what is said without a namesake."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.base.records.maps import ReadMap, VocabularyMap
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.plain import dump_json, load_json
from explorer.base.records.record import Progress
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import weights_of
from explorer.specs.comparing.agreement import Comparison
from explorer.specs.neighbours import compare
from explorer.specs.neighbours_there import kept_words, marks_here, marks_there
from explorer.specs.registry import REGISTRY
from tests.engine_work import CONTROL, answer

TOKEN, K = 300, 10


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine()
    for name in ("mynah", "mynah-instruct", "starling"):
        made.models.load(f"zoo:{name}")
    return made


def ask(engine: Engine, other: str, model: str = "mynah", token_id: int = TOKEN) -> Neighbourhood:
    found = answer(engine, FindNeighbours(model=model, token_id=token_id, k=K, other=other))
    assert isinstance(found, Neighbourhood)
    return found


def test_the_first_turn_says_what_is_done_and_how_far() -> None:
    engine = Engine()
    for name in ("mynah", "mynah-instruct"):
        engine.models.load(f"zoo:{name}")
    request = FindNeighbours(model="mynah", token_id=TOKEN, k=K, other="mynah-instruct")
    parts = [part for part in engine.begin(request, CONTROL) if isinstance(part, Progress)]
    assert "matching the tokens of mynah and mynah-instruct" in [part.what for part in parts]
    counts = [(part.done, part.total) for part in parts if part.what == "rows laid over the other model's"]
    assert counts
    assert counts == sorted(counts)
    assert counts[-1][0] == counts[-1][1] > 0


def nearest(engine: Engine, model: str) -> list[int]:
    rows = weights_of(engine.models.get(model)).embeddings().input.double()
    cosines = torch.nn.functional.cosine_similarity(rows, rows[TOKEN], dim=1)
    cosines[TOKEN] = -2
    ids: list[int] = cosines.topk(K).indices.tolist()
    return ids


def test_both_lists_are_the_nearest_rows_of_their_model_and_those_of_both_are_marked(engine: Engine) -> None:
    found = ask(engine, "mynah-instruct")
    there = found.there
    assert there is not None
    ours, theirs = nearest(engine, "mynah"), nearest(engine, "mynah-instruct")
    assert [entry.token.token_id for entry in found.neighbours] == ours
    assert [entry.token.token_id for entry in there.neighbours] == theirs
    both = set(ours) & set(theirs)  # one tokenizer: equal ids are equal bytes
    assert set(found.ranks_there) == both
    assert found.ranks_there == {token_id: theirs.index(token_id) + 1 for token_id in both}
    assert [mark == "=" for mark in marks_here(found)] == [token_id in both for token_id in ours]
    assert [mark == "=" for mark in marks_there(found)] == [token_id in both for token_id in theirs]
    assert (there.absent, there.absent_here) == ((), ())
    assert kept_words(found).startswith(f"{len(both)} of 10 near in mynah-instruct too (=); moved 0.")


def test_how_far_it_moved_is_what_the_map_says(engine: Engine) -> None:
    column = answer(engine, ReadMap(model="mynah", plane="moved", other="mynah-instruct"))
    assert isinstance(column, VocabularyMap)
    there = ask(engine, "mynah-instruct").there
    assert there is not None
    moved = column.y.numpy()
    assert there.moved == pytest.approx(float(moved[TOKEN]))
    less = moved[np.isfinite(moved)] < moved[TOKEN]
    assert there.moved_more_than == pytest.approx(float(less.mean()))


def test_a_token_without_a_namesake_has_no_list_there(engine: Engine) -> None:
    found = ask(engine, "mynah", "starling", 3_080)
    assert found.there is not None
    assert (found.there.token, found.there.neighbours, found.ranks_there) == (None, (), {})
    assert kept_words(found) == "mynah has no token with these bytes"
    spec = REGISTRY.of(FindNeighbours(model="starling", token_id=3_080, other="mynah"))
    assert list(spec.json_rows(found))


def test_it_is_recorded_read_again_and_compared(engine: Engine) -> None:
    found, request = ask(engine, "starling"), FindNeighbours(model="mynah", token_id=TOKEN, k=K, other="starling")
    assert load_json(dump_json(found), Neighbourhood) == found
    assert compare(request, found, found, Comparison()).difference == ""
    plain = ask(engine, "")
    assert plain.there is None
    assert compare(request, found, plain, Comparison()).difference
    assert len(list(REGISTRY.of(request).blocks(request, found))) == 4
