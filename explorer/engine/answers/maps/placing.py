"""Where a vector that is no row of the vocabulary lies on a plane."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from explorer.base.records.maps import COMPONENT_AXES, LAYOUTS, NEAREST_AXIS, MapRequest, VocabularyMap
from explorer.base.records.record import Array
from explorer.base.records.tokens import CATEGORIES
from explorer.engine.answers.maps.axes import components_of
from explorer.engine.answers.maps.kept import Telling
from explorer.engine.answers.maps.planes import axes_of_plane
from explorer.engine.answers.maps.source import Source
from explorer.engine.answers.reference import judge_reference
from explorer.engine.core.indicators import cosine_distances, distances, finite_rows, mean_row, norms
from explorer.engine.core.landmarks import SHARPNESS
from explorer.tables.table import set_aside

Vectors = Float[Tensor, "n d_model"]
Values = npt.NDArray[np.float64]
NEAREST = 3
"""Tokens between which a vector stands on a plane that has no axes."""


class NoPlace(Exception):
    """A vector has no place on a plane; why, in one line."""


class KeptCentre(msgspec.Struct, frozen=True):
    """The centre of the reference tokens."""

    row: Array
    """float64 [d_model]"""


def centroid_of(source: Source) -> Float[Tensor, " d_model"]:
    """The mean row, float64, as the indicators take it."""
    matrix = source.matrix
    known = torch.arange(len(matrix)) < source.model.vocabulary.tokenizer_size
    return mean_row(matrix, known & finite_rows(matrix))


def place_vectors(source: Source, found: VocabularyMap, request: MapRequest, vectors: Vectors) -> Telling[Values]:
    """Where float64 `vectors` of the map's space lie, [n, 2]; NaN for those without a direction where that is needed.
    Raises `NoPlace` for a plane that is no function of a vector."""
    if request.other:
        raise NoPlace("this plane compares numbers of two models")
    if not source.counted.any():
        raise NoPlace("no token has a place here either")
    if found.plane in LAYOUTS:
        return _place_between(source, found, vectors)
    axes = axes_of_plane(found.plane, source.space)
    if axes is None:
        return (yield from _place_around(source, request.token_id, vectors))
    columns = []
    for name in axes:
        columns.append((yield from _value(source, name, vectors)))
    return np.stack(columns, axis=1)


def _value(source: Source, name: str, vectors: Vectors) -> Telling[Values]:
    """The number of an axis for each vector."""
    if name in COMPONENT_AXES:
        return (yield from _along_components(source, vectors))[:, COMPONENT_AXES.index(name)]
    if name == NEAREST_AXIS:
        return np.array([float(distances(source.matrix, each)[source.counted].min()) for each in vectors])
    space, _, what = name.partition("_")
    if space not in ("input", "output", "unused"):
        raise NoPlace(f"{name} is no function of a vector")
    if not source.model.embeddings().tied and (space == "input") != (source.space == "input"):
        raise NoPlace(f"{name} is of the other matrix")
    if space == "unused":
        return _against_reference(what, vectors, (yield from _reference_centre(source)), centroid_of(source))
    return _against_centroid(name, what, vectors, centroid_of(source))


def _against_centroid(name: str, what: str, vectors: Vectors, centroid: Float[Tensor, " d_model"]) -> Values:
    match what:
        case "norm":
            return norms(vectors).numpy()
        case "centroid_distance":
            return distances(vectors, centroid).numpy()
        case "centroid_cosine":
            return 1 - cosine_distances(vectors, centroid).numpy()
        case "centroid_cosine_distance":
            return cosine_distances(vectors, centroid).numpy()
        case _:
            raise NoPlace(f"{name} is no function of a vector")


def _against_reference(
    what: str, vectors: Vectors, centre: Float[Tensor, " d_model"], centroid: Float[Tensor, " d_model"]
) -> Values:
    match what:
        case "cosine_distance":
            return cosine_distances(vectors, centre).numpy()
        case "cosine_distance_centred":
            return cosine_distances(vectors, centre, origin=centroid).numpy()
        case "l2_distance":
            return distances(vectors, centre).numpy()
        case _:
            raise NoPlace(f"unused_{what} is not computed for other vectors than tokens")


def _along_components(source: Source, vectors: Vectors) -> Telling[Values]:
    kept = yield from components_of(source)
    along: Values = (vectors.numpy() - kept.middle.numpy()) @ kept.axes.numpy().astype(np.float64)
    return along


def _place_around(source: Source, token_id: int | None, vectors: Vectors) -> Telling[Values]:
    """True distance from a token, or from the centroid, at the angle at which the first two components show it."""
    matrix = source.matrix
    middle = mean_row(matrix, source.counted) if token_id is None else matrix[token_id].double().cpu()
    ends = yield from _along_components(source, torch.cat([vectors, middle[None]]))
    plane = ends[:-1, :2] - ends[-1, :2]
    angle = np.arctan2(plane[:, 1], plane[:, 0])
    placed: Values = distances(vectors, middle).numpy()[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return placed


def _place_between(source: Source, found: VocabularyMap, vectors: Vectors) -> Values:
    """The mean of the 3 tokens nearest by centred cosine, each weighted as a landmark is."""
    places = np.stack([found.x.numpy(), found.y.numpy()], axis=1).astype(np.float64)
    middle = mean_row(source.matrix, source.counted)
    placed = np.full((len(vectors), 2), np.nan)
    for at, vector in enumerate(vectors):
        if not torch.linalg.vector_norm(vector - middle) > 1e-6 * torch.linalg.vector_norm(vector):
            continue  # the centroid itself lies in no direction from the centroid
        apart = cosine_distances(source.matrix, vector, origin=middle)
        apart[torch.from_numpy(np.isnan(places[:, 0]))] = torch.inf
        nearest = apart.topk(min(NEAREST, len(apart)), largest=False)
        weights = torch.softmax(-SHARPNESS * nearest.values, dim=0).numpy()
        placed[at] = weights @ places[nearest.indices.numpy()]
    return placed


def _reference_centre(source: Source) -> Telling[Float[Tensor, " d_model"]]:
    """The centre that the `unused_…` indicators measure against."""
    unused = source.read.sent.unused
    if not unused:
        raise NoPlace("this model has no reference tokens")

    def compute() -> Telling[KeptCentre]:
        yield from ()
        matrix = source.matrix
        categories = source.model.vocabulary.categories
        candidates = (categories == CATEGORIES.index("ok")) & ~set_aside(categories, unused)
        judged = judge_reference(matrix, unused, candidates)
        if judged.centre is not None:
            return KeptCentre(Array.of(judged.centre.cpu().numpy()))
        chosen = torch.zeros(len(matrix), dtype=torch.bool)
        chosen[list(judged.token_ids)] = True
        return KeptCentre(Array.of(mean_row(matrix, chosen & finite_rows(matrix)).numpy()))

    facts = ("centre", *(entry.token_id for entry in unused))
    kept = yield from source.keeper.keep(source.model, "output", KeptCentre, facts, compute)
    return torch.from_numpy(kept.row.numpy().copy())
