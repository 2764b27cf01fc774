"""What the Verdicts pane writes into files."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import numpy as np

from explorer.base.records.unions import Step
from explorer.base.records.vocabulary import VocabularyColumns
from explorer.tables.exports import write_export
from explorer.tables.verdicts import matrix_of_tokens
from explorer.tui.panes.verdicts.matrix import ListedMatrix
from explorer.tui.shell.messages import Selection


async def export_tokens(listed: ListedMatrix, selection: Selection, vocabulary: Step | None, path: Path) -> str:
    """Write the marked tokens of the `vocabulary`, tested or not, or those that are `listed` where that is None, to
    `path` in the form that its ending says; what was done, in words. Raises `ExplorerError` where that fails."""
    matrix, places = listed.matrix, listed.places
    if vocabulary is not None and isinstance(columns := vocabulary.outcome, VocabularyColumns):
        tested = matrix if matrix is not None and matrix.model == columns.model else None
        source = selection.model.source if selection.model is not None else ""
        matrix = matrix_of_tokens(columns, source, sorted(selection.marked), tested)
        places = np.arange(len(matrix))
    assert matrix is not None, "nothing was tested"
    form = await asyncio.to_thread(partial(write_export, matrix, places.tolist(), path))
    kind = "marked" if vocabulary is not None else "shown"
    return f"{len(places):,} {kind} tokens written to {path.name} ({form})."
