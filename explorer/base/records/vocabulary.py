"""A whole vocabulary with its indicators, and views of it."""

from __future__ import annotations

import msgspec

from explorer.base.records.record import Array, Outcome, Record, Request
from explorer.base.records.tokens import Category, TokenRow

LARGEST_VOCABULARY = 50_000_000
"""Tokens; no session speaks of more."""


BYTE, PADDING_ROW, NAME, MARKED = "byte never in UTF-8", "padding row", "name", "marked unused"
TWIN, CHOSEN = "twin", "chosen"
"""Why a token is a reference token, the beginning of `UnusedReference.reason`."""


class UnusedReference(Record, kw_only=True):
    """A reference token, and why it is one: `byte never in UTF-8`, `name`, `padding row`, `marked unused` (in its GGUF
    file), `twin of 5`, `chosen`; with `, looks trained` behind it where its row says otherwise."""

    token_id: int
    reason: str

    @property
    def is_found(self) -> bool:
        """Whether it was found by its row, which makes it a finding, and not by what it is called."""
        return self.reason.startswith(TWIN)


class ReadVocabulary(Request, kw_only=True):
    """Read every token of a model with all indicators, as columns. Never stands in a session file."""

    model: str
    unused_ids: tuple[int, ...] | None = None
    """Known-unused reference; None: found automatically."""


class VocabularyColumns(Outcome, kw_only=True):
    """A whole vocabulary, one entry per embedding row. `explorer.tables.table.TokenColumns` reads it."""

    model: str
    token_bytes: Array
    """uint8 [total bytes], all tokens' bytes one after the other."""
    offsets: Array
    """int64 [vocab + 1], where each token's bytes begin."""
    categories: Array
    """uint8 [vocab], index into `CATEGORIES`."""
    indicators: dict[str, Array]
    """name → float32 [vocab]; absent indicators are left out."""
    default_indicator: str
    default_rule: str
    """Which rule picked the default indicator, in words."""
    unused: tuple[UnusedReference, ...]
    notes: tuple[str, ...] = ()
    """Remarks such as '3 rows hold NaN'."""
    flags: dict[str, Array] = msgspec.field(default_factory=dict)
    """name → bool [vocab], such as 'published' or 'withheld' (zoo ground truth)."""


class RankTokens(Request, kw_only=True):
    """A view of the token table: filtered, sorted, and a window of its rows."""

    model: str
    sort: str = ""
    """Indicator name, `id`, `token`, `category`, `bytes`; empty: the default indicator."""
    descending: bool = False
    filter: str = ""
    """See `explorer.tables.table.parse_filter`: text, /regex/, id ranges, bytes, category, percentile ranges."""
    category: Category | None = None
    top: int = 50
    """Rows returned."""
    first: int = 0
    """Position in the view of the first row returned."""
    cursor: int | None = None
    """Position of the cursor, where a screen had one."""
    unused_ids: tuple[int, ...] | None = None

    def problem(self) -> str:
        farthest = max(abs(self.first), abs(self.top), abs(self.cursor or 0))
        return "no vocabulary has that many rows" if farthest > LARGEST_VOCABULARY else ""


class RankedTokens(Outcome, kw_only=True):
    model: str
    sort: str
    default_rule: str
    rows: tuple[TokenRow, ...]
    matching: int
    """Tokens that pass the filter."""
    total: int
    """Tokens in the vocabulary."""
    digest: str
    """SHA-256 of the order (ids, int64) and of the indicator columns (float32), first 32 hex digits."""
    notes: tuple[str, ...] = ()
    """Remarks on the vocabulary, such as '3 rows hold NaN'."""
    flags: tuple[str, ...] = ()
    """Every flag that a token of the vocabulary may carry, in column order."""
    formats: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    """How a screen writes each indicator: cells and decimals, chosen from the whole column; empty in older sessions."""

    def problem(self) -> str:
        if len(self.rows) <= self.matching <= self.total <= LARGEST_VOCABULARY:
            return ""
        return f"{len(self.rows)} rows of {self.matching} of {self.total} tokens are not possible"
