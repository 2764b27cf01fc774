"""What the token table writes into files: every row of the view in its order, with all columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from explorer.tables.table import AddedColumn
from explorer.tui.panes.takeaway import Takeaway
from explorer.tui.panes.tokens.table_rows import TokenRows
from explorer.tui.panes.tokens.views import View


def takeaway_of(view: View, added: Mapping[str, AddedColumn], token_id: int | None) -> Takeaway:
    """All tokens that the filter lets through, the cursor on `token_id`; of a replayed view those that the session
    holds."""
    columns = dict(added)
    return Takeaway(
        f"the {len(view.rows):,} tokens of the table",
        lambda _: table_rows(view.rows, columns),
        row=lambda _: None if token_id is None else _row(view.rows, token_id, columns),
    )


def table_rows(rows: TokenRows, added: Mapping[str, AddedColumn]) -> Iterator[dict[str, Any]]:
    """Each token that is known, with its indicators (None where there is none), flags and added columns as shown."""
    for position in range(len(rows)):
        token_id = rows.token_at(position)
        if token_id is not None:
            yield _row(rows, token_id, added)


def _row(rows: TokenRows, token_id: int, added: Mapping[str, AddedColumn]) -> dict[str, Any]:
    numbers = {name: _number(rows.value(name, token_id)) for name in rows.indicators}
    flags = {name: rows.has_flag(name, token_id) for name in rows.flags}
    told = {name: column.show(token_id) for name, column in added.items()}
    token_bytes = rows.token_bytes(token_id)
    named = {"token_id": token_id, "token_bytes": token_bytes.hex(), "text": rows.text(token_id)}
    return {**named, "category": rows.category(token_id), **numbers, **flags, **told}


def _number(value: float) -> float | None:
    # str() of a float32 is its shortest form.
    return float(str(np.float32(value))) if math.isfinite(value) else None
