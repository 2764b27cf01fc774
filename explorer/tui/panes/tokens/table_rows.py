"""What a token table can show: positions of a view, and the numbers of the token at each.

`LoadedRows` is a whole vocabulary under an order; `ReplayedRows` the few rows that a session file holds.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from explorer.base.records.tokens import TokenRow
from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.base.text import visible_bytes
from explorer.tables.number_format import NumberFormat
from explorer.tables.table import TokenColumns

Order = npt.NDArray[np.int64]


class TokenRows(Protocol):
    """A view of a vocabulary: positions 0 … len − 1, each holding a token or (replayed) nothing known."""

    @property
    def indicators(self) -> tuple[str, ...]:
        """Indicator columns, in column order."""

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags that a token may carry."""

    @property
    def highest_id(self) -> int:
        """For the width of the id column."""

    def __len__(self) -> int: ...

    def token_at(self, position: int) -> int | None:
        """The id at a position; None where it is not known."""

    def position_of(self, token_id: int) -> int | None:
        """Where a token stands; None where it is not in the view."""

    def number_format(self, indicator: str) -> NumberFormat: ...

    def visible(self, token_id: int) -> str:
        """The token as one safe line."""

    def token_bytes(self, token_id: int) -> bytes:
        """The token's exact bytes."""

    def text(self, token_id: int) -> str:
        """The token as it is: not for a screen."""

    def category(self, token_id: int) -> str: ...

    def value(self, indicator: str, token_id: int) -> float:
        """NaN where there is none."""

    def percentile(self, indicator: str, token_id: int) -> float:
        """NaN where there is none."""

    def has_flag(self, flag: str, token_id: int) -> bool: ...

    def row(self, token_id: int) -> TokenRow: ...


class LoadedRows:
    """A whole vocabulary under an order of ids (`explorer.tables.table.select`)."""

    def __init__(self, columns: TokenColumns, order: Order) -> None:
        self.columns = columns
        self.order = order

    def prepare(self, lead: str) -> LoadedRows:
        """Work out ahead what drawing the rows needs; run it off the event loop (some 40 ms at 262,144 rows)."""
        for name in self.indicators:
            self.number_format(name)
        if lead in self.columns.indicators:
            self.columns.percentiles(lead)
        return self

    @property
    def indicators(self) -> tuple[str, ...]:
        return tuple(self.columns.indicators)

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(self.columns.flags)

    @property
    def highest_id(self) -> int:
        return max(0, self.columns.vocab_size - 1)

    def __len__(self) -> int:
        return len(self.order)

    def token_at(self, position: int) -> int | None:
        return int(self.order[position]) if 0 <= position < len(self.order) else None

    def position_of(self, token_id: int) -> int | None:
        found = np.flatnonzero(self.order == token_id)
        return int(found[0]) if len(found) else None

    def number_format(self, indicator: str) -> NumberFormat:
        return self.columns.number_format(indicator)

    def visible(self, token_id: int) -> str:
        return self.columns.visible(token_id)

    def token_bytes(self, token_id: int) -> bytes:
        return self.columns.token_bytes(token_id)

    def text(self, token_id: int) -> str:
        return self.columns.text(token_id)

    def category(self, token_id: int) -> str:
        return self.columns.category(token_id)

    def value(self, indicator: str, token_id: int) -> float:
        return float(self.columns.values(indicator)[token_id])

    def percentile(self, indicator: str, token_id: int) -> float:
        return float(self.columns.percentiles(indicator)[token_id])

    def has_flag(self, flag: str, token_id: int) -> bool:
        return bool(self.columns.flags[flag][token_id])

    def row(self, token_id: int) -> TokenRow:
        return self.columns.row(token_id)


class ReplayedRows:
    """The window of rows that a recorded `RankedTokens` holds, at its positions; the rest is not known."""

    def __init__(self, request: RankTokens, outcome: RankedTokens) -> None:
        self._rows = {row.token_id: row for row in outcome.rows}
        self._positions = {row.token_id: request.first + place for place, row in enumerate(outcome.rows)}
        self._ids = {position: token_id for token_id, position in self._positions.items()}
        self._length = max(outcome.matching, request.first + len(outcome.rows))
        self.highest_id = max(outcome.total - 1, 0)
        self.flags = outcome.flags or tuple(dict.fromkeys(flag for row in outcome.rows for flag in row.flags))
        self.indicators = tuple(dict.fromkeys((*outcome.formats, *(n for row in outcome.rows for n in row.indicators))))
        self._formats = {name: self._format(name, outcome.formats.get(name)) for name in self.indicators}

    def _format(self, indicator: str, recorded: tuple[int, int] | None) -> NumberFormat:
        """As it was on the screen; where nothing of that was recorded, as the rows at hand have it."""
        if recorded is None:
            return NumberFormat.of(np.array([self.value(indicator, token_id) for token_id in self._rows]))
        width, decimals = recorded  # out of a file: no screen is wider, no float32 has more digits
        return NumberFormat(width=max(1, min(width, 40)), decimals=max(0, min(decimals, 7)))

    def __len__(self) -> int:
        return self._length

    def token_at(self, position: int) -> int | None:
        return self._ids.get(position)

    def position_of(self, token_id: int) -> int | None:
        return self._positions.get(token_id)

    def number_format(self, indicator: str) -> NumberFormat:
        return self._formats[indicator]

    def visible(self, token_id: int) -> str:
        return visible_bytes(bytes.fromhex(self._rows[token_id].token_bytes))

    def token_bytes(self, token_id: int) -> bytes:
        return bytes.fromhex(self._rows[token_id].token_bytes)

    def text(self, token_id: int) -> str:
        return self._rows[token_id].text

    def category(self, token_id: int) -> str:
        return self._rows[token_id].category

    def value(self, indicator: str, token_id: int) -> float:
        return self._rows[token_id].indicators.get(indicator, math.nan)

    def percentile(self, indicator: str, token_id: int) -> float:
        return self._rows[token_id].percentiles.get(indicator, math.nan)

    def has_flag(self, flag: str, token_id: int) -> bool:
        return flag in self._rows[token_id].flags

    def row(self, token_id: int) -> TokenRow:
        return self._rows[token_id]
