"""Views of the table. `select` turns a `RankTokens` into an order of ids, `ranked` makes the outcome of it. NumPy only.

The filter's language stands in `explorer.tables.filters`.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from explorer.base.records.tokens import CATEGORIES
from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.tables.filters import parse_filter
from explorer.tables.table import PLAIN_SORTS, Key, TokenColumns

_ID_BITS = np.uint64(26)
"""Enough for `LARGEST_VOCABULARY`."""


def select(columns: TokenColumns, query: RankTokens, marked: Collection[int] = ()) -> npt.NDArray[np.int64]:
    """The ids that pass the query's filter and category, in its order, int64.

    Ties stand in the order of their ids, ascending and descending alike. Sorted by an indicator, tokens that are set
    aside (special and reference tokens) come after the others both ways, then those without a value (NaN), then
    padding. Raises `FilterError` for a filter that
    cannot be read or applied, `TableError` for an unknown sort.

    At 262,144 rows a sort takes about 15 ms and a text filter about 25 (after `warm`); a regex
    takes 0.6 s and is given up after `filter_terms.REGEX_SECONDS`: call it off the event loop.
    """
    keys = _sort_keys(columns, query.sort or columns.default_indicator or "id", query.descending)
    passing = parse_filter(query.filter, columns.comparable).mask(columns, marked)
    if query.category is not None:
        passing &= columns.categories == CATEGORIES.index(query.category)
    ids = np.flatnonzero(passing)
    # Key and id in one integer: sorting those is several times faster than a stable argsort of the keys.
    packed = keys[ids] << _ID_BITS | ids.astype(np.uint64)
    packed.sort()
    return (packed & ((np.uint64(1) << _ID_BITS) - np.uint64(1))).astype(np.int64)


def _sort_keys(columns: TokenColumns, sort: str, descending: bool) -> npt.NDArray[np.uint64]:
    """uint64 [vocab], below 2³⁴, whose ascending order is the one asked for."""
    if sort in PLAIN_SORTS:
        keys = _plain_keys(columns, sort)
        return (~keys if descending else keys).astype(np.uint64)
    values = columns.values(sort)
    bits = (values + np.float32(0)).view(np.uint32)  # + 0 makes -0 equal to 0
    # An IEEE float's bits sort like the number once the sign bit is flipped, and all bits of negative numbers.
    keys = np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(1 << 31))
    keys = (~keys if descending else keys).astype(np.uint64)
    heap = np.where(columns.set_aside, np.uint64(1), np.uint64(0))
    heap[np.isnan(values)] = 2
    heap[columns.is_padding] = 3
    keys[heap >= 2] = 0  # ties
    return heap << np.uint64(32) | keys


def _plain_keys(columns: TokenColumns, sort: str) -> Key:
    if sort == "token":
        return columns.text_ranks
    if sort == "category":
        return columns.categories.astype(np.uint32)
    return (columns.lengths if sort == "bytes" else np.arange(columns.vocab_size)).astype(np.uint32)


def ranked(columns: TokenColumns, query: RankTokens, order: npt.NDArray[np.int64]) -> RankedTokens:
    """The Outcome of `query`, whose order of ids is `order` (from `select`): a window of rows, and a digest.

    The digest is the SHA-256 of the indicator columns (float32, in column order) followed by the order
    (int64), both little-endian; its first 32 hexadecimal digits.
    """
    digest = columns.indicators_digest.copy()
    digest.update(order.astype("<i8").tobytes())
    first = max(query.first, 0)
    sort = query.sort or columns.default_indicator or "id"
    lead = sort if sort in columns.indicators else columns.default_indicator
    # The lead comes first: a replay takes the first one where the view is not sorted by an indicator.
    formats = {name: columns.number_format(name) for name in sorted(columns.indicators, key=lambda name: name != lead)}
    return RankedTokens(
        model=columns.model,
        sort=sort,
        default_rule=columns.default_rule,
        rows=tuple(columns.row(int(token_id)) for token_id in order[first : first + max(query.top, 0)]),
        matching=len(order),
        total=columns.vocab_size,
        digest=digest.hexdigest()[:32],
        notes=columns.notes,
        flags=tuple(columns.flags),
        formats={name: (written.width, written.decimals) for name, written in formats.items()},
    )
