"""Numbers that tell under-trained tokens from others, one pure function each.

Every function takes the raw matrix (one row a token; float32, bfloat16 or float16, on any device), computes
in float64 a few megabytes at a time, and returns float64 on the CPU; `indicator_parts` rounds to float32.

Rows that hold NaN or an infinity ("broken") get NaN or an infinity themselves and are left out of every
mean and of the principal component. So are padding rows out of the centroid and the principal component:
`rows` says which rows count there, and `indicator_parts` counts those the tokenizer knows.

The four `unused_…` indicators are those of Land & Bartolo, "Fishing for Magikarp" (arXiv 2405.05417), after
`embedding_distance_metrics` in github.com/cohere-ai/magikarp, with these differences: means and the
component leave out padding and broken rows (there: all rows); the component is the exact one (there:
scikit-learn's PCA, randomised for wide matrices); a zero row has cosine 0 to everything (there too, by a
floor of 1e-6 under the product of the norms, which we do not need); and where nobody chose the reference tokens,
a robust centre of theirs stands for their mean (`explorer.engine.core.reference`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from explorer.engine.core.rows import map_rows, sum_rows

Column = npt.NDArray[np.float32]
Rows = Bool[Tensor, " vocab"]

_OF_INPUT = ("norm", "centroid_distance", "centroid_cosine")
"""Told of the input matrix; of the output matrix also the distance, by which a table may be sorted."""
_LANCZOS_STEPS = 100
_LANCZOS_ANGLE = 1e-7


@dataclass(frozen=True)
class Indicator:
    """An indicator of another package (entry point `glitch_explore.indicators`)."""

    name: str
    meaning: str
    """In one sentence."""
    compute: Callable[[RawMatrices, Sequence[int], int], Column]
    """From the raw matrices, the ids of the reference tokens and the number of rows that the tokenizer knows to one
    float32 number a row, [vocab]. It may raise `ValueError` where the model does not allow it."""


class RawMatrices(Protocol):
    """What is read of a model: `explorer.engine.models.abilities.Embeddings` is one."""

    @property
    def input(self) -> Float[Tensor, "vocab d_model"]: ...
    @property
    def output(self) -> Float[Tensor, "vocab d_model"] | None: ...
    @property
    def output_bias(self) -> Float[Tensor, " vocab"] | None: ...
    @property
    def tied(self) -> bool: ...


def norms(embeddings: Float[Tensor, "vocab d_model"]) -> Float[Tensor, " vocab"]:
    """L2 norm of each row."""
    return map_rows(embeddings, lambda rows: torch.linalg.vector_norm(rows, dim=1))


def finite_rows(embeddings: Float[Tensor, "vocab d_model"]) -> Rows:
    """Which rows hold neither NaN nor an infinity."""
    return torch.isfinite(norms(embeddings))


def mean_row(embeddings: Float[Tensor, "vocab d_model"], rows: Rows) -> Float[Tensor, " d_model"]:
    """The mean of the rows that count; NaN where none does. They must be finite."""
    return sum_rows(embeddings, rows) / rows.sum()


def distances(embeddings: Float[Tensor, "vocab d_model"], point: Float[Tensor, " d_model"]) -> Float[Tensor, " vocab"]:
    """Euclidean distance of each row to `point`. With the centroid: `…_centroid_distance`; with the mean of
    the reference tokens' rows: `unused_l2_distance`."""
    to = point.to(embeddings.device, torch.float64)
    return map_rows(embeddings, lambda rows: torch.linalg.vector_norm(rows.sub_(to), dim=1))


