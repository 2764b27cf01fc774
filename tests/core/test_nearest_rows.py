"""Nearest rows of every row, layouts of their graph, landmarks and quality, against brute force in float64."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from explorer.engine.core import landmarks, layout, nearest_rows
from explorer.engine.core.landmarks import choose_landmarks, place_others
from explorer.engine.core.layout import Phase, lay_out, settle, steps_of
from explorer.engine.core.map_quality import measure_quality, trustworthiness
from explorer.engine.core.nearest_rows import centred_directions, find_nearest, pairs_of_blocks, plain_rows

T = TypeVar("T")


def result(work: Generator[int, None, T]) -> tuple[T, list[int]]:
    said = []
    while True:
        try:
            said.append(next(work))
        except StopIteration as finished:
            found: T = finished.value
            return found, said


def groups(count: int, seed: int = 0, width: int = 24, kinds: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows in groups, and the group of each."""
    generator = torch.Generator().manual_seed(seed)
    middles = torch.randn(kinds, width, generator=generator) * 4
    of = torch.randint(0, kinds, (count,), generator=generator)
    return middles[of] + torch.randn(count, width, generator=generator) + 3.0, of


@pytest.mark.parametrize("prepare_of", [plain_rows, centred_directions])
def test_they_are_the_nearest_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch, prepare_of: object) -> None:
    assert callable(prepare_of)
    matrix, _ = groups(700)
    counted = torch.ones(700, dtype=torch.bool)
    counted[[0, 5, 699]] = False
    matrix[5] = torch.nan
    prepare = prepare_of(matrix, counted)
    exact = prepare(matrix).double()
    apart = torch.cdist(exact, exact, compute_mode="donot_use_mm_for_euclid_dist")
    apart[:, ~counted] = torch.inf
    apart.fill_diagonal_(torch.inf)
    expected = apart.topk(7, largest=False)
    for block in (64, 300, 2048):
        monkeypatch.setattr(nearest_rows, "_BLOCK", block)
        found, said = result(find_nearest(matrix, counted, 7, prepare))
        assert torch.allclose(apart.gather(1, found.rows.clamp(min=0).long())[counted], expected.values[counted])
        assert all(len(set(row)) == 7 for row in found.rows[counted].tolist())
        assert torch.allclose(found.distances[counted].double(), expected.values[counted], rtol=1e-5)
        assert (found.rows[~counted] == -1).all()
        assert found.distances[~counted].isnan().all()
        assert max(said) == pairs_of_blocks(697)


def test_twins_are_at_distance_0_and_a_row_alone_has_nobody() -> None:
    matrix, _ = groups(50)
    matrix[7] = matrix[33]
    everyone = torch.ones(50, dtype=torch.bool)
    found, _ = result(find_nearest(matrix, everyone, 1, plain_rows(matrix, everyone)))
    assert (int(found.rows[7, 0]), int(found.rows[33, 0])) == (33, 7)
    assert found.distances[[7, 33], 0].tolist() == [0, 0]
    two = torch.zeros(50, dtype=torch.bool)
    two[[3, 4]] = True
    found, _ = result(find_nearest(matrix, two, 4, plain_rows(matrix, two)))
    assert found.rows[3].tolist() == [4, -1, -1, -1]
    one = torch.zeros(50, dtype=torch.bool)
    one[3] = True
    found, _ = result(find_nearest(matrix, one, 2, plain_rows(matrix, one)))
    assert found.rows[3].tolist() == [-1, -1]


def test_a_layout_keeps_groups_together_and_is_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FORMING", (Phase(30, 12.0, 0.5), Phase(70, 1.0, 0.8)))
    matrix, of = groups(900)
    everyone = torch.ones(900, dtype=torch.bool)
    prepare = centred_directions(matrix, everyone)
    graph, _ = result(find_nearest(matrix, everyone, 15, prepare))
    start = torch.randn(900, 2, generator=torch.Generator().manual_seed(1))
    points, said = result(lay_out(graph.rows, start))
    assert said[-1] == 100 == len(said) / 2
    quality = measure_quality(matrix, everyone, points.numpy(), prepare)
    assert quality.recall > 0.4
    assert quality.trustworthiness > 0.9
    near = torch.cdist(points, points).fill_diagonal_(torch.inf).argmin(dim=1)
    assert (of[near] == of).float().mean() > 0.98
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    again, _ = result(lay_out(graph.rows, start))
    assert torch.equal(points, again)


