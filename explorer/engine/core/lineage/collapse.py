"""Entropy collapse: a child that is surer than its base after the tokens, beyond what it is after ordinary ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from explorer.engine.core.lineage.similarity import Answers

SURE = 0.99
"""Probability of the likeliest output above which a child counts as sure."""
RESAMPLES = 2_000

PerToken = Float64[np.ndarray, " tokens"]
Said = Float32[np.ndarray, "_tokens _vocab"]
"""What one model says: two models' vocabularies may differ, and so may the numbers of tokens and of controls."""


@dataclass(frozen=True)
class Change:
    """How a child's entropy differs from its base's, in nats."""

    tokens: float
    """Median over the tokens of H(child) − H(base)."""
    controls: float
    """The same over ordinary tokens: what fine-tuning or the format did to every prompt."""
    low: float
    high: float
    """95 % interval of `tokens` − `controls`, by resampling both."""
    sure_base: float
    sure_child: float
    """Share of answers whose likeliest output has more than `SURE`."""

    @property
    def beyond(self) -> float:
        """`tokens` − `controls`."""
        return self.tokens - self.controls


def entropies(answers: Answers) -> PerToken:
    """Entropy of each row, in nats; an output of probability 0 adds nothing."""
    wide = answers.astype(np.float64)
    found: PerToken = -(np.exp(wide) * np.where(np.isfinite(wide), wide, 0.0)).sum(axis=1)
    return found


def compare_entropies(tokens: Sequence[tuple[Said, Said]], controls: Sequence[tuple[Said, Said]], seed: int) -> Change:
    """`tokens`, `controls`: in each prompt what base and child say, a row a token. A token's change is its mean over
    prompts; tokens and controls are resampled apart."""
    own, ordinary = (_changes(prompts) for prompts in (tokens, controls))
    generator = np.random.default_rng(seed)
    drawn = [
        np.median(each[generator.integers(0, len(each), (RESAMPLES, len(each)))], axis=1) for each in (own, ordinary)
    ]
    low, high = np.quantile(drawn[0] - drawn[1], (0.025, 0.975))
    sure = [np.mean([(np.exp(prompt[who].max(axis=1)) > SURE).mean() for prompt in tokens]) for who in (0, 1)]
    return Change(
        float(np.median(own)), float(np.median(ordinary)), float(low), float(high), float(sure[0]), float(sure[1])
    )


def _changes(prompts: Sequence[tuple[Said, Said]]) -> PerToken:
    changes: PerToken = np.mean([entropies(child) - entropies(base) for base, child in prompts], axis=0)
    return changes
