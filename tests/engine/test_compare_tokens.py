"""Tokens side by side: the numbers are those of the matrices in float64, and of `neighbours`."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from explorer.base.errors import UsageError
from explorer.base.records.compare import CompareTokens, KnownReplies, TokenComparison
from explorer.base.records.inspect import InspectToken, TokenDetail
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.engine.answers.compare import nearness_of
from explorer.engine.handlers import Engine
from explorer.engine.models.abilities import weights_of
from explorer.specs.blocks import Table
from explorer.specs.registry import spec_of, summarise
from tests.engine_work import answer

IDS = (907, 512, 3, 2727)


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine()
    made.models.load("zoo:mynah")
    return made


def ask(engine: Engine, ids: tuple[int, ...], **more: Any) -> TokenComparison:
    found = answer(engine, CompareTokens(model="mynah", token_ids=ids, **more))
    assert isinstance(found, TokenComparison)
    return found


def test_cosines_and_distances_are_those_of_the_rows_in_float64(engine: Engine) -> None:
    found = ask(engine, IDS)
    assert [(pair.first, pair.second) for pair in found.pairs] == list(combinations(IDS, 2))
    embeddings = weights_of(engine.models.get("mynah")).embeddings()
    assert embeddings.output is not None
    for side, matrix in (("input", embeddings.input), ("output", embeddings.output)):
        rows = {token_id: matrix[token_id].double().numpy() for token_id in IDS}
        for pair in found.pairs:
            one, other = rows[pair.first], rows[pair.second]
            cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
            assert getattr(pair, f"{side}_cosine") == pytest.approx(cosine, abs=1e-12)
            assert getattr(pair, f"{side}_distance") == pytest.approx(np.linalg.norm(one - other), rel=1e-12)


def test_neighbours_and_compare_say_the_same_to_the_last_bit(engine: Engine) -> None:
    near = answer(engine, FindNeighbours(model="mynah", token_id=907, k=3))
    assert isinstance(near, Neighbourhood)
    ids = (907, *(neighbour.token.token_id for neighbour in near.neighbours))
    assert [pair.input_cosine for pair in ask(engine, ids).pairs[:3]] == [
        1 - neighbour.distance for neighbour in near.neighbours
    ]


def test_the_rows_are_those_of_the_details(engine: Engine) -> None:
    detail = answer(engine, InspectToken(model="mynah", token_id=512))
    assert isinstance(detail, TokenDetail)
    assert ask(engine, IDS).rows[1] == detail.row


def test_equal_and_broken_rows_have_numbers_that_say_so() -> None:
    rows = torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [float("nan"), 1.0]])
    equal, zero, broken, *_ = nearness_of(rows)
    assert equal == (1.0, 0.0)
    assert zero[0] == 0.0
    assert zero[1] == pytest.approx(5**0.5)
    assert broken == (None, None)


@pytest.mark.parametrize(
    ("ids", "said"),
    [((907,), "1 tokens cannot"), (tuple(range(9)), "9 tokens cannot"), ((5, 5), "twice"), ((5, 3072), "out of range")],
)
def test_what_cannot_be_compared_is_refused_with_a_hint(engine: Engine, ids: tuple[int, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        ask(engine, ids)
    assert refused.value.hint


def test_what_repeat_back_found_stands_beside_the_tokens_and_changes_no_number(engine: Engine) -> None:
    known = (KnownReplies(token_id=907, template="repeat-1", exact=0, samples=8),)
    found = ask(engine, IDS, repeated=known)
    assert found == ask(engine, IDS)
    request = CompareTokens(model="mynah", token_ids=IDS, repeated=known)
    table = next(iter(spec_of(request).blocks(request, found)))
    assert isinstance(table, Table)
    assert [row[-1] for row in table.rows] == ["repeat-1 exact 0/8", *["not asked"] * 3]
    assert "4 tokens, nearest" in summarise(found)
