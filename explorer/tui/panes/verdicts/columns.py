"""Columns of the token table from a verdict matrix. NumPy passes over a vocabulary: not on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from explorer.base.records.verification import VERDICTS
from explorer.tables.table import AddedColumn
from explorer.tables.tested import TokenVerdicts, learn
from explorer.tables.verdicts import VerdictMatrix
from explorer.tui.panes.verdicts.view import MARKS, heading_of, number_text

_RANK = np.array([0, 1, 4, 3, 5, 2], dtype=np.float64)
"""By verdict: verified, weak, inconclusive (would be called, but the controls fail too), inconclusive, rejected."""
_NOT_ASKED = VERDICTS.index("not asked")


class KnownVerdicts:
    """What the sweeps found, by model and definition: one about other tokens takes nothing away."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, TokenVerdicts]] = {}
        self._news: list[VerdictMatrix] = []

    def add(self, matrix: VerdictMatrix) -> None:
        """There are verdicts in `matrix` that `columns` does not have."""
        if not any(matrix is one for one in self._news):
            self._news.append(matrix)

    @property
    def has_news(self) -> bool:
        """Whether `columns` has anything to do."""
        return bool(self._news)

    async def columns(self, sizes: Mapping[str, int]) -> dict[str, dict[str, AddedColumn]]:
        """By model, the columns of the definitions of which there is news. Nothing is lost where this is cancelled.

        `sizes`: the rows of the vocabularies of the models that are loaded; news of others is dropped.
        """
        news = [matrix for matrix in self._news if matrix.model in sizes]
        learned, columns = await asyncio.to_thread(_learn, self._known, news, sizes)
        self._known, self._news = learned, []
        return columns

    def forget(self, model: str) -> None:
        """The name stands for another checkpoint now. A call of `columns` that is under way must be cancelled."""
        self._known.pop(model, None)
        self._news = [matrix for matrix in self._news if matrix.model != model]


def _learn(
    known: Mapping[str, Mapping[str, TokenVerdicts]], news: Sequence[VerdictMatrix], sizes: Mapping[str, int]
) -> tuple[dict[str, dict[str, TokenVerdicts]], dict[str, dict[str, AddedColumn]]]:
    """What is known with the news, and its columns: sorted by the verdict, the called first, then by its number."""
    learned = {model: dict(definitions) for model, definitions in known.items()}
    fresh: dict[tuple[str, str], None] = {}
    for matrix in news:
        of_model = learned.setdefault(matrix.model, {})
        for place, definition in enumerate(matrix.definitions):
            before = of_model.get(definition.name)
            of_model[definition.name] = learn(before, matrix, place, sizes[matrix.model])
            fresh[matrix.model, definition.name] = None
    columns: dict[str, dict[str, AddedColumn]] = {}
    for model, name in fresh:
        found = learned[model][name]
        columns.setdefault(model, {})[name] = _column(found.verdicts, found.values, heading_of(name))
    return learned, columns


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
