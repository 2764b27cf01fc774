"""Numbers at either end of float64 prove nothing false: underflow and overflow are no way past the checker."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.own_direction import own_direction_winners
from explorer.engine.core.speakability.prove import prove
from explorer.engine.core.speakability.questions import Question, RowWitness, Weights, Witness
from tests.core.speakability.exact_truth import speakable
from tests.core.speakability.small_families import FAMILIES, bias_for
from tests.shapes import unchecked

ASKED = (
    Question("cone"),
    Question("cone", mean_zero=True),
    Question("ball", radius=2.0),
    Question("ball", radius=2.0, bias=True),
    Question("ball", radius=2.0, mean_zero=True),
    Question("ball", radius=2.0, bias=True, mean_zero=True),
    Question("box"),
    Question("box", bias=True),
)
TINY = (5e-324, 1e-310, 1e-300, 1e-250, 1e-200, 1e-170, 1e-162, 1e-150, 1e-100, 1e-40, 1e-3)
HUGE = (1e40, 1e100, 1e150, 1e200, 1e300, 1e308)
NO_IDS = np.zeros(0, dtype=np.int64)


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def whole(values: Any) -> Any:
    """Floats times 2^1074, which makes all of them whole numbers."""
    ratios = (value.as_integer_ratio() for value in values.ravel().tolist())
    return np.array([top << (1075 - bottom.bit_length()) for top, bottom in ratios], dtype=object).reshape(values.shape)


def wins(rows: Any, bias: Any, token_id: int, question: Question, x: Any) -> bool:
    """Whether the token leads at x, in whole numbers; is x admissible?"""
    point, unit = whole(x), 1 << 1074
    if question.mean_zero:
        point, unit = point * len(point) - point.sum(), unit * len(point)
    if question.mode == "ball" and (point**2).sum() > (Fraction(question.radius) * unit) ** 2:
        return False
    if question.mode == "box" and abs(point).max() > Fraction(question.radius) * unit:
        return False
    scores = whole(rows) @ point + (whole(bias) * unit if question.bias else 0)
    return bool((scores[token_id] > np.delete(scores, token_id)).all())


def octagon() -> Any:
    """Eight corners, and the middle of two of them, which never wins."""
    corners = np.array([[4, 1], [1, 4], [-1, 4], [-4, 1], [-4, -1], [-1, -4], [1, -4], [4, -1]], dtype=np.float64)
    return np.concatenate([np.c_[corners, -corners.sum(axis=1)], [[2.5, 2.5, -5.0]]])


@pytest.mark.parametrize("question", ASKED, ids=str)
@pytest.mark.parametrize("size", TINY + HUGE)
def test_a_corner_is_never_proved_unspeakable_by_the_size_of_its_weights(question: Question, size: float) -> None:
    rows = octagon()
    checker = Checker(rows, np.zeros(9), question)
    for token_id in range(8):
        other = np.array([(token_id + 1) % 8])
        both = np.array([(token_id + 1) % 8, (token_id + 2) % 8])
        for proof in (
            Weights(other, np.array([size])),
            Weights(other, np.array([size]), size),
            Weights(NO_IDS, np.zeros(0), size),
            Weights(other, np.array([1.0]), size),
            Weights(other, np.array([size]), 1.0),
            Weights(both, np.array([size, size])),
            Weights(both, np.array([size, 1.0])),
        ):
            assert checker.bound(token_id, proof) > 0
            assert not checker.proves(token_id, "unspeakable", proof)


@pytest.mark.parametrize("size", TINY + HUGE)
def test_true_weights_prove_whatever_their_size(size: float) -> None:
    """What the weights sum to does not matter."""
    halves = Weights(np.array([0, 1]), np.array([size, size]))
    for question in ASKED:
        assert Checker(octagon(), np.zeros(9), question).bound(8, halves) == 0


@pytest.mark.parametrize("question", ASKED, ids=str)
def test_a_midpoint_has_no_witness_however_small(question: Question) -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal((30, 6))
    rows[1:3] = random.integers(-(2**20), 2**20, (2, 6)) / 2.0**18
    rows[7] = (rows[1] + rows[2]) / 2
    checker, tie = Checker(rows, np.zeros(30), question), rows[1] - rows[2]
    for size in TINY + HUGE:
        x = random.standard_normal((300, 6)) + 3 * (rows[7] - rows.mean(axis=0))
        x -= np.outer(x @ tie, tie) / (tie @ tie)
        x *= min(size, 0.1) if question.mode != "cone" else min(size, 1e300)
        for token_id in (1, 2, 7):
            for point, lead in zip(x, checker.margins([token_id] * 300, x), strict=True):
                assert lead <= 0 or (token_id != 7 and wins(rows, np.zeros(30), token_id, question, point))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    power=st.integers(-1074, 1023),
    other=st.integers(-1074, 1023),
    asked=st.sampled_from(ASKED),
    family=st.sampled_from(sorted(FAMILIES)),
)
def test_scaled_proofs_prove_nothing_false(seed: int, power: int, other: int, asked: Question, family: str) -> None:
    """Witnesses and weights times any power of two, and one weight times another, held against exact fractions."""
    random = np.random.default_rng(seed)
    rows = FAMILIES[family](random, 7, 3)
    bias = bias_for(random, rows)
    checker = Checker(rows, bias, asked)
    for token_id in range(3):
        others = np.delete(np.arange(7), token_id)[: random.integers(1, 6)]
        weights = np.ldexp(random.random(len(others)), power)
        centre = float(np.ldexp(random.random(), other)) if random.random() < 0.5 else 0.0
        if random.random() < 0.3:
            weights[0] = np.ldexp(random.random(), other)
        if checker.proves(token_id, "unspeakable", Weights(others, weights, centre)):
            assert not speakable(rows, bias, token_id, asked)
        for base in (random.standard_normal(3), rows[token_id], rows[token_id] - rows.mean(axis=0)):
            x = np.ldexp(base, min(power, 1000))
            if checker.proves(token_id, "speakable", Witness(x)):
                assert wins(rows, bias, token_id, asked, x)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), power=st.integers(-1074, 1010), asked=st.sampled_from(ASKED), some=st.booleans())
def test_scaled_rows_prove_nothing_false(seed: int, power: int, asked: Question, some: bool) -> None:
    """All rows or a few of them tiny or huge; whatever is proved is so."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((7, 3))
    chosen = random.random(7) < (0.4 if some else 2.0)
    rows[chosen] = np.ldexp(rows[chosen], power)
    if not some:
        rows[6] = rows[0]  # a tie
    bias = random.integers(-1, 2, 7) * (1.0 if some else np.ldexp(1.0, power))
    checker = Checker(rows, bias, asked)
    if abs(power) > 600 and not some:
        assert not checker.in_range
    for token_id in range(7):
        others = np.array([(token_id + 1) % 7, (token_id + 2) % 7])
        for proof in (Weights(others, np.ones(2)), Weights(NO_IDS, np.zeros(0), 1.0), Weights(others[:1], np.ones(1))):
            if checker.proves(token_id, "unspeakable", proof):
                assert not speakable(rows, bias, token_id, asked)
        x = random.standard_normal(3) * 0.5
        if checker.proves(token_id, "speakable", Witness(x)):
            assert wins(rows, bias, token_id, asked, x)
        if checker.proves(token_id, "speakable", RowWitness()):
            assert wins(rows, bias, token_id, asked, checker.row_witness(token_id))


