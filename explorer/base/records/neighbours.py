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
    other: str = ""
    """Another loaded model, to find the neighbours of its token with the same bytes too."""


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


class NeighbourThere(Record, kw_only=True):
    """A neighbour in another model."""

    ordered_by: ClassVar[str] = "distance"

    token: TokenRef
    category: Category
    distance: float


class NeighboursThere(Record, kw_only=True):
    """The same token's neighbours in another model, among all of its vocabulary."""

    model: str
    token: TokenRef | None = None
    """Its token with the subject's bytes; None: it has none that counts."""
    neighbours: tuple[NeighbourThere, ...] = ()
    absent: tuple[int, ...] = ()
    """Neighbours in the first model whose bytes are no token of this one."""
    absent_here: tuple[int, ...] = ()
    """Neighbours in this model whose bytes are no token of the first one."""
    moved: float | None = None
    """How far the rows of both models' tokens are apart once the shared ones are laid over each other (Procrustes), as
    `explorer.base.records.maps.PAIR_AXES` says; None: too few tokens are shared."""
    moved_more_than: float | None = None
    """Share of the shared tokens that moved less."""


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
    there: NeighboursThere | None = None

    @property
    def ranks_there(self) -> dict[int, int]:
        """Of the neighbours that are neighbours in the other model too: their place there, from 1, by their id here."""
        if self.there is None:
            return {}
        places = {entry.token.token_bytes: place for place, entry in enumerate(self.there.neighbours, start=1)}
        ours = (entry.token for entry in self.neighbours)
        return {token.token_id: places[token.token_bytes] for token in ours if token.token_bytes in places}
