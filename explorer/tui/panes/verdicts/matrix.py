"""The matrix of the Verdicts pane: a row for each token, a column for each definition, a cell that is chosen."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from textual.binding import Binding, BindingType

from explorer.tables.verdicts import Agreement, VerdictMatrix
from explorer.tui.panes.verdicts.view import MatrixRows
from explorer.tui.widgets.row_list import RowList


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
        self._pointed: int | None = None
        self.places = np.zeros(0, dtype=np.int64)
        """Rows of the matrix that are listed."""

    def show_matrix(self, matrix: VerdictMatrix | None, agreement: Agreement, nothing: str = "") -> None:
        """List the tokens of `matrix` that pass `agreement`, those that most definitions call first; None: nothing was
        tested. `nothing` is said where no token passes. The cursor stays with its token, except on the first row."""
        token_id = self.token_at(self.cursor) if self.cursor and self._rows else None
        self._matrix = matrix
        if matrix is None:
            self.places = np.zeros(0, dtype=np.int64)
            self.show_rows((), header=None)
            return
        self.places = _in_order(matrix, np.flatnonzero(matrix.where(agreement)))
        self._column = min(self._column, max(0, len(matrix.definitions) - 1))
        self.show_empty(nothing)
        self._draw(matrix, None if token_id is None else self._row_of(token_id))

    def forget(self) -> None:
        """Nothing was tested, and no definition chosen."""
        self._column = 0
        self.show_matrix(None, "all")

    def point_at(self, token_id: int, definition: str) -> None:
        """Choose the cell of a token and a definition, where they are listed."""
        names = [each.name for each in self._matrix.definitions] if self._matrix is not None else []
        row = self._row_of(token_id)
        if self._matrix is not None and row is not None and definition in names:
            self._column, self._pointed = names.index(definition), row
            self._draw(self._matrix, row)
            self._reveal(0)

    def _reveal(self, first: int) -> None:
        """A row that was pointed at is shown as if the cursor had come down to it, whatever room there comes to be."""
        if self.cursor != self._pointed:
            self._pointed = None
        super()._reveal(first if self._pointed is None else 0)

    def _row_of(self, token_id: int) -> int | None:
        if self._matrix is None:
            return None
        found = np.flatnonzero(self._matrix.token_ids[self.places] == token_id)
        return int(found[0]) if len(found) else None

    def _draw(self, matrix: VerdictMatrix, cursor: int | None = None) -> None:
        lines = MatrixRows(matrix, self.places, self.size.width - 3, self._column)
        self.show_rows(lines, header=lines.header(), cursor=cursor)

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


def _in_order(matrix: VerdictMatrix, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order in which a session lists the called tokens: most definitions first, then by id. The others follow in
    the order in which they are tested: sorting a whole vocabulary would hold up a key."""
    times = matrix.called()[:, places].sum(axis=0)
    called = places[times > 0]
    ordered = called[np.lexsort((matrix.token_ids[called], -times[times > 0]))]
    return np.concatenate([ordered, places[times == 0]])
