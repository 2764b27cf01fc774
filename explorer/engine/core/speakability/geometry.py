"""The rows of an unembedding in coordinates that suit the solver: centred, turned to their principal axes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from explorer.engine.core.speakability.frame import Frame
from explorer.engine.core.speakability.rows import PART, Rows

ENOUGH = 32_768
"""Rows that the principal axes are found of where there are twice as many or more: every n-th one, if those span all
directions. Any orthonormal axes will do, for searches only propose, and screening adds bounds for the axes that it
leaves out; all of 262,144 x 640 would take 2e11 multiplications."""
ALONE = 1024
"""Up to this width principal axes are found on one thread: several wait for each other at every step, which takes a
hundred times as long where another program has one of the cores."""


@dataclass(frozen=True)
class Geometry:
    """All rows, less their mean, and turned so that the first axis has the largest variance.

    Scores of a row at x and at the turned x differ only by what all rows share, so leads are the same. The turned rows
    are not kept: they are made of the stored ones as they are wanted.
    """

    rows: Rows
    mean_zero: bool
    """Whether rows are projected to entries that sum to 0."""
    device: torch.device
    """Where the turned rows are made."""
    mean: Float64[np.ndarray, " d_model"]
    axes: Float64[np.ndarray, "d_model rank"]
    """Orthonormal columns: x = axes @ y. Directions in which no row differs from another are left out."""
    deviations: Float64[np.ndarray, " rank"]
    """Standard deviation of the rows along each axis (of `ENOUGH` of them), all positive."""
    norms: Float64[np.ndarray, " vocab"]
    """Length of each turned row."""
    largest: float
    """Length of the longest row before centring."""
    dropped: float
    """Length of the longest part of a centred row in the directions left out."""
    skew: float
    """How far the axes are from orthonormal (Frobenius norm), and what turning lost, relative to a row's length."""
    whitened: Float64[np.ndarray, " some"]
    """Lengths of rows (of `ENOUGH` of them) with unit variance along each axis."""

    @property
    def rank(self) -> int:
        return len(self.deviations)

    def __len__(self) -> int:
        return len(self.rows)

    def turned_parts(self) -> Iterator[tuple[slice, Float64[Tensor, "part rank"]]]:
        """All turned rows in order, with their places."""
        axes = torch.from_numpy(self.axes).to(self.device)
        for place, part in self.rows.parts():
            yield place, torch.from_numpy(_centred(part, self.mean, self.mean_zero)).to(self.device) @ axes

    def turned_rows(self, token_ids: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "n rank"]:
        """Some of the turned rows."""
        return np.asarray(_centred(self.rows[token_ids], self.mean, self.mean_zero) @ self.axes)

    def scores(self, directions: Float64[np.ndarray, "n rank"]) -> Float64[np.ndarray, "n vocab"]:
        """The score of every turned row at turned x, in float64."""
        points = directions @ self.axes.T
        if self.mean_zero:
            points -= points.mean(axis=1, keepdims=True)
        found = np.empty((len(points), len(self)))
        for place, part in self.rows.parts():
            found[:, place] = points @ (part - self.mean).T
        return found

    def weighed(self, weights: Float64[np.ndarray, " vocab"]) -> Float64[np.ndarray, " rank"]:
        """The sum of the turned rows, each times its weight."""
        total = self.rows.weighed(weights, self.mean)
        if self.mean_zero:
            total -= total.mean()
        return np.asarray(total @ self.axes)

    def table(self) -> Float[Tensor, "vocab rank"]:
        """All turned rows in float32: for runs over many tokens, which score all rows again and again."""
        table = torch.empty(len(self), self.rank, dtype=torch.float32, device=self.device)
        for place, part in self.turned_parts():
            table[place] = part
        return table


@dataclass
class Ground:
    """What is worked out once about a matrix of rows and serves every question about it, as far as it is known yet."""

    geometries: dict[bool, Geometry] = field(default_factory=dict)
    """By whether rows are projected to entries that sum to 0; centred."""
    frames: dict[bool, Frame | None] = field(default_factory=dict)
    """Likewise; for the checker."""


def prepared(
    rows: Rows | Float[np.ndarray, "vocab d_model"], *, mean_zero: bool, device: torch.device, centre: bool = True
) -> Generator[None, None, Geometry]:
    """Work out the geometry (of rows projected to entries that sum to 0, if `mean_zero`); yields now and then so that a
    caller may stop. Without `centre` 0 is taken for the mean."""
    rows = Rows.of(rows)
    count, width = rows.shape
    mean = rows.mean if centre else np.zeros(width)
    yield
    step = count // ENOUGH if count >= 2 * ENOUGH else 1
    variances, axes = yield from _principal_axes(rows, mean, mean_zero, step, device)
    if step > 1 and _rank(variances) < width - mean_zero:
        step = 1
        variances, axes = yield from _principal_axes(rows, mean, mean_zero, step, device)
    rank = _rank(variances)
    norms, dropped = yield from _lengths(rows, mean, mean_zero, axes[:, rank:])
    axes = np.ascontiguousarray(axes[:, :rank])
    deviations = np.maximum(np.sqrt(variances[:rank]), 1e-300)
    whitened = []
    for part in _some(rows, mean, mean_zero, step):
        whitened.append(np.linalg.norm(_product(part, axes / deviations, device), axis=1))
        yield
    return Geometry(
        rows=rows, mean_zero=mean_zero, device=device, mean=mean, axes=axes, deviations=deviations, norms=norms,
        largest=float(rows.lengths.max()), dropped=dropped,
        skew=float(np.linalg.norm(axes.T @ axes - np.eye(rank))) + 4e-16 * width, whitened=np.concatenate(whitened),
    )  # fmt: skip


