"""The principal components of a whole embedding matrix, exact, a chunk of rows at a time."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from explorer.engine.core.indicators import mean_row, norms
from explorer.engine.core.rows import one_thread

COMPONENTS = 8
"""Components kept."""
_CHUNK = 4096
"""Rows whose products are summed in float32; the sums of chunks are float64."""
_NOISE = 1e-7
"""Share of the variance that rounding in float32 may leave on an axis along which the rows do not differ."""


@dataclass(frozen=True)
class Components:
    """The first principal components, and every row's place along them."""

    coordinates: Float[Tensor, "vocab components"]
    """float32 on the CPU; NaN for rows that do not count."""
    shares: tuple[float, ...]
    """Each one's share of the variance; 0 for an axis along which the rows do not differ."""
    axes: Float[Tensor, "d_model components"]
    """float32, unit vectors, or zeros where the rows do not differ."""
    middle: Float[Tensor, " d_model"]
    """float32, the place whose coordinates are 0."""


def counted_rows(matrix: Float[Tensor, "vocab d_model"], tokenizer_size: int) -> Bool[Tensor, " vocab"]:
    """Rows that a map counts: of tokens that the tokenizer knows, without NaN or infinity, and not all zero."""
    lengths = norms(matrix)
    return torch.isfinite(lengths) & (lengths > 0) & (torch.arange(len(matrix)) < tokenizer_size)


@torch.no_grad()
def find_components(
    matrix: Float[Tensor, "vocab d_model"], counted: Bool[Tensor, " vocab"]
) -> Generator[int, None, Components]:
    """The first principal components of the counted rows; yields how many rows have been read, of `2 · vocab`.

    Exact: the covariance in float32 products of rows without their mean, summed in float64, and its eigenvectors in
    float64. Each axis points so that its coordinate of largest magnitude is positive: one matrix gives one picture.
    """
    width = matrix.shape[1]
    if not counted.any():
        nowhere = torch.full((len(matrix), COMPONENTS), torch.nan)
        return Components(nowhere, (0.0,) * COMPONENTS, torch.zeros(width, COMPONENTS), torch.zeros(width))
    scale = float(norms(matrix)[counted].max())  # so that no square is too large or too small for float32
    middle = (mean_row(matrix, counted) / scale).float().to(matrix.device)
    covariance = torch.zeros(width, width, dtype=torch.float64, device=matrix.device)
    for start in range(0, len(matrix), _CHUNK):
        rows = _centred(matrix, counted, start, middle, scale)
        with one_thread():  # the same sums in the same order on any machine
            covariance += (rows.T @ rows).double()
        yield start
    values, vectors = torch.linalg.eigh(covariance.cpu())
    axes = vectors.flip(1)[:, :COMPONENTS]
    shares = (values.flip(0)[:COMPONENTS] / values.sum().clamp(min=1e-300)).clamp(min=0)
    axes = torch.where(shares > _NOISE, axes, 0.0)  # an axis along which nothing differs has no direction
    coordinates = torch.full((len(matrix), COMPONENTS), torch.nan)
    for start in range(0, len(matrix), _CHUNK):
        rows = _centred(matrix, counted, start, middle, scale)
        with one_thread():
            along = rows @ axes.float().to(matrix.device) * scale
        coordinates[start : start + _CHUNK, : axes.shape[1]] = along.cpu()
        yield len(matrix) + start
    coordinates[:, axes.shape[1] :] = 0.0
    signs = _signs(coordinates, counted)
    coordinates *= signs
    coordinates[~counted] = torch.nan
    kept = [float(share) if share > _NOISE else 0.0 for share in shares]
    known = torch.nn.functional.pad(axes.float(), (0, COMPONENTS - axes.shape[1])) * signs
    return Components(coordinates, tuple(kept + [0.0] * (COMPONENTS - len(kept))), known, (middle * scale).cpu())


def _centred(
    matrix: Float[Tensor, "vocab d_model"],
    counted: Bool[Tensor, " vocab"],
    start: int,
    middle: Float[Tensor, " d_model"],
    scale: float,
) -> Float[Tensor, "chunk d_model"]:
    """Some rows in float32 without their mean, by `scale`; zeros for those that do not count."""
    rows = matrix[start : start + _CHUNK].to(torch.float32, copy=True).div_(scale).sub_(middle)
    rows[~counted[start : start + _CHUNK].to(rows.device)] = 0  # they may hold NaN, and 0 · NaN is NaN
    return rows


def _signs(coordinates: Float[Tensor, "vocab n"], counted: Bool[Tensor, " vocab"]) -> Float[Tensor, " n"]:
    """1 or −1 for each axis, so that its coordinate of largest magnitude (the first of equals) becomes positive."""
    rows = coordinates[counted]
    farthest = rows[rows.abs().argmax(dim=0), torch.arange(rows.shape[1])]
    return torch.where(farthest < 0, -1.0, 1.0)
