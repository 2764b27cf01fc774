"""Two to eight tokens of one model side by side."""

from __future__ import annotations

from explorer.base.records.record import Outcome, Record, Request
from explorer.base.records.tokens import TokenRow

FEWEST, MOST = 2, 8
"""Tokens that are compared at once."""


class KnownReplies(Record, kw_only=True):
    """What repeat-back found of a token before: told with the request, not asked again."""

    token_id: int
    template: str
    exact: int
    samples: int


class CompareTokens(Request, kw_only=True):
    """All indicators of some tokens, and how near they are to each other among both embeddings."""

    model: str
    token_ids: tuple[int, ...]
    """From `FEWEST` to `MOST` of them, each once."""
    repeated: tuple[KnownReplies, ...] = ()
    """What is known of them: it is shown beside the outcome, and nothing is computed by it."""


class TokenPair(Record, kw_only=True):
    """How near two tokens are, in float64; None where a row is not finite, and for output embeddings that are not
    there."""

    first: int
    second: int
    """Ids."""
    input_cosine: float | None
    input_distance: float | None
    """Euclidean."""
    output_cosine: float | None = None
    output_distance: float | None = None


class TokenComparison(Outcome, kw_only=True):
    model: str
    rows: tuple[TokenRow, ...]
    """The tokens, in the order asked."""
    pairs: tuple[TokenPair, ...]
    """Each two of them once, in that order."""
    quantisation: str = ""
    """How the weights are quantised that the numbers are computed from; see `ModelInfo.quantisation`."""

    def problem(self) -> str:
        known = {row.token_id for row in self.rows}
        strange = next((pair for pair in self.pairs if not {pair.first, pair.second} <= known), None)
        return "" if strange is None else f"tokens {strange.first} and {strange.second} are not among those compared"
