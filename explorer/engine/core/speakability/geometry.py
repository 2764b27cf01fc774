"""The rows of an unembedding in coordinates that suit the solver: centred, turned to their principal axes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from explorer.engine.core.speakability.frame import Frame

CHUNK = 4096
"""Rows at a time where something is done to all of them; between two chunks a caller may stop."""
ALONE = 1024
"""Up to this width principal axes are found on one thread: several wait for each other at every step, which takes a
hundred times as long where another program has one of the cores."""


@dataclass(frozen=True)
class Geometry:
    """All rows, less their mean, and turned so that the first axis has the largest variance.

    Scores of a row at x and at the turned x differ only by what all rows share, so leads are the same.
    """

    mean: Float64[np.ndarray, " d_model"]
    axes: Float64[np.ndarray, "d_model rank"]
    """Orthonormal columns: x = axes @ y. Directions in which no row differs from another are left out."""
    turned: Float64[Tensor, "vocab rank"]
    """(rows − mean) @ axes."""
    deviations: Float64[np.ndarray, " rank"]
    """Standard deviation of the rows along each axis, all positive."""
    norms: Float64[np.ndarray, " vocab"]
    """Length of each turned row."""
    largest: float
    """Length of the longest row before centring."""
    dropped: float
    """Length of the longest part of a centred row in the directions left out."""
    skew: float
    """How far the axes are from orthonormal (Frobenius norm), and what turning lost, relative to a row's length."""

    def turned_rows(self, token_ids: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n rank"]:
        """Some of the turned rows."""
        return self.turned[torch.from_numpy(token_ids).to(self.turned.device)].cpu().numpy()

    def scores(self, y: Float64[np.ndarray, " rank"]) -> Float64[np.ndarray, " vocab"]:
        """The score of every turned row at a turned x, in float64."""
        return (self.turned @ torch.from_numpy(y).to(self.turned.device)).cpu().numpy()


@dataclass
class Ground:
    """What is worked out once about a matrix of rows and serves every question about it, as far as it is known yet."""

    geometries: dict[bool, Geometry] = field(default_factory=dict)
    """By whether rows are projected to entries that sum to 0; centred."""
    frames: dict[bool, Frame | None] = field(default_factory=dict)
    """Likewise; for the checker."""


def prepared(
    rows: Float[np.ndarray, "vocab d_model"], *, mean_zero: bool, device: torch.device, centre: bool = True
) -> Generator[None, None, Geometry]:
    """Work out the geometry (of rows projected to entries that sum to 0, if `mean_zero`); yields now and then so that a
    caller may stop. Without `centre` 0 is taken for the mean."""
    exact = np.asarray(rows, dtype=np.float64)
    count, width = exact.shape
    mean = exact.mean(axis=0) if centre else np.zeros(width)
    centred = torch.empty(count, width, dtype=torch.float64, device=device)
    covariance = torch.zeros(width, width, dtype=torch.float64, device=device)
    largest = 0.0
    for start in range(0, count, CHUNK):
        part = exact[start : start + CHUNK]
        largest = max(largest, float(np.linalg.norm(part, axis=1).max()))
        part = part - mean
        if mean_zero:
            part -= part.mean(axis=1, keepdims=True)
        centred[start : start + CHUNK] = torch.from_numpy(part)
        covariance += centred[start : start + CHUNK].T @ centred[start : start + CHUNK]
        yield
    variances, axes = _principal_axes(covariance / count)
    variances, axes = variances.flip(0), axes.flip(1)
    rank = int((variances > max(float(variances[0]), 0.0) * 1e-15 * width).sum())
    yield
    for start in range(0, count, CHUNK):
        centred[start : start + CHUNK] = centred[start : start + CHUNK] @ axes
        yield
    dropped = float(torch.linalg.vector_norm(centred[:, rank:], dim=1).max()) if rank < width else 0.0
    turned, axes = centred[:, :rank].contiguous(), axes[:, :rank].contiguous()
    skew = float(torch.linalg.norm(axes.T @ axes - torch.eye(rank, dtype=torch.float64, device=device)))
    deviations = (turned.square().sum(dim=0) / count).sqrt().clamp_min(1e-300).cpu().numpy()
    norms = torch.linalg.vector_norm(turned, dim=1).cpu().numpy()
    return Geometry(
        mean=mean,
        axes=axes.cpu().numpy(),
        turned=turned,
        deviations=deviations,
        norms=norms,
        largest=largest,
        dropped=dropped,
        skew=skew + 4e-16 * width,
    )


def _principal_axes(covariance: Float64[Tensor, "d d"]) -> tuple[Float64[Tensor, " d"], Float64[Tensor, "d d"]]:
    threads = torch.get_num_threads()
    if len(covariance) <= ALONE:
        torch.set_num_threads(1)
    try:
        variances, axes = torch.linalg.eigh(covariance)
    finally:
        torch.set_num_threads(threads)
    return variances, axes


def twins(rows: Float[np.ndarray, "vocab d_model"], bias: Float[np.ndarray, " vocab"] | None) -> dict[int, int]:
    """For each token with another of the very same row and at least its bias, one such other (−0 is 0)."""
    packed = np.ascontiguousarray(np.asarray(rows, dtype=np.float64) + 0.0).view(np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, packed.shape[1], dtype=np.uint64) | np.uint64(1)
    # Whole numbers that wrap round: the same bits give the same sum in whatever order it is taken.
    keys = np.concatenate([(part * factors).sum(axis=1) for part in np.array_split(packed, len(packed) // CHUNK + 1)])
    order = np.argsort(keys, kind="stable")
    found: dict[int, int] = {}
    for place in np.flatnonzero(keys[order[1:]] == keys[order[:-1]]):
        pair = int(order[place]), int(order[place + 1])
        if not np.array_equal(packed[pair[0]], packed[pair[1]]):
            continue
        for one, other in (pair, pair[::-1]):
            if bias is None or bias[other] >= bias[one]:
                found[one] = other
    return found
