"""SettledTokens are right, and proved: against exact rational truth, on planted tokens, and by laws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from benchmarks.planted import Planted, planted
from explorer.engine.core.speakability.biases import bound_below
from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.exact_sums import lengths
from explorer.engine.core.speakability.geometry import ENOUGH, Ground
from explorer.engine.core.speakability.prove import FEW, prove
from explorer.engine.core.speakability.questions import Question, RowWitness, Settled, Weights
from tests.core.speakability.exact_truth import speakable
from tests.core.speakability.small_families import FAMILIES, bias_for

ROUNDING = Fraction(1, 10**9)
"""Undecided is allowed where the exact lead is within this, relative to the largest score there can be."""
INSTANCES = 15
PACKAGE = "explorer.engine.core.speakability"


def verdicts_of(rows: Any, bias: Any, question: Question, **options: Any) -> dict[int, Settled]:
    found = [verdict for part in prove(rows, bias, question, **options) for verdict in part]
    assert len({verdict.token_id for verdict in found}) == len(found)
    return {verdict.token_id: verdict for verdict in found}


def answers(verdicts: dict[int, Settled]) -> dict[int, str]:
    return {token_id: verdicts[token_id].answer for token_id in sorted(verdicts)}


def questions(radius: int) -> Iterator[Question]:
    yield Question("cone")
    yield Question("ball", radius=radius, bias=True)
    yield Question("ball", radius=radius, bias=True, mean_zero=True)
    yield Question("ball", radius=radius, mean_zero=True)
    yield Question("box", radius=radius, bias=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_verdicts_are_the_exact_truth(family: str) -> None:
    counts = sum((compare_with_truth(family, seed) for seed in range(INSTANCES)), Counter[str]())
    assert counts["undecided"] < 0.2 * counts.total()


@pytest.mark.parametrize("mode", ["ball", "box"])
@pytest.mark.parametrize("with_shift", [False, True])
def test_forbidden_tokens_are_unspeakable_and_the_others_what_they_are_without_them(
    mode: Any, with_shift: bool
) -> None:
    """Tokens that a model forbids have a bias of minus infinity."""
    random = np.random.default_rng(5)
    rows, bias = random.normal(size=(60, 4)), 2 * random.normal(size=60)
    shift = random.normal(size=4) if with_shift else None
    forbidden = np.arange(60) % 7 == 3
    bias[forbidden] = -np.inf
    finite = bound_below(bias, float(lengths(rows).max()), shift, 4)
    assert np.isfinite(finite).all()
    assert np.array_equal(finite[~forbidden], bias[~forbidden])
    question = Question(mode, radius=2 if mode == "ball" else 1, bias=True)
    all_of_them = answers(verdicts_of(rows, finite, question, shift=shift))
    others = answers(verdicts_of(rows[~forbidden], bias[~forbidden], question, shift=shift))
    assert {all_of_them[place] for place in np.flatnonzero(forbidden).tolist()} == {"unspeakable"}
    assert [all_of_them[place] for place in np.flatnonzero(~forbidden).tolist()] == list(others.values())
    assert {"speakable", "unspeakable"} == set(others.values())


def test_a_row_that_is_nothing_but_rounding_proves_nothing() -> None:
    """Found by the benchmark's random instances: less its mean entry, token 2 is the mean row but for 1e-16."""
    compare_with_truth("cross", 1157)
    rows = np.array([[-1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    verdicts = verdicts_of(rows, None, Question("ball", radius=3, mean_zero=True))
    assert "speakable" not in answers(verdicts).values()


def compare_with_truth(family: str, seed: int) -> Counter[str]:
    """Put all questions about a random instance; some tokens of each are compared with the truth, and counted."""
    random = np.random.default_rng([seed, *family.encode()])
    vocab, width = min(200, 2 + int(random.geometric(1 / 20))), min(20, 1 + int(random.geometric(1 / 5)))
    rows = FAMILIES[family](random, vocab, width)
    bias = bias_for(random, rows)
    counts: Counter[str] = Counter()
    for question in questions(int(random.integers(1, 4))):
        shift = random.integers(-8, 9, width) / 8.0 if question.bias and seed % 2 else None
        few, enough = 0 if seed % 4 < 2 else FEW, 4 if seed % 3 else ENOUGH  # both ways to begin, and to find axes
        with patch(f"{PACKAGE}.prove.FEW", few), patch(f"{PACKAGE}.geometry.ENOUGH", enough):
            verdicts = verdicts_of(rows, bias, question, shift=shift)
        assert sorted(verdicts) == list(range(vocab))
        checker = Checker(rows, bias, question, shift)
        for token_id in random.choice(vocab, min(vocab, 4), replace=False).tolist():
            check_against_truth(checker, bias, shift, verdicts[token_id])
            counts[verdicts[token_id].answer] += 1
    return counts


@pytest.mark.parametrize("family", FAMILIES)
def test_a_few_tokens_on_ground_known_already_get_the_answers_of_the_whole_run(family: str) -> None:
    random = np.random.default_rng([3, *family.encode()])
    rows = FAMILIES[family](random, 60, 6)
    bias = bias_for(random, rows)
    ground = Ground()
    for question in questions(2):
        whole = answers(verdicts_of(rows, bias, question))
        for _ in range(3):
            few = random.choice(60, 3, replace=False).tolist()
            found = answers(verdicts_of(rows, bias, question, token_ids=few, ground=ground))
            assert found == {token_id: whole[token_id] for token_id in sorted(few)}


def check_against_truth(checker: Checker, bias: Any, shift: Any, verdict: Settled) -> None:
    rows, question, token_id = checker.rows.whole(), checker.question, verdict.token_id
    assert checker.proves(token_id, verdict.answer, verdict.certificate)
    if verdict.answer != "undecided":
        assert (verdict.answer == "speakable") == speakable(rows, bias, token_id, question, shift=shift)
        return
    width = rows.shape[1]
    largest = float(np.abs(rows).max()) * (question.radius + (0 if shift is None else 1)) * width + np.abs(bias).max()
    near = ROUNDING * Fraction(float(largest))
    assert not speakable(rows, bias, token_id, question, near, shift)
    assert speakable(rows, bias, token_id, question, -near, shift)


@pytest.mark.parametrize("seed", [3, 18, 28, 34, 79, 138, 150, 169, 210, 260, 285])
def test_the_rounded_mean_of_other_rows_is_told_from_a_tie(seed: int) -> None:
    """It is a vertex by rounding alone: its leads are near 1e-8. Here the search finds no proof, the program does."""
    rows = np.random.default_rng(seed).normal(size=(24, 12)).astype(np.float32)
    rows[0] = (rows[1] + rows[2]) / np.float32(2) if seed % 2 else rows[1:4].mean(axis=0)
    verdict = verdicts_of(rows, None, Question("cone"), token_ids=[0])[0]
    assert verdict.answer == "speakable"
    check_against_truth(Checker(rows, None, Question("cone")), np.zeros(24), None, verdict)


def test_what_stays_undecided_in_the_cone_has_a_gap() -> None:
    rows = np.random.default_rng(0).normal(size=(24, 12)).astype(np.float32)
    rows[0] = rows[1:3].astype(np.float64).mean(axis=0)
    rows[0, 0] = np.nextafter(rows[0, 0], np.float32(9))
    rows = np.vstack([rows, rows[1:3].astype(np.float64).mean(axis=0) * (1 + 1e-15)])
    for verdict in verdicts_of(rows, None, Question("cone")).values():
        assert np.isfinite(verdict.margin)


@pytest.fixture(scope="module")
def vocabulary() -> Planted:
    return planted(5000, 256)


@pytest.fixture(scope="module")
def in_the_cone(vocabulary: Planted) -> dict[int, Settled]:
    return verdicts_of(vocabulary.rows, None, Question("cone"))


def test_planted_tokens_are_told_and_nothing_is_left_undecided(
    vocabulary: Planted, in_the_cone: dict[int, Settled]
) -> None:
    assert {in_the_cone[token_id].answer for token_id in vocabulary.speakable.tolist()} == {"speakable"}
    assert {in_the_cone[token_id].answer for token_id in vocabulary.unspeakable.tolist()} == {"unspeakable"}
    assert "undecided" not in answers(in_the_cone).values()


def test_most_tokens_are_proved_by_their_own_row(vocabulary: Planted, in_the_cone: dict[int, Settled]) -> None:
    kinds = Counter(type(verdict.certificate) for verdict in in_the_cone.values())
    assert kinds[RowWitness] > 0.9 * len(vocabulary.rows)


def test_every_proof_of_a_planted_vocabulary_passes_the_checker(
    vocabulary: Planted, in_the_cone: dict[int, Settled]
) -> None:
    checker = Checker(vocabulary.rows, None, Question("cone"))
    by_row = [token_id for token_id, verdict in in_the_cone.items() if isinstance(verdict.certificate, RowWitness)]
    leads = checker.margins(by_row, np.array([checker.row_witness(token_id) for token_id in by_row]))
    assert all(lead >= in_the_cone[token_id].margin > 0 for token_id, lead in zip(by_row, leads, strict=True))
    others = set(in_the_cone) - set(by_row)
    assert all(checker.proves(t, in_the_cone[t].answer, in_the_cone[t].certificate) for t in others)


@pytest.mark.parametrize(
    "question",
    [Question("ball", radius=16.0, bias=True), Question("box", bias=True), Question("ball", radius=16.0)],
    ids=lambda question: f"{question.mode}-{question.bias}",
)
def test_a_shift_smaller_than_the_region_changes_no_answer(
    vocabulary: Planted, in_the_cone: dict[int, Settled], question: Question
) -> None:
    hard = [token_id for token_id, verdict in in_the_cone.items() if not isinstance(verdict.certificate, RowWitness)]
    found = verdicts_of(vocabulary.rows, None, question, token_ids=hard, shift=vocabulary.shift)
    checker = Checker(vocabulary.rows, None, question, vocabulary.shift)
    assert answers(found) == {token_id: in_the_cone[token_id].answer for token_id in sorted(hard)}
    assert all(checker.proves(t, verdict.answer, verdict.certificate) for t, verdict in found.items())


def test_a_bias_of_the_head_is_settled_in_ball_and_box(vocabulary: Planted) -> None:
    tokens = np.concatenate([vocabulary.kinds[kind][:8] for kind in vocabulary.kinds])
    for question in (Question("ball", radius=16.0, bias=True, mean_zero=True), Question("box", bias=True)):
        found = verdicts_of(vocabulary.rows, vocabulary.bias, question, token_ids=tokens)
        checker = Checker(vocabulary.rows, vocabulary.bias, question)
        assert "undecided" not in answers(found).values()
        assert all(checker.proves(t, verdict.answer, verdict.certificate) for t, verdict in found.items())


def small(seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.standard_normal((120, 6)), 0.3 * random.standard_normal(120)


def test_a_run_that_was_stopped_is_resumed_from_what_is_settled() -> None:
    rows, bias = small()
    question = Question("ball", radius=2.0, bias=True)
    whole = answers(verdicts_of(rows, bias, question))
    settled: dict[int, Settled] = {}
    run = prove(rows, bias, question)
    while len(settled) < 50:
        settled |= {verdict.token_id: verdict for verdict in next(run)}
    run.close()
    rest = verdicts_of(rows, bias, question, token_ids=sorted(set(range(120)) - set(settled)))
    assert answers(settled | rest) == whole


def test_a_token_asked_alone_gets_the_answer_it_gets_among_all() -> None:
    rows, bias = small(1)
    for question in questions(2):
        whole = answers(verdicts_of(rows, bias, question))
        alone = {t: verdicts_of(rows, bias, question, token_ids=[t])[t].answer for t in range(0, 120, 7)}
        assert alone == {t: whole[t] for t in alone}


def test_relabelling_tokens_relabels_answers() -> None:
    rows, bias = small(2)
    order = np.random.default_rng(3).permutation(120)
    for question in questions(1):
        before, after = (
            answers(verdicts_of(rows, bias, question)),
            answers(verdicts_of(rows[order], bias[order], question)),
        )
        assert [before[t] for t in order.tolist()] == list(after.values())


def test_moving_and_scaling_all_rows_changes_no_answer_without_a_bias() -> None:
    rows, _ = small(4)
    exact = np.round(rows * 1024) / 1024
    before = answers(verdicts_of(exact, None, Question("cone")))
    assert answers(verdicts_of(exact * 8 + np.arange(6), None, Question("cone"))) == before


def test_without_a_bias_ball_box_and_cone_agree() -> None:
    rows, _ = small(5)
    cone = answers(verdicts_of(rows, None, Question("cone")))
    assert answers(verdicts_of(rows, None, Question("ball", radius=3.0))) == cone
    assert answers(verdicts_of(rows, None, Question("box"))) == cone


def test_twins_silence_each_other_and_a_bias_frees_one() -> None:
    rows = np.array([[1.0, 0.0], [1.0, -0.0], [-1.0, 0.5], [0.0, -1.0]])
    cone = verdicts_of(rows, None, Question("cone"))
    assert answers(cone) == {0: "unspeakable", 1: "unspeakable", 2: "speakable", 3: "speakable"}
    assert cone[0].certificate == Weights(np.array([1]), np.ones(1)) or cone[0].margin == 0
    freed = verdicts_of(rows, np.array([0.0, 0.25, 0.0, 0.0]), Question("ball", bias=True))
    assert answers(freed) == {0: "unspeakable", 1: "speakable", 2: "speakable", 3: "speakable"}
    assert freed[0].margin == pytest.approx(-0.25)


def test_a_token_that_only_wins_inside_the_ball_is_speakable() -> None:
    rows = np.array([[0.0], [1.0], [-1.0]])
    found = verdicts_of(rows, np.array([0.5, 0.0, 0.0]), Question("ball", radius=10.0, bias=True))
    assert answers(found) == {0: "speakable", 1: "speakable", 2: "speakable"}
    assert answers(verdicts_of(rows, None, Question("cone")))[0] == "unspeakable"


def test_a_token_alone_is_speakable() -> None:
    assert answers(verdicts_of(np.array([[1.0, 2.0]]), None, Question("cone"))) == {0: "speakable"}


def test_what_cannot_be_asked_is_refused() -> None:
    rows = np.eye(3)
    with pytest.raises(ValueError, match="finite"):
        next(prove(rows * np.nan, None, Question("cone")))
    with pytest.raises(ValueError, match="0 to 2"):
        next(prove(rows, None, Question("cone"), [3]))
    with pytest.raises(ValueError, match="no bias"):
        Question("cone", bias=True)
    with pytest.raises(ValueError, match="positive"):
        Question("ball", radius=0.0)
