"""Columns of the token table from a verdict matrix. NumPy passes over a vocabulary: not on the event loop."""

from __future__ import annotations

import numpy as np

from explorer.records import VERDICTS
from explorer.table import AddedColumn
from explorer.tui.panes.verdicts_view import MARKS, heading_of, number_text
from explorer.verdicts import VerdictMatrix

_RANK = np.array([0, 1, 3, 2, 4], dtype=np.float64)
"""By verdict: verified, weak, inconclusive, rejected."""
_NOT_ASKED = VERDICTS.index("not asked")


def verdict_columns(matrix: VerdictMatrix, vocab_size: int) -> dict[str, AddedColumn]:
    """A column for each definition: sorted by the verdict, the called first, then by its number."""
    columns: dict[str, AddedColumn] = {}
    inside = matrix.token_ids < vocab_size
    ids = matrix.token_ids[inside]
    for place, definition in enumerate(matrix.definitions):
        verdicts = np.full(vocab_size, _NOT_ASKED, dtype=np.uint8)
        values = np.full(vocab_size, np.nan, dtype=np.float32)
        verdicts[ids], values[ids] = matrix.verdicts[place, inside], matrix.values[place, inside]
        columns[definition.name] = _column(verdicts, values, heading_of(definition.name))
    return columns


def _column(verdicts: np.ndarray, values: np.ndarray, title: str) -> AddedColumn:
    order = np.lexsort((values, _RANK[verdicts]))
    keys = np.empty(len(order), dtype=np.float32)
    keys[order] = np.arange(len(order), dtype=np.float32)
    keys[verdicts == _NOT_ASKED] = np.nan

    def show(token_id: int) -> str:
        if verdicts[token_id] == _NOT_ASKED:
            return ""
        number = "" if np.isnan(values[token_id]) else f" {number_text(float(values[token_id]))}"
        return f"{MARKS[VERDICTS[int(verdicts[token_id])]][0]}{number}"

    return AddedColumn(keys, show, title)
