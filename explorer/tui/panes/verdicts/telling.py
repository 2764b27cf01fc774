"""What the Verdicts pane gives the token table: a column for each definition."""

from __future__ import annotations

import asyncio

from explorer.tables.verdicts import VerdictMatrix
from explorer.tui.panes.base import Pane
from explorer.tui.panes.verdicts.columns import KnownVerdicts
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.messages import ColumnsFound

_APART = 0.1
"""Seconds between drawing the matrix and the token table's columns: both at once would hold up a key."""


class ColumnTeller:
    """Posts `ColumnsFound` from a `pane`, with all that is known of each definition."""

    def __init__(self, pane: Pane) -> None:
        self._pane = pane
        self._known = KnownVerdicts()

    def tell(self, matrix: VerdictMatrix | None) -> None:
        """There may be news in `matrix`, or of earlier ones."""
        if matrix is not None:
            self._known.add(matrix)
        if self._known.has_news:
            run_guarded(self._pane, self._find, group="columns", exclusive=True)

    async def _find(self) -> None:
        await asyncio.sleep(_APART)
        sizes = {info.name: info.vocab_size for info in self._pane.selection.roster.models}
        for model, columns in (await self._known.columns(sizes)).items():
            self._pane.post_message(ColumnsFound(model, columns))

    def forget(self, model: str) -> None:
        """Another model has taken the name."""
        self._cancel()
        self._known.forget(model)

    def clear(self) -> None:
        """Nothing is known."""
        self._cancel()
        self._known = KnownVerdicts()

    def _cancel(self) -> None:
        self._pane.workers.cancel_group(self._pane, "columns")