def test_what_settles_stays_where_it_is_and_gathers_its_neighbours() -> None:
    matrix, _ = groups(900)
    everyone = torch.ones(900, dtype=torch.bool)
    prepare = centred_directions(matrix, everyone)
    graph, _ = result(find_nearest(matrix, everyone, 15, prepare))
    start, _ = result(lay_out(graph.rows, torch.randn(900, 2, generator=torch.Generator().manual_seed(1))))
    shaken = start + torch.randn(900, 2, generator=torch.Generator().manual_seed(2))
    points, said = result(settle(graph.rows, shaken))
    assert said[-1] == steps_of(layout.SETTLING)
    before, after = (measure_quality(matrix, everyone, each.numpy(), prepare).recall for each in (shaken, points))
    assert after > before + 0.1
    assert torch.corrcoef(torch.stack([points[:, 0], start[:, 0]]))[0, 1] > 0.9


def test_landmarks_found_by_short_products_are_those_of_exact_ones() -> None:
    matrix, _ = groups(600)
    known = torch.nn.functional.normalize(matrix[:200], dim=1)
    rows = torch.nn.functional.normalize(matrix[200:], dim=1)
    (quick, chosen), (plain, _) = landmarks._find_quick(known)(rows), landmarks._find_plain(known)(rows)
    assert torch.equal(quick.sort(descending=True).values, quick)
    assert torch.allclose(quick, (rows[:, None] * known[chosen]).sum(dim=2), atol=1e-6)
    assert (plain - quick).max() < 2**-8, "no farther than bfloat16 can tell"
    assert ((quick - plain).abs() < 1e-6).float().mean() > 0.99


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_tokens_have_places_too(count: int) -> None:
    nearest = torch.tensor([[(row + 1) % count if count > 1 else -1, -1] for row in range(count)])
    points, _ = result(lay_out(nearest, torch.zeros(count, 2)))
    assert points.isfinite().all()


def test_landmarks_hold_the_innermost_rows_and_the_others_stand_at_their_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(landmarks, "RANDOM", 60)
    monkeypatch.setattr(landmarks, "INNERMOST", 20)
    matrix, of = groups(600, kinds=4)
    counted = torch.ones(600, dtype=torch.bool)
    counted[9] = False
    matrix[9] = torch.nan
    chosen = choose_landmarks(matrix, counted, seed=0)
    assert torch.equal(chosen, choose_landmarks(matrix, counted, seed=0))
    assert not torch.equal(chosen, choose_landmarks(matrix, counted, seed=1))
    inner = torch.linalg.vector_norm(matrix - matrix[counted].mean(dim=0), dim=1)
    inner[9] = torch.inf
    assert set(inner.topk(20, largest=False).indices.tolist()) <= set(chosen.tolist())
    assert 60 <= len(chosen) <= 80
    corners = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])[of]
    placed, _ = result(place_others(matrix, counted, chosen, corners[chosen], centred_directions(matrix, counted)))
    assert torch.equal(placed[chosen], corners[chosen])
    assert placed[9].isnan().all()
    assert (placed[counted] - corners[counted]).abs().max() < 3
    assert torch.equal(choose_landmarks(matrix[:50], counted[:50], 0), counted[:50].nonzero()[:, 0])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_sampled_tokens_are_not_the_landmarks(seed: int) -> None:
    rows = torch.randn(20_000, 2, generator=torch.Generator().manual_seed(5))
    everyone = torch.ones(len(rows), dtype=torch.bool)
    landmarks = choose_landmarks(rows, everyone, seed)
    places = torch.randn(len(rows), 2, generator=torch.Generator().manual_seed(6))
    places[landmarks] = rows[landmarks]
    quality = measure_quality(rows, everyone, places.numpy(), plain_rows(rows, everyone))
    assert quality.sample == 1500
    assert quality.trustworthiness < 0.8, "eleven in twenty lie anywhere"


def test_trustworthiness_is_venna_and_kaskis() -> None:
    random = np.random.default_rng(0)
    rows, places = random.normal(size=(80, 6)), random.normal(size=(80, 2))
    penalty = 0.0
    for one in range(80):
        ranks = rankdata(np.linalg.norm(rows - rows[one], axis=1)) - 1
        apart = np.linalg.norm(places - places[one], axis=1)
        apart[one] = np.inf
        penalty += sum(max(0.0, ranks[other] - 10) for other in np.argsort(apart)[:10])
    expected = 1 - 2 * penalty / (80 * 10 * (160 - 31))
    assert trustworthiness(torch.from_numpy(rows), torch.from_numpy(places)) == pytest.approx(expected)
    assert trustworthiness(torch.from_numpy(rows), torch.from_numpy(rows[:, :2])) > expected
    assert np.isnan(trustworthiness(torch.from_numpy(rows[:10]), torch.from_numpy(places[:10])))


def test_a_plane_that_is_the_rows_keeps_everything() -> None:
    rows = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    everyone = torch.ones(400, dtype=torch.bool)
    quality = measure_quality(rows, everyone, rows.numpy(), plain_rows(rows, everyone))
    assert (quality.recall, quality.recall_100, quality.trustworthiness) == (1.0, 1.0, 1.0)
    assert quality.sample == 400
