"""Bifurcation: two children of one base that say different things after a never-trained token, each of them something
to which the base itself was drawn.

The published case: text-davinci-002 and -003 answer one token with "dis" and "dist", both far likelier under
code-davinci-002 than under any other base.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from explorer.engine.core.lineage import exact
from explorer.engine.core.lineage.exact import Matrix
from explorer.engine.core.lineage.similarity import Answers

LEAST_SHARE = 0.02
"""Probability that an attractor has at least."""
LEAST_LIFT = 5.0
"""How many times as likely as after the other tokens it is at least."""

Attractors = Bool[np.ndarray, "tokens outputs"]
Prompt = tuple[Answers, Answers, Answers]
"""What the base, the first and the second child say in one prompt, of the same tokens and outputs."""


@dataclass(frozen=True)
class Bifurcated:
    """The cells (a token in a prompt) in which both children's favourites are attractors of the base."""

    attractors: float
    """Of the base, a cell on average."""
    same: int
    """Cells in which both children took the same attractor."""
    apart: Bool[np.ndarray, "prompts tokens"]
    """Cells in which they took different ones."""
    null: float
    """Such cells expected where one child's tokens are permuted: the larger of the two numbers."""
    p: float | None
    """One-sided, the larger of the two; None where the cells tell nothing."""


def find_attractors(base: Answers) -> Attractors:
    """Outputs with a probability of `LEAST_SHARE` that are `LEAST_LIFT` times as likely as their geometric mean over
    the other tokens: what follows any token ("," or " the") is no attractor of this one."""
    wide = base.astype(np.float64)
    with np.errstate(invalid="ignore"):
        others = (wide.sum(axis=0, keepdims=True) - wide) / max(1, len(wide) - 1)
        lifted = wide - others >= math.log(LEAST_LIFT)
    found: Attractors = (wide >= math.log(LEAST_SHARE)) & lifted
    return found


def bifurcate(prompts: Sequence[Prompt], seed: int) -> Bifurcated:
    """Counts over all prompts, and two nulls: which token the second child's answer belongs to is permuted, and which
    the first's; one permutation for all prompts. Permuting both children together is another null, and a wrong one:
    two children of a stranger share attractors among themselves."""
    n = len(prompts[0][0])
    attractors, same = [], 0
    apart = np.zeros((len(prompts), n), dtype=np.bool_)
    by_second, by_first = np.zeros((n, n)), np.zeros((n, n))
    for place, (base, first, second) in enumerate(prompts):
        found, one, other = find_attractors(base), first.argmax(axis=1), second.argmax(axis=1)
        attractors.append(found.sum(axis=1).mean())
        forks = _forks(found, one, other)
        apart[place] = np.diag(forks)
        by_second += forks
        by_first += _forks(found, other, one)
        same += int((found[np.arange(n), one] & (one == other)).sum())
    tests = [exact.permute(matrix, seed) for matrix in (by_second, by_first)]
    return Bifurcated(
        attractors=float(np.mean(attractors)),
        same=same,
        apart=apart,
        null=n * max(float(by_second.mean()), float(by_first.mean())),
        p=None if tests[0] is None or tests[1] is None else max(tests[0].p, tests[1].p),
    )


def _forks(found: Attractors, own: Int64[np.ndarray, " tokens"], other: Int64[np.ndarray, " tokens"]) -> Matrix:
    """[g, j]: whether one child's favourite after g and the other's after j are two attractors of the base after g."""
    drawn = found[np.arange(len(own)), own][:, None] & found[:, other]
    matrix: Matrix = (drawn & (own[:, None] != other[None, :])).astype(np.float64)
    return matrix
