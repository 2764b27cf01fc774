"""A proof that the hull of all rows but one contains a ball round their mean. NumPy in float64, rounding counted."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from explorer.engine.core.speakability.exact_sums import LARGEST, LOST, gamma, lengths
from explorer.engine.core.speakability.rows import Rows


@dataclass(frozen=True)
class Frame:
    """All rows in whitened coordinates h_j = `whitening` (w_j − `centre`).

    The mean of h_j h_jᵀ is the identity but for `defect` (norm), the mean of h_j has norm at most `offset`, and no h_j
    is longer than `longest`. Every admissible x (up to what all rows share) is whiteningᵀ y for some y.
    """

    centre: Float64[np.ndarray, " d_model"]
    whitening: Float64[np.ndarray, "rank d_model"]
    lengths: Float64[np.ndarray, " vocab"]
    """At least |h_j|."""
    longest: float
    defect: float
    offset: float
    size: float
    """Frobenius norm of `whitening`."""

    def radius_without(self, token_id: int) -> float:
        """A radius r with max over the other rows of y·h_j ≥ r·|y| for every y; negative where none is proved.

        Let M be that maximum for |y| = 1, n the number of rows, and let sums run over the other rows. No term of
        Σ (M − y·h_j)(y·h_j + longest) is negative, so M (σ + longest) ≥ Σ (y·h_j)²/n + longest·σ with σ = Σ y·h_j / n.
        """
        count, own = len(self.lengths), float(self.lengths[token_id])
        spread = 1 - self.defect - own**2 / count
        drift = self.offset + own / count
        return (spread - self.longest * drift) / (self.longest + drift) * (1 - 1e-12)


def frame_of(rows: Rows, mean_zero: bool) -> Generator[None, None, Frame | None]:
    """Work out the frame of all rows, None where they do not span the admissible x; yields now and then."""
    count, width = rows.shape
    # Where all rows agree x makes no difference, so such columns need not be spanned.
    differing = rows.differing
    centre = np.where(differing, rows.mean, rows[0])
    basis = _mean_zero_basis(width) if mean_zero else np.eye(width)[:, differing]
    covariance, farthest = np.zeros((width, width)), 0.0

    def projected(apart: Float64[np.ndarray, "part d_model"]) -> Float64[np.ndarray, "part d_model"]:
        return np.asarray(apart - apart.mean(axis=1, keepdims=True)) if mean_zero else apart

    for _, part in rows.parts():
        apart = part - centre
        farthest = max(farthest, float(lengths(apart).max()))
        apart = projected(apart)
        covariance += apart.T @ apart
        yield
    whitening = _whitening_of(basis.T @ covariance @ basis / count, basis)
    if whitening is None:
        return None
    size = float(np.linalg.norm(whitening)) * (1 + 1e-12) + LOST
    off = 2 * gamma(2 * width + 8) * size * farthest + LOST
    away, total, moment = np.empty(count), np.zeros(len(whitening)), -count * np.eye(len(whitening))
    for place, part in rows.parts():
        whitened = projected(part - centre) @ whitening.T
        away[place] = lengths(whitened) + off
        total += whitened.sum(axis=0)
        moment += whitened.T @ whitened
        yield
    longest = float(away.max())
    defect = float(np.linalg.norm(moment / count))
    defect += 2 * longest * off + gamma(count + 2) * float((away**2).mean()) + gamma(width + 2) * (defect + 1) + LOST
    offset = float(np.linalg.norm(total / count)) + off + gamma(count + 2) * longest + LOST
    return Frame(centre, whitening, away, longest, defect, offset, size) if defect < 1 else None


def _whitening_of(
    covariance: Float64[np.ndarray, "rank rank"], basis: Float64[np.ndarray, "d_model rank"]
) -> Float64[np.ndarray, "rank d_model"] | None:
    """A whitening along `basis`, None where there is none. Any will do: how good it is, is measured by its user."""
    try:
        with np.errstate(all="ignore"):
            whitening = np.linalg.solve(np.linalg.cholesky(covariance), basis.T)
    except np.linalg.LinAlgError:
        return None
    return whitening if np.abs(whitening).max(initial=0.0) <= LARGEST else None  # nor where it is no number


def _mean_zero_basis(width: int) -> Float64[np.ndarray, "d_model d_model-1"]:
    """Orthonormal columns that sum to 0: of a reflection that takes all-ones to the first axis, all but the first."""
    mirror = np.full(width, 1 / math.sqrt(width))
    mirror[0] += 1.0
    reflection = np.eye(width) - 2 * np.outer(mirror, mirror) / (mirror @ mirror)
    return np.asarray(reflection[:, 1:])
