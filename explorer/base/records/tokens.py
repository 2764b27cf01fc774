"""Tokens and the indicators that tell of them."""

from __future__ import annotations

from typing import Literal

from explorer.base.records.record import Record

Category = Literal["ok", "special", "byte", "fragment", "unreachable", "padding"]


CATEGORIES: tuple[Category, ...] = ("ok", "special", "byte", "fragment", "unreachable", "padding")
"""`fragment`: not valid UTF-8 alone; `unreachable`: does not re-encode to itself; `padding`: beyond the tokenizer."""


Bound = Literal["exact", "at_most"]
"""Whether a log-probability is what it says, or only known to be at most that."""


INDICATORS: dict[str, str] = {
    "input_norm": "L2 norm of the token's row of W_E",
    "input_centroid_distance": "Euclidean distance of the row of W_E to the mean row",
    "input_centroid_cosine": "cosine of the row of W_E and the mean row",
    "output_norm": "L2 norm of the token's column of W_U",
    "output_centroid_distance": "Euclidean distance of the column of W_U to the mean column",
    "output_centroid_cosine": "cosine of the column of W_U and the mean column",
    "output_centroid_cosine_distance": "1 - the cosine of the column of W_U and the mean column",
    "unused_cosine_distance": "cosine distance of the column of W_U to the centre of the reference tokens",
    "unused_cosine_distance_centred": "cosine distance to the reference tokens' centre, both less W_U's mean column",
    "unused_cosine_distance_no_pc1": "cosine distance to the reference tokens' centre, without the first component",
    "unused_l2_distance": "Euclidean distance of the column of W_U to the centre of the reference tokens",
    "output_bias": "the head's bias for the token",
}
"""Every indicator by name, with its meaning, in column order. Absent ones are left out of an Outcome."""


LABELS = {
    "input_norm": "‖W_E‖",
    "input_centroid_distance": "d(W_E)",
    "input_centroid_cosine": "cos(W_E)",
    "output_norm": "‖W_U‖",
    "output_centroid_distance": "d(W_U)",
    "output_centroid_cosine": "cos(W_U)",
    "output_centroid_cosine_distance": "1-cos(W_U)",
    "unused_cosine_distance": "unused-cos",
    "unused_cosine_distance_centred": "u-cos-ctr",
    "unused_cosine_distance_no_pc1": "u-cos-pc1",
    "unused_l2_distance": "unused-l2",
    "output_bias": "bias",
}
"""What a screen calls the indicators (`base.indicator_names`); filters take both. Command line, exports and palette
have the names in full."""


class TokenRef(Record, kw_only=True):
    """A token named beside another."""

    token_id: int
    token_bytes: str
    text: str


class TokenRow(Record, kw_only=True):
    token_id: int
    token_bytes: str
    text: str
    category: Category
    indicators: dict[str, float]
    percentiles: dict[str, float]
    """Mid-rank percentile of each indicator among the tokens that are not padding, 0 to 100."""
    robust_z: dict[str, float]
    """(value − median) / (1.4826 · median absolute deviation), among the same tokens."""
    flags: tuple[str, ...] = ()
    """Names of the flags the token carries ('withheld'), as far as they were recorded."""


def bare_row(token: TokenRef, category: Category = "ok") -> TokenRow:
    """A row that says which token it is, and no more."""
    return TokenRow(
        token_id=token.token_id,
        token_bytes=token.token_bytes,
        text=token.text,
        category=category,
        indicators={},
        percentiles={},
        robust_z={},
    )


def ref_of(row: TokenRow) -> TokenRef:
    """Which token a row is about."""
    return TokenRef(token_id=row.token_id, token_bytes=row.token_bytes, text=row.text)
