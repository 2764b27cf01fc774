"""Entropy collapse on made-up answers, where what was done to the child is known."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.engine.core.lineage.collapse import compare_entropies, entropies
from explorer.engine.core.lineage.similarity import Answers
from tests.core.test_exact_lineage import answers, child_of


def sharpened(child: Answers, by: float = 6.0) -> Answers:
    wide = by * child.astype(np.float64)
    return np.asarray(wide - np.log(np.exp(wide).sum(axis=1, keepdims=True)), dtype=np.float32)


def test_the_entropy_of_known_distributions() -> None:
    even = np.full((1, 8), -np.log(8), dtype=np.float32)
    sure = np.array([[0.0, -np.inf, -np.inf]], dtype=np.float32)
    assert entropies(even) == pytest.approx([np.log(8)])
    assert entropies(sure) == pytest.approx([0.0])


def test_a_child_that_is_surer_after_these_tokens_alone_has_collapsed() -> None:
    base, ordinary = answers(0), answers(5)
    child, controls = child_of(base, 1, noise=0.1), child_of(ordinary, 1, noise=0.1)
    plain = compare_entropies([(base, child)], [(ordinary, controls)], 0)
    assert plain.low < 0 < plain.high
    collapsed = compare_entropies([(base, sharpened(child))], [(ordinary, controls)], 0)
    assert collapsed.high < -1
    assert collapsed.beyond < -1
    assert collapsed.sure_child > plain.sure_child


def test_what_happens_to_controls_too_is_no_collapse_of_the_tokens() -> None:
    """A chat format, or sampling at a low temperature, makes a child surer of everything."""
    base, ordinary = np.split(answers(0, n=60), 2)
    found = compare_entropies([(base, sharpened(base))], [(ordinary, sharpened(ordinary))], 0)
    assert found.tokens < -1
    assert found.low < 0 < found.high
