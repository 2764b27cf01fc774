"""What the Verdicts pane writes into files, and the marked tokens with their verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from explorer.base.records.unions import Step
from explorer.base.records.vocabulary import VocabularyColumns
from explorer.tables.exports import rows_of, write_export
from explorer.tables.verdicts import VerdictMatrix, matrix_of_tokens
from explorer.tui.panes.takeaway import Row, Takeaway
from explorer.tui.panes.verdicts.matrix import ListedMatrix
from explorer.tui.shell.messages import Selection


def takeaway_of(listed: ListedMatrix) -> Takeaway | None:
    """The tokens that the matrix lists; None where nothing was tested."""
    if listed.matrix is None:
        return None
    return _takeaway(listed.matrix, listed.places.tolist(), "shown")


def takeaway_of_marks(listed: ListedMatrix, selection: Selection, vocabulary: Step) -> Takeaway | None:
    """The marked tokens of the `vocabulary`, tested or not; None where it was not read."""
    columns, tested = vocabulary.outcome, listed.matrix
    if not isinstance(columns, VocabularyColumns):
        return None
    source = selection.model.source if selection.model is not None else ""
    known = tested if tested is not None and tested.model == columns.model else None
    matrix = matrix_of_tokens(columns, source, sorted(selection.marked), known)
    return _takeaway(matrix, np.arange(len(matrix)).tolist(), "marked")


def _takeaway(matrix: VerdictMatrix, places: list[int], kind: str) -> Takeaway:
    def write(path: Path) -> None:
        write_export(matrix, places, path)

    def row(place: int) -> Row | None:
        return next(iter(rows_of(matrix, places[place : place + 1])), None)

    return Takeaway(f"the {len(places):,} {kind} tokens", lambda _: rows_of(matrix, places), write=write, row=row)
