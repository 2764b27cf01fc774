"""Winners along each token's own row, and the screening that finds most of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.planted import planted
from explorer.engine.core.speakability.geometry import Geometry, prepared
from explorer.engine.core.speakability.own_direction import own_direction_winners
from explorer.engine.core.speakability.screening import own_row_wins
from tests.core.speakability.small_families import FAMILIES


def winners_of(rows: Any, bias: Any = None) -> dict[int, tuple[int, float]]:
    parts = [part for part in own_direction_winners(rows, bias) if len(part.token_ids)]
    columns = [np.concatenate([part[at] for part in parts]) for at in range(3)]
    return {int(t): (int(winner), float(lead)) for t, winner, lead in zip(*columns, strict=True)}


@pytest.mark.parametrize("together", [8, 64])
@pytest.mark.parametrize("family", FAMILIES)
def test_winners_are_the_exact_ones(family: str, together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many tokens, where the easy ones are screened, and of so few that none is."""
    monkeypatch.setattr("explorer.engine.core.speakability.own_direction.TOGETHER", together)
    random = np.random.default_rng(0)
    rows = FAMILIES[family](random, 25, 4)
    rows[7] = 0
    bias = random.integers(-2, 3, 25) / 2.0
    for shift in (None, bias):
        found = winners_of(rows, shift)
        assert sorted(found) == list(range(25))
        exact = [[Fraction(value) for value in row] for row in rows.tolist()]
        for token_id, (winner, lead) in found.items():
            scores = [
                sum((a * b for a, b in zip(exact[token_id], row, strict=True)), Fraction(0))
                + (Fraction(0) if shift is None else Fraction(shift[other]))
                for other, row in enumerate(exact)
            ]
            best = max(scores)
            assert scores[winner] == best
            tied = sum(score == best for score in scores) > 1
            assert (lead == 0) == tied
            if tied:
                assert winner == scores.index(best)


def test_winners_of_a_larger_vocabulary_are_those_of_float64() -> None:
    vocabulary = planted(2000, 64)
    rows = vocabulary.rows.astype(np.float64)
    found = winners_of(vocabulary.rows)
    scores = rows @ rows.T
    top = np.sort(scores, axis=1)[:, -2:]
    for token_id in np.flatnonzero(top[:, 1] - top[:, 0] > 1e-9).tolist():
        assert found[token_id][0] == scores[token_id].argmax()
        assert 0 < found[token_id][1] <= top[token_id, 1] - top[token_id, 0] + 1e-9


def geometry_of(rows: Any) -> Geometry:
    work = prepared(rows, mean_zero=False, device=torch.device("cpu"))
    while True:
        try:
            next(work)
        except StopIteration as done:
            geometry: Geometry = done.value
            return geometry


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("with_bias", [False, True])
def test_screening_in_float32_claims_no_more_than_float64_grants(family: str, with_bias: bool) -> None:
    random = np.random.default_rng(1)
    rows = FAMILIES[family](random, 300, 30)
    geometry = geometry_of(rows)
    bias = random.standard_normal(300) if with_bias else None
    reach = np.where(geometry.norms > 0, 2.0 / np.maximum(geometry.norms, 1e-300), 0.0)
    centred = rows - rows.mean(axis=0)
    for won, leads in own_row_wins(geometry, bias, reach, np.arange(300)):
        for token_id, lead in zip(won.tolist(), leads.tolist(), strict=True):
            scores = reach[token_id] * (centred @ centred[token_id]) + (0.0 if bias is None else bias)
            actual = scores[token_id] - np.delete(scores, token_id).max()
            assert 0 < lead <= actual + 1e-9 * np.abs(scores).max()


@pytest.mark.parametrize("together", [1, 64])
def test_less_the_mean_row_the_one_that_has_most_of_what_all_share_no_longer_wins_everywhere(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr("explorer.engine.core.speakability.own_direction.TOGETHER", together)
    monkeypatch.setattr("explorer.engine.core.speakability.own_direction.SCORES", 50)
    rows = np.random.default_rng(0).standard_normal((50, 40)) + 10.0
    rows[7] *= 1.5
    plain = {one: won for part in own_direction_winners(rows) for one, won in zip(*part[:2], strict=True)}
    assert set(plain.values()) == {7}
    centred = {
        one: won for part in own_direction_winners(rows, centred=True) for one, won in zip(*part[:2], strict=True)
    }
    apart = rows - rows.mean(axis=0)
    assert [centred[one] for one in range(50)] == (apart @ apart.T).argmax(axis=1).tolist()
    assert sum(one == won for one, won in centred.items()) > 40