def cosine_distances(
    embeddings: Float[Tensor, "vocab d_model"],
    direction: Float[Tensor, " d_model"],
    *,
    origin: Float[Tensor, " d_model"] | None = None,
    without: Float[Tensor, " d_model"] | None = None,
) -> Float[Tensor, " vocab"]:
    """1 - cosine of each row and `direction`, 0 to 2; 1 where either is zero.

    First both lose `origin` (subtracted), then their part along the unit vector `without`. Half the squared
    chord between the unit vectors, which unlike 1 - cos loses no digits near 0.
    """
    device = embeddings.device

    def reduced(rows: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_model"]:  # in place
        if origin is not None:
            rows.sub_(origin.to(device, torch.float64))
        if without is not None:
            axis = without.to(device, torch.float64)
            along = torch.linalg.vecdot(rows, axis)
            rows.addcmul_(along[:, None], axis, value=-1)
        return rows

    target = reduced(direction.to(device, torch.float64, copy=True)[None])[0]
    length = torch.linalg.vector_norm(target)
    target = target / length if length > 0 else target

    def measure(rows: Float[Tensor, "n d_model"]) -> Float[Tensor, " n"]:
        lengths = torch.linalg.vector_norm(reduced(rows), dim=1)
        chords = torch.linalg.vector_norm(rows.div_(lengths[:, None]).sub_(target), dim=1)
        return torch.where((lengths == 0) | (length == 0), 1.0, chords**2 / 2)

    return map_rows(embeddings, measure)


def principal_component_passes(
    embeddings: Float[Tensor, "vocab d_model"], rows: Rows, centroid: Float[Tensor, " d_model"]
) -> Iterator[Float[Tensor, " d_model"]]:
    """Ever better first principal components, one for each pass over the matrix; the last one is the answer.

    Lanczos iteration with full reorthogonalisation on the scatter matrix, which is never formed, from a
    fixed start; it ends when the residual over the gap to the second eigenvalue, which bounds the angle to
    the true component, is below 1e-7, or after 100 passes. Where the two largest eigenvalues nearly agree the
    component is ill-determined, by this or any other way. Zero where all rows are equal.
    """
    width = embeddings.shape[1]

    def scatter(vector: Float[Tensor, " d_model"]) -> Float[Tensor, " d_model"]:
        local, middle = vector.to(embeddings.device), float(centroid @ vector)
        return sum_rows(embeddings, rows, lambda chunk: chunk @ local - middle)  # these weights add up to 0

    vector = torch.randn(width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    vector /= torch.linalg.vector_norm(vector)
    basis, diagonal, beside = [vector], list[float](), list[float]()
    for _ in range(min(_LANCZOS_STEPS, width)):
        image = scatter(basis[-1])
        diagonal.append(float(image @ basis[-1]))
        known = torch.stack(basis)
        for _ in range(2):  # once is not enough in floating point, twice is
            image = image - known.T @ (known @ image)
        beside.append(float(torch.linalg.vector_norm(image)))
        small = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
        small += torch.diag(torch.tensor(beside[:-1], dtype=torch.float64), 1)
        values, vectors = torch.linalg.eigh(small, UPLO="U")
        component = vectors[:, -1] @ known
        noise = 1e-14 * int(rows.sum()) * float(centroid @ centroid)  # what rounding leaves of equal rows
        yield component / torch.linalg.vector_norm(component) if values[-1] > noise else torch.zeros_like(component)
        residual, gap = beside[-1] * abs(float(vectors[-1, -1])), float((values[-1:] - values[-2:-1]).sum())
        if residual <= max(_LANCZOS_ANGLE * gap, noise):
            return
        basis.append(image / beside[-1])


def indicator_parts(
    embeddings: RawMatrices,
    unused_ids: Sequence[int],
    tokenizer_size: int,
    centre: Float[Tensor, " d_model"] | None = None,
) -> Iterator[tuple[str, Column] | None]:
    """Every indicator the matrices allow, in the order of `records.INDICATORS`, each as soon as it is there.

    None now and then means that work continues: a moment for the caller to stop. `tokenizer_size` says how
    many rows the tokenizer knows. The `unused_…` indicators measure against `centre` where it is given, else against
    the mean of the rows of `unused_ids`, as the paper does. Without an output matrix the `output_…` and `unused_…`
    indicators are left out, without a finite row of a reference token the latter. Raises `ValueError` for an unused id
    outside the matrix.
    """
    known = torch.arange(len(embeddings.input)) < tokenizer_size
    of_input: dict[str, Column] = {}
    for part in _centroid_parts(embeddings.input, known):
        of_input[part[0]] = part[1]
        if part[0] in _OF_INPUT:
            yield f"input_{part[0]}", part[1]
    if embeddings.output is None:
        return
    for name, column in of_input.items() if embeddings.tied else _centroid_parts(embeddings.output, known):
        yield f"output_{name}", column
    yield from _unused_parts(embeddings.output, known, unused_ids, centre)
    if embeddings.output_bias is not None:
        yield "output_bias", _rounded(embeddings.output_bias)


def _centroid_parts(matrix: Float[Tensor, "vocab d_model"], known: Rows) -> Iterator[tuple[str, Column]]:
    lengths = norms(matrix)
    yield "norm", _rounded(lengths)
    centroid = mean_row(matrix, known & torch.isfinite(lengths))
    yield "centroid_distance", _rounded(distances(matrix, centroid))
    apart = cosine_distances(matrix, centroid)
    yield "centroid_cosine", _rounded(1 - apart)
    yield "centroid_cosine_distance", _rounded(apart)


def _unused_parts(
    matrix: Float[Tensor, "vocab d_model"],
    known: Rows,
    unused_ids: Sequence[int],
    centre: Float[Tensor, " d_model"] | None,
) -> Iterator[tuple[str, Column] | None]:
    if not all(0 <= token_id < len(matrix) for token_id in unused_ids):
        raise ValueError(f"unused ids must lie between 0 and {len(matrix) - 1}")
    finite = finite_rows(matrix)
    unused = torch.zeros(len(matrix), dtype=torch.bool)
    unused[list(unused_ids)] = True
    unused &= finite
    if centre is None and not unused.any():
        return
    rows = known & finite
    reference, centroid = mean_row(matrix, unused) if centre is None else centre, mean_row(matrix, rows)
    yield "unused_cosine_distance", _rounded(cosine_distances(matrix, reference))
    yield "unused_cosine_distance_centred", _rounded(cosine_distances(matrix, reference, origin=centroid))
    component = torch.zeros_like(centroid)
    for better in principal_component_passes(matrix, rows, centroid):
        component = better
        yield None
    yield "unused_cosine_distance_no_pc1", _rounded(cosine_distances(matrix, reference, without=component))
    yield "unused_l2_distance", _rounded(distances(matrix, reference))


def _rounded(column: Float[Tensor, " vocab"]) -> Column:
    rounded: Column = column.detach().to("cpu", torch.float32).numpy()
    return rounded
