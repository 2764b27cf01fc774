"""The checker lets sound certificates pass and no other, and it stands alone."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explorer.engine.core.speakability.checker as checker_module
from explorer.engine.core.speakability.checker import Checker
from explorer.engine.core.speakability.exact_sums import exact_products
from explorer.engine.core.speakability.prove import prove
from explorer.engine.core.speakability.questions import Question, Settled, Weights, Witness
from tests.shapes import unchecked

CONE = Question("cone")
ASKED = (
    CONE,
    Question("ball", radius=2.0, bias=True),
    Question("ball", radius=2.0, bias=True, mean_zero=True),
    Question("ball", radius=2.0, mean_zero=True),
    Question("box", bias=True),
)


def instance(seed: int) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    return random.standard_normal((80, 5)), 0.4 * random.standard_normal(80)


def settled(seed: int, question: Question) -> tuple[Checker, list[Settled]]:
    rows, bias = instance(seed)
    return Checker(rows, bias, question), [verdict for part in prove(rows, bias, question) for verdict in part]


@pytest.mark.parametrize("question", ASKED, ids=str)
def test_corrupted_certificates_fail(question: Question) -> None:
    checker, verdicts = settled(0, question)
    witnesses = [v for v in verdicts if isinstance(v.certificate, Witness)]
    weights = [v for v in verdicts if isinstance(v.certificate, Weights)]
    assert witnesses
    assert weights
    for verdict in witnesses:
        proof = verdict.certificate
        assert isinstance(proof, Witness)
        assert checker.proves(verdict.token_id, "speakable", proof)
        if (checker.rows.along(-proof.x) + checker.bias).argmax() != verdict.token_id:
            assert not checker.proves(verdict.token_id, "speakable", Witness(-proof.x))
        assert not checker.proves(verdict.token_id, "speakable", Witness(proof.x * np.nan))
        assert not checker.proves(verdict.token_id, "speakable", Witness(proof.x[:-1]))
        assert not checker.proves(verdict.token_id, "unspeakable", proof)
        assert not checker.proves((verdict.token_id + 1) % 80, "speakable", proof)
        if question.mode != "cone" and proof.x.any():
            assert not checker.proves(verdict.token_id, "speakable", Witness(proof.x * 1e3))
    for verdict in weights:
        proof = verdict.certificate
        assert isinstance(proof, Weights)
        assert checker.proves(verdict.token_id, "unspeakable", proof)
        # With a bias other weights may prove it as well.
        for bad in corrupted(verdict.token_id, proof)[1 if question.bias else 0 :]:
            assert not checker.proves(verdict.token_id, "unspeakable", bad)
        assert not checker.proves(verdict.token_id, "speakable", proof)


def corrupted(token_id: int, proof: Weights) -> list[Weights]:
    heaviest = int(np.argmax(proof.weights)) if len(proof.weights) else 0
    scaled, negative, named = proof.weights.copy(), proof.weights.copy(), proof.token_ids.copy()
    scaled[heaviest] *= 50
    negative[heaviest] = -1e-9
    named[heaviest] = token_id
    return [
        replace(proof, weights=scaled),
        replace(proof, weights=negative),
        replace(proof, token_ids=named),
        replace(proof, weights=proof.weights * np.nan),
        unchecked(Weights, proof.token_ids, proof.weights[:-1], proof.centre),
        replace(proof, token_ids=proof.token_ids + 10**6),
        replace(proof, weights=proof.weights * 0, centre=0.0),
        replace(proof, centre=-1.0),
    ]


def test_every_proof_of_speakability_holds_in_plain_arithmetic() -> None:
    for question in ASKED:
        checker, verdicts = settled(1, question)
        for verdict in verdicts:
            if verdict.answer != "speakable":
                continue
            proof = verdict.certificate
            x = proof.x if isinstance(proof, Witness) else checker.row_witness(verdict.token_id)
            scores = checker.rows.along(x) + checker.bias
            assert scores.argmax() == verdict.token_id
            lead = scores[verdict.token_id] - np.delete(scores, verdict.token_id).max()
            assert 0 < verdict.margin <= lead * (1 + 1e-9) + 1e-12


def test_bounds_hold_at_random_points() -> None:
    random = np.random.default_rng(2)
    for question in ASKED[1:]:
        checker, verdicts = settled(2, question)
        x = random.standard_normal((4000, 5))
        if question.mean_zero:
            x -= x.mean(axis=1, keepdims=True)
        sizes = np.abs(x).max(axis=1) if question.mode == "box" else np.linalg.norm(x, axis=1)
        x *= (question.radius * random.random(4000) / sizes)[:, None]
        scores = checker.rows.scores(x) + checker.bias
        for verdict in verdicts:
            if verdict.answer == "unspeakable":
                leads = scores[:, verdict.token_id] - np.delete(scores, verdict.token_id, axis=1).max(axis=1)
                assert leads.max() <= verdict.margin + 1e-12


def test_a_midpoint_is_a_tie_and_proved_but_not_when_it_is_off_by_the_last_bit() -> None:
    rows = np.array([[0.5, 0.25], [1.0, 0.0], [0.0, 0.5], [-1.0, -1.0]])
    halves = Weights(np.array([1, 2]), np.array([0.5, 0.5]))
    assert Checker(rows, None, CONE).bound(0, halves) == 0
    rows[0, 0] = np.nextafter(0.5, 1)
    assert Checker(rows, None, CONE).bound(0, halves) > 0


def test_leads_far_below_rounding_are_told_exactly() -> None:
    rows = np.array([[1e8, 1.0], [1e8, np.nextafter(1.0, 0)], [0.0, 0.0]])
    checker = Checker(rows, None, CONE)
    assert checker.margins([0], np.array([[1.0, 1.0]]))[0] == 1.0 - np.nextafter(1.0, 0)
    assert checker.margins([1], np.array([[1.0, 1.0]]))[0] < 0


def test_exact_products_lose_nothing() -> None:
    from fractions import Fraction

    random = np.random.default_rng(3)
    a, b = random.standard_normal((2, 200)) * 10.0 ** random.integers(-20, 20, (2, 200))
    exact = sum((Fraction(x) * Fraction(y) for x, y in zip(a.tolist(), b.tolist(), strict=True)), Fraction(0))
    assert sum(map(Fraction, exact_products(a, b)), Fraction(0)) == exact


def test_the_hull_contains_the_ball_that_the_frame_promises() -> None:
    rows, _ = instance(4)
    checker = Checker(rows, None, CONE)
    frame = checker.hull.frame
    assert frame is not None
    random = np.random.default_rng(5)
    whitened = (rows - frame.centre) @ frame.whitening.T
    for token_id in range(0, 80, 9):
        y = random.standard_normal((2000, 5))
        reach = (y @ np.delete(whitened, token_id, axis=0).T).max(axis=1) / np.linalg.norm(y, axis=1)
        assert 0 < frame.radius_without(token_id) <= reach.min()


def test_the_checker_knows_nothing_of_the_solver() -> None:
    allowed = {"questions", "exact_sums", "frame", "hull_proofs", "rows"}
    folder = Path(checker_module.__file__).parent
    for name in ("checker", *allowed):
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                assert not module.startswith(("torch", "scipy"))
                assert not module.startswith("explorer") or module.rsplit(".", 1)[1] in allowed