def _centred(
    part: Float64[np.ndarray, "part d_model"], mean: Float64[np.ndarray, " d_model"], mean_zero: bool
) -> Float64[np.ndarray, "part d_model"]:
    part = part - mean
    return part - part.mean(axis=1, keepdims=True) if mean_zero else part


def _some(
    rows: Rows, mean: Float64[np.ndarray, " d_model"], mean_zero: bool, step: int
) -> Iterator[Float64[np.ndarray, "part d_model"]]:
    """Every `step`-th row, centred."""
    if step == 1:
        yield from (_centred(part, mean, mean_zero) for _, part in rows.parts())
        return
    places = np.arange(0, len(rows), step)
    for some in np.array_split(places, len(places) * rows.shape[1] // PART + 1):
        yield _centred(rows[some], mean, mean_zero)


def _product(
    part: Float64[np.ndarray, "part d_model"], axes: Float64[np.ndarray, "d_model rank"], device: torch.device
) -> Float64[np.ndarray, "part rank"]:
    return np.asarray((torch.from_numpy(part).to(device) @ torch.from_numpy(axes).to(device)).cpu().numpy())


def _principal_axes(
    rows: Rows, mean: Float64[np.ndarray, " d_model"], mean_zero: bool, step: int, device: torch.device
) -> Generator[None, None, tuple[Float64[np.ndarray, " d_model"], Float64[np.ndarray, "d_model d_model"]]]:
    """The variances along the principal axes of every `step`-th row, the largest first, and the axes as columns."""
    width = rows.shape[1]
    covariance, count = torch.zeros(width, width, dtype=torch.float64, device=device), 0
    for part in _some(rows, mean, mean_zero, step):
        some = torch.from_numpy(part).to(device)
        covariance += some.T @ some
        count += len(part)
        yield
    threads = torch.get_num_threads()
    if width <= ALONE:
        torch.set_num_threads(1)
    try:
        variances, axes = torch.linalg.eigh(covariance / count)
    finally:
        torch.set_num_threads(threads)
    yield
    return variances.flip(0).cpu().numpy(), axes.flip(1).cpu().numpy()


def _rank(variances: Float64[np.ndarray, " d_model"]) -> int:
    return int((variances > max(float(variances[0]), 0.0) * 1e-15 * len(variances)).sum())


def _lengths(
    rows: Rows,
    mean: Float64[np.ndarray, " d_model"],
    mean_zero: bool,
    left_out: Float64[np.ndarray, "d_model rest"],
) -> Generator[None, None, tuple[Float64[np.ndarray, " vocab"], float]]:
    """The length of each centred row without its part along the axes left out, and the longest such part."""
    norms, dropped = np.empty(len(rows)), 0.0
    for place, part in rows.parts():
        centred = _centred(part, mean, mean_zero)
        if left_out.shape[1]:
            rest = centred @ left_out
            dropped = max(dropped, float(np.linalg.norm(rest, axis=1).max()))
            centred -= rest @ left_out.T
        norms[place] = np.linalg.norm(centred, axis=1)
        yield
    return norms, dropped


def twins(rows: Rows, bias: Float[np.ndarray, " vocab"] | None) -> dict[int, int]:
    """For each token with another of the very same row and at least its bias, one such other (−0 is 0)."""
    factors = np.random.default_rng(0).integers(1, 2**63, rows.shape[1], dtype=np.uint64) | np.uint64(1)
    # Whole numbers that wrap round: the same bits give the same sum in whatever order it is taken.
    keys = np.empty(len(rows), dtype=np.uint64)
    for place, part in rows.parts():
        keys[place] = (np.ascontiguousarray(part + 0.0).view(np.uint64) * factors).sum(axis=1)
    order = np.argsort(keys, kind="stable")
    found: dict[int, int] = {}
    for at in np.flatnonzero(keys[order[1:]] == keys[order[:-1]]):
        pair = int(order[at]), int(order[at + 1])
        if not np.array_equal(rows[pair[0]], rows[pair[1]]):
            continue
        for one, other in (pair, pair[::-1]):
            if bias is None or bias[other] >= bias[one]:
                found[one] = other
    return found
