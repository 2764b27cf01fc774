"""The matrix of the Verdicts pane: a row for each token, a column for each definition, a cell that is chosen."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from textual.binding import Binding, BindingType

from explorer.tables.verdicts import Agreement, VerdictMatrix
from explorer.tui.panes.verdicts.view import MatrixRows
from explorer.tui.widgets.row_list import RowList


class ListedMatrix:
    """The rows of a matrix that pass a view of it, in order, and the column that is chosen. No widget."""

    def __init__(self) -> None:
        self.matrix: VerdictMatrix | None = None
        self.places: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        """Rows of the matrix that are listed."""
        self._column = 0

    def show(self, matrix: VerdictMatrix | None, agreement: Agreement) -> None:
        """List the tokens of `matrix` that pass `agreement`, those that most definitions call first; None: nothing."""
        self.matrix = matrix
        if matrix is None:
            self.places = np.zeros(0, dtype=np.int64)
            return
        self.places = _in_order(matrix, np.flatnonzero(matrix.where(agreement)))
        self._column = min(self._column, max(0, len(matrix.definitions) - 1))

    def forget(self) -> None:
        """Nothing was tested, and no definition chosen."""
        self._column = 0
        self.show(None, "all")

    def choose(self, token_id: int, definition: str) -> int | None:
        """Choose a definition's column; the row of the token, None where there is no such cell."""
        names = [each.name for each in self.matrix.definitions] if self.matrix is not None else []
        row = self.row_of(token_id)
        if row is not None and definition in names:
            self._column = names.index(definition)
            return row
        return None

    @property
    def can_turn(self) -> bool:
        """Whether there is another column to choose."""
        return self.matrix is not None and len(self.matrix.definitions) > 1 and bool(len(self.places))

    def turn(self, step: int) -> None:
        """Choose the definition `step` columns on, round the end."""
        if self.matrix is not None and self.can_turn:
            self._column = (self._column + step) % len(self.matrix.definitions)

    def row_of(self, token_id: int) -> int | None:
        """Where a token is listed; None where it is not."""
        if self.matrix is None:
            return None
        found = np.flatnonzero(self.matrix.token_ids[self.places] == token_id)
        return int(found[0]) if len(found) else None

    def token_at(self, index: int) -> int | None:
        """The token of a row; None where the row is gone."""
        if self.matrix is None or index >= len(self.places):
            return None
        return int(self.matrix.token_ids[self.places[index]])

    @property
    def definition(self) -> str:
        """The definition whose column is chosen; empty where there is none."""
        return self.matrix.definitions[self._column].name if self.matrix and self.matrix.definitions else ""

    def lines(self, width: int) -> MatrixRows | None:
        """The rows listed, in lines of at most `width` cells; None where nothing was tested."""
        return None if self.matrix is None else MatrixRows(self.matrix, self.places, width, self._column)


class MatrixList(RowList):
    """Shows a `ListedMatrix`; left and right go from definition to definition."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "column(-1)", "definition", tooltip="Go from definition to definition"),
        Binding("right", "column(1)", "definition", tooltip="Go from definition to definition"),
    ]

    def __init__(self, *, id: str | None = None, empty: str = "") -> None:
        super().__init__(id=id, empty=empty)
        self.listed = ListedMatrix()

    def show_matrix(self, matrix: VerdictMatrix | None, agreement: Agreement, nothing: str = "") -> None:
        """List the tokens of `matrix` that pass `agreement`; `nothing` is said where no token passes. The cursor stays
        with its token, except on the first row."""
        token_id = self.listed.token_at(self.cursor) if self.cursor and self.rows else None
        self.listed.show(matrix, agreement)
        if matrix is not None:
            self.show_empty(nothing)
        self._draw(None if token_id is None else self.listed.row_of(token_id))

    def forget(self) -> None:
        """Nothing was tested, and no definition chosen."""
        self.listed.forget()
        self._draw()

    def point_at(self, token_id: int, definition: str) -> None:
        """Choose the cell of a token and a definition, where they are listed."""
        if (row := self.listed.choose(token_id, definition)) is not None:
            self._draw(row)
            self._sight.come_down_to(row)

    def _draw(self, cursor: int | None = None) -> None:
        lines = self.listed.lines(self.size.width - 3)
        self.show_rows(lines or (), header=None if lines is None else lines.header(), cursor=cursor)

    def action_column(self, step: int) -> None:
        self.listed.turn(step)
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.listed.can_turn if action == "column" else super().check_action(action, parameters)


def _in_order(matrix: VerdictMatrix, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The order in which a session lists the called tokens: most definitions first, then by id. The others follow in
    the order in which they are tested: sorting a whole vocabulary would hold up a key."""
    times = matrix.called()[:, places].sum(axis=0)
    called = places[times > 0]
    ordered = called[np.lexsort((matrix.token_ids[called], -times[times > 0]))]
    return np.concatenate([ordered, places[times == 0]])
