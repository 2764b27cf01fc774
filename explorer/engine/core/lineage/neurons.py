"""W2: whether the neurons of two models' MLPs stand in the same order.

After "Independence Tests for Language Models" (Zhu et al., arXiv 2502.12292): renaming the neurons of one model changes
nothing that it does, so in models made independently the best assignment of one's neurons to the other's, by their
weights, is a uniformly random permutation. Fixed points are counted exactly; Spearman's rank correlation, one-sided,
sees an assignment that is nearly in order. The `match` variant compares the assignment by input weights with that by
output weights, and survives neurons that were renamed on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from explorer.engine.control import stop_if_cancelled
from explorer.engine.core.lineage.exact import fixed_points_p

Neurons = Float[np.ndarray, "neurons d_model"]
AT_MOST = 1_024
"""Neurons of a layer: of wider ones these, drawn by the seed, the same in both; the tests stay exact."""
LEAST = 1e-300
"""p of identical neurons, which would be 0."""


@dataclass(frozen=True)
class Layer:
    """The weights of one MLP, a row for each neuron: those that read the residual stream, and those that write it."""

    read: Neurons
    write: Neurons


@dataclass(frozen=True)
class LayerMatched:
    """One layer of two models."""

    neurons: int
    fixed: int
    """Neurons assigned to themselves by their input weights."""
    p_fixed: float
    p_order: float
    """Of Spearman's correlation of the assignment with the identity."""
    agreeing: int
    """Neurons that input and output weights assign alike."""
    p_agreeing: float


def draw_neurons(count: int, seed: int) -> Int64[np.ndarray, " drawn"]:
    """The neurons to compare, at most `AT_MOST`."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:AT_MOST])


def match_layer(one: Layer, other: Layer, seed: int) -> LayerMatched | None:
    """Two layers of one shape; None where a neuron's weights are no numbers or all 0: that tells nothing."""
    sides = (one.read, other.read, one.write, other.write)
    if not all(np.isfinite(side).all() and (side != 0).any(axis=1).all() for side in sides):
        return None
    by_input, by_output = assign(one.read, other.read, seed), assign(one.write, other.write, seed + 1)
    n = len(by_input)
    places = np.arange(n)
    fixed, agreeing = int((by_input == places).sum()), int((by_input == by_output).sum())
    return LayerMatched(
        n,
        fixed,
        max(LEAST, fixed_points_p(fixed, n)),
        _in_order(by_input, places),
        agreeing,
        max(LEAST, fixed_points_p(agreeing, n)),
    )


def assign(one: Neurons, other: Neurons, seed: int) -> Int64[np.ndarray, " neurons"]:
    """For each neuron of `one` that of `other`, one to one, so that their cosines are greatest together. Neurons are
    shuffled first, so that ties cannot favour the truth."""
    from scipy.optimize import linear_sum_assignment

    stop_if_cancelled()
    order = np.random.default_rng(seed).permutation(len(one))
    rows, columns = linear_sum_assignment(_unit(one)[order] @ _unit(other).T, maximize=True)
    assigned = np.empty(len(one), dtype=np.int64)
    assigned[order[rows]] = columns
    return assigned


def join_layers(p_values: Sequence[float]) -> float:
    """One p of independent layers, by Fisher's method."""
    from scipy.stats import chi2

    return max(LEAST, float(chi2.sf(-2 * np.log(p_values).sum(), 2 * len(p_values))))


def _in_order(assigned: Int64[np.ndarray, " neurons"], places: Int64[np.ndarray, " neurons"]) -> float:
    from scipy.stats import spearmanr

    if len(places) < 3:
        return 1.0
    return max(LEAST, float(spearmanr(assigned, places, alternative="greater").pvalue))


def _unit(rows: Neurons) -> Neurons:
    wide = rows.astype(np.float64)
    unit: Neurons = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return unit
