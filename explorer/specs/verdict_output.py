"""What `verify` prints and writes on the command line."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from explorer.base.records.verification import VerdictColumns, VerificationResult
from explorer.specs.blocks import Block, count, prose
from explorer.specs.command_line import Row
from explorer.specs.verdict_blocks import blocks
from explorer.specs.verdict_line import line_blocks, line_rows


def export(given: Namespace, request: Any, outcome: Any) -> None:
    """Write the chosen tokens to the file that `--export` names, one file a model."""
    if not given.export or not isinstance(outcome, VerdictColumns):
        return
    import numpy as np

    from explorer.tables.exports import write_export
    from explorer.tables.verdicts import VerdictMatrix

    matrix = VerdictMatrix(outcome)
    places = np.flatnonzero(matrix.where(given.choose)).tolist()
    path = Path(given.export)
    if len(given.sources) > 1:
        path = path.with_stem(f"{path.stem}-{outcome.model}")
    form = write_export(matrix, places, path, given.format)
    print(f"{count(len(places), 'token')} written to {prose(path.name)} as {form}", file=sys.stderr)


def printed(given: Namespace, request: Any, outcome: Any) -> Iterable[Block]:
    """The summary; of the verdicts on every token what a line says."""
    if isinstance(outcome, VerificationResult):
        return blocks(request, outcome)
    return line_blocks(given.at, outcome) if given.at else ()


def rows(given: Namespace, outcome: Any) -> Iterable[Row]:
    """An object a token, or what a line says; the summary is printed as text alone."""
    if not isinstance(outcome, VerdictColumns):
        return ()
    return line_rows(given.at, outcome) if given.at else json_rows(outcome)


def json_rows(outcome: VerdictColumns) -> Iterable[Row]:
    """An object a token."""
    from explorer.tables.exports import rows_of
    from explorer.tables.verdicts import VerdictMatrix

    matrix = VerdictMatrix(outcome)
    for row in rows_of(matrix, range(len(matrix))):
        yield {"model": outcome.model, **row}
