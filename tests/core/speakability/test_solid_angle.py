"""Shares of directions against exact answers."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from explorer.engine.core.speakability.solid_angle import SolidAngle, solid_angle, winners


def finished(work: Generator[float, None, SolidAngle]) -> SolidAngle:
    while True:
        try:
            next(work)
        except StopIteration as done:
            estimate: SolidAngle = done.value
            return estimate


def orthant(width: int) -> Any:
    return np.vstack([np.zeros(width), -np.eye(width)])


def wedge(share: float) -> Any:
    """Token 0 wins in a wedge of this share of the circle."""
    half = math.pi * share
    return np.array([[0.0, 0.0], [-math.sin(half), math.cos(half)], [-math.sin(half), -math.cos(half)]])


def triangle(corners: Any) -> tuple[Any, float]:
    """Rows for which token 0 wins in the cone over three directions, and the share of the sphere that it covers (Van
    Oosterom and Strackee 1983)."""
    a, b, c = corners / np.linalg.norm(corners, axis=1, keepdims=True)
    volume = abs(np.dot(a, np.cross(b, c)))
    angle = 2 * math.atan2(volume, 1 + a @ b + b @ c + c @ a)
    sign = np.sign(np.dot(a, np.cross(b, c)))
    inward = sign * np.array([np.cross(a, b), np.cross(b, c), np.cross(c, a)])
    return np.vstack([np.zeros(3), -inward]), angle / (4 * math.pi)


def check(rows: Any, share_log10: float, **options: Any) -> None:
    estimate = finished(solid_angle(rows, 0, **options))
    assert estimate.found
    assert estimate.log10 == pytest.approx(share_log10, abs=max(4 * estimate.stderr, 0.05))
    assert 0 < estimate.stderr < 0.3 + 0.01 * abs(share_log10)


@pytest.mark.parametrize("share", [0.4, 0.1, 1e-2, 1e-3])
def test_wedges_of_the_plane(share: float) -> None:
    check(wedge(share), math.log10(share))


def test_triangles_of_the_sphere() -> None:
    for seed in range(3):
        rows, share = triangle(np.random.default_rng(seed).standard_normal((3, 3)) + np.array([2.0, 0.0, 0.0]))
        check(rows, math.log10(share), seed=seed)


@pytest.mark.parametrize("width", [3, 20, 60])
def test_an_orthant_is_one_of_two_to_the_width(width: int) -> None:
    check(orthant(width), -width * math.log10(2))


def test_an_orthant_of_a_share_below_1e_30() -> None:
    check(orthant(101), -101 * math.log10(2))


def test_tokens_of_a_simplex_share_equally() -> None:
    check(np.eye(200), -math.log10(200))


def test_the_mean_of_x_counts_for_nothing_where_it_must_be_zero() -> None:
    rows = np.eye(6) + 5 * np.arange(6)[:, None]
    check(rows, -math.log10(6), mean_zero=True)


def test_rivals_left_out_of_the_moves_still_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.engine.core.speakability.solid_angle.CANDIDATES", 8)
    check(orthant(16), -16 * math.log10(2))


def test_walls_too_many_to_be_multiplied_ahead_reflect_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    before = finished(solid_angle(orthant(12), 0, populations=4, seed=5))
    monkeypatch.setattr("explorer.engine.core.speakability.solid_angle.MULTIPLIED", 0)
    after = finished(solid_angle(orthant(12), 0, populations=4, seed=5))
    assert after.log10 == pytest.approx(before.log10, abs=1e-3 + 4 * before.stderr)
    check(orthant(12), -12 * math.log10(2))


def test_the_same_seed_gives_the_same_estimate_and_another_another() -> None:
    first, again, other = (finished(solid_angle(orthant(10), 0, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.log10 != other.log10


def test_estimates_from_few_members_are_right_on_average() -> None:
    """Counting the member that sets a level as inside it makes every share too large: here by 0.3."""
    logs = [
        finished(solid_angle(orthant(12), 0, seed=seed, populations=2, members=16)).log10 + 12 * math.log10(2)
        for seed in range(40)
    ]
    assert abs(math.log10(np.mean([10**log for log in logs]))) < 0.15


def test_a_token_that_wins_nowhere_falls_to_the_floor() -> None:
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]])
    estimate = finished(solid_angle(rows, 0, floor=-4.0))
    assert not estimate.found
    assert estimate.log10 <= -4


def test_progress_goes_down_and_can_be_stopped() -> None:
    work = solid_angle(orthant(40), 0)
    reached = [next(work) for _ in range(12)]
    work.close()
    assert reached == sorted(reached, reverse=True)
    assert reached[-1] < reached[0]


def test_winners_of_random_directions_are_counted() -> None:
    counts = list(winners(np.eye(5), 4000))
    assert [part.sum() for part in counts[:3]] == [128, 256, 384]
    assert counts[-1].sum() == 4000
    assert np.abs(counts[-1] / 4000 - 0.2).max() < 5 * math.sqrt(0.2 * 0.8 / 4000)
