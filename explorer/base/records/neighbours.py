"""Nearest neighbours among the embeddings."""

from __future__ import annotations

from typing import ClassVar, Literal

from explorer.base.records.record import Outcome, Record, Request
from explorer.base.records.tokens import Category, TokenRef

Metric = Literal["euclidean", "cosine", "dot"]
Space = Literal["input", "output"]


class FindNeighbours(Request, kw_only=True):
    """Exact nearest neighbours of a token among a model's embeddings, and their projection to the plane."""

    model: str
    token_id: int
    k: int = 20
    metric: Metric = "cosine"
    space: Space = "input"
    """`input`: rows of W_E; `output`: columns of W_U."""
    encoder: str = ""
    """A sentence-transformers directory or id: also compare the tokens' texts by meaning."""
    colour: str = ""
    """The indicator that colours list and plot; empty: the usual one. Nothing is computed by it."""


class Neighbour(Record, kw_only=True):
    ordered_by: ClassVar[str] = "distance"

    token: TokenRef
    category: Category
    distance: float
    """Euclidean distance, 1 − cosine, or minus the dot product: smaller is nearer."""
    x: float
    y: float
    indicators: dict[str, float]
    meaning: float | None = None
    """Cosine of the sentence embeddings of the two texts, where an encoder was given."""


class Neighbourhood(Outcome, kw_only=True):
    model: str
    metric: Metric
    space: Space
    subject: Neighbour
    """The token itself, at distance 0 (dot: minus its squared norm)."""
    neighbours: tuple[Neighbour, ...]
    """Nearest first; ties by id."""
    variance: tuple[float, float]
    """Share of the neighbourhood's variance on each axis of the plane (PCA)."""
    indicator_ranges: dict[str, tuple[float, float, float]]
    """5th percentile, median and 95th percentile of each indicator over the vocabulary, for a colour scale."""
