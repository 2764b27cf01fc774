"""The matrix of the Verdicts pane: a row for each token, a column for each definition, a cell that is chosen."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.binding import Binding, BindingType

from explorer.tui.panes.verdicts_view import MatrixRows
from explorer.tui.widgets.row_list import RowList
from explorer.verdicts import Agreement, VerdictMatrix


class MatrixList(RowList):
    """Rows of the matrix that pass a view of it; left and right go from definition to definition."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "column(-1)", "definition before", show=False),
        Binding("right", "column(1)", "next definition", show=False),
    ]

    def __init__(self, *, id: str | None = None, empty: str = "") -> None:
        super().__init__(id=id, empty=empty)
        self._matrix: VerdictMatrix | None = None
        self._column = 0
        self.places = np.zeros(0, dtype=np.int64)
        """Rows of the matrix that are listed."""

    def show_matrix(self, matrix: VerdictMatrix | None, agreement: Agreement) -> None:
        """List the tokens of `matrix` that pass `agreement`; None: nothing was tested."""
        self._matrix = matrix
        if matrix is None:
            self.places = np.zeros(0, dtype=np.int64)
            self.show_rows((), header=None)
            return
        self.places = np.flatnonzero(matrix.where(agreement))
        self._column = min(self._column, max(0, len(matrix.definitions) - 1))
        self.show_empty("No token here passes: choose another view of the matrix, or 'all'.")
        self._draw(matrix)

    def forget(self) -> None:
        """Nothing was tested, and no definition chosen."""
        self._column = 0
        self.show_matrix(None, "all")

    def _draw(self, matrix: VerdictMatrix) -> None:
        lines = MatrixRows(matrix, self.places, self.size.width - 3, self._column)
        self.show_rows(lines, header=lines.header())

    @property
    def definition(self) -> str:
        """The definition whose column is chosen; empty where there is none."""
        return self._matrix.definitions[self._column].name if self._matrix and self._matrix.definitions else ""

    def token_at(self, index: int) -> int | None:
        """The token of a row; None where the row is gone."""
        if self._matrix is None or index >= len(self.places):
            return None
        return int(self._matrix.token_ids[self.places[index]])

    def action_column(self, step: int) -> None:
        """The definition `step` columns on, round the end."""
        if self._matrix is not None and self._matrix.definitions:
            self._column = (self._column + step) % len(self._matrix.definitions)
            self._draw(self._matrix)
