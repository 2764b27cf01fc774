"""Winning on the sphere, or only inside it."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.prove import prove
from explorer.engine.core.speakability.questions import Question, Settled, Witness
from explorer.engine.core.speakability.sphere import sphere_witness

BALL = Question("ball", radius=2.0, bias=True)


def point_of(checker: Checker, verdict: Settled) -> np.ndarray:
    proof = verdict.certificate
    return proof.x if isinstance(proof, Witness) else checker.row_witness(verdict.token_id)


@pytest.mark.parametrize("mean_zero", [False, True])
def test_a_token_that_wins_in_the_ball_and_in_the_cone_wins_on_the_sphere(mean_zero: bool) -> None:
    random = np.random.default_rng(0)
    rows, bias = random.standard_normal((60, 4)), random.standard_normal(60)
    ball = Question("ball", radius=2.0, bias=True, mean_zero=mean_zero)
    freely = Question("ball", radius=2.0, mean_zero=mean_zero)
    checker, cone = Checker(rows, bias, ball), Checker(rows, None, freely)
    far = {v.token_id: v for part in prove(rows, None, freely) for v in part if v.answer == "speakable"}
    near = {v.token_id: v for part in prove(rows, bias, ball) for v in part if v.answer == "speakable"}
    both = far.keys() & near.keys()
    assert both
    for token_id in both:
        found = sphere_witness(checker, token_id, point_of(checker, near[token_id]), [point_of(cone, far[token_id])])
        assert found is not None
        assert checker.proves(token_id, "speakable", found)
        assert np.linalg.norm(found.x) == pytest.approx(2.0, rel=1e-9)


def test_a_token_held_in_by_its_neighbours_wins_only_inside() -> None:
    rows = np.array([[0.0], [1.0], [-1.0]])
    checker = Checker(rows, np.array([0.5, 0.0, 0.0]), BALL)
    assert sphere_witness(checker, 0, np.array([0.1])) is None
    assert sphere_witness(checker, 1, np.array([1.0])) is not None


def test_only_a_ball_has_a_sphere() -> None:
    with pytest.raises(ValueError, match="box"):
        sphere_witness(Checker(np.eye(2), None, Question("box")), 0, np.zeros(2))