@pytest.mark.parametrize("question", ASKED, ids=str)
@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-160, 1e-60, 1e-30, 1e-20, 1e12, 1e20, 1e40, 1e60, 1e200, 1e300])
def test_verdicts_about_tiny_and_huge_rows_are_true(question: Question, size: float) -> None:
    random = np.random.default_rng(1)
    rows = np.round(random.standard_normal((40, 2)) * 8) / 8
    rows = np.c_[rows, rows[:, ::-1]] * size
    bias = random.integers(-1, 2, 40) * size
    verdicts = [verdict for part in prove(rows, bias, question) for verdict in part]
    assert len(verdicts) == 40
    for verdict in verdicts:
        if verdict.answer != "undecided":
            assert (verdict.answer == "speakable") == speakable(rows, bias, verdict.token_id, question)
    if not 1e-45 < size < 1e45:
        assert {verdict.answer for verdict in verdicts} == {"undecided"}


def test_own_directions_of_tiny_rows_are_not_won_by_underflow() -> None:
    rows = np.array([[1e-170, 1e-170], [1e-170, 2e-170], [-1e-165, 3e-180]])
    for part in own_direction_winners(rows):
        for token_id, winner, lead in zip(part.token_ids, part.winners, part.leads, strict=True):
            assert lead <= 0 or winner == np.argmax([math.fsum(row * rows[token_id] * 1e200 * 1e140) for row in rows])


@pytest.mark.parametrize(
    "proof",
    [
        unchecked(Weights, np.array([], dtype=np.float64), np.zeros(0), 5e-324),
        unchecked(Weights, np.array([1.0]), np.ones(1)),
        unchecked(Weights, np.array([2**70], dtype=object), np.ones(1)),
        Weights(np.array([1]), np.array([-1e308]), 1e-300),
        Weights(np.array([1]), np.array([math.inf])),
        Weights(np.array([1]), np.ones(1), math.inf),
        Weights(np.array([1]), np.ones(1), math.nan),
        Weights(np.array([1, 2]), np.array([1e308, 1e308])),
    ],
    ids=str,
)
def test_what_is_no_certificate_is_refused_without_a_word(proof: Weights) -> None:
    for question in ASKED:
        assert not Checker(octagon(), np.zeros(9), question).proves(0, "unspeakable", proof)
