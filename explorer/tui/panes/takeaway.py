"""What a pane gives away: rows for a file or the clipboard, and the words for what is under its cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.base.records.unions import AnyOutcome, AnyRequest
from explorer.specs.registry import spec_of

Row = dict[str, Any]
Rows = Callable[[AnyOutcome | None], Iterable[Row]]


@dataclass(frozen=True)
class Takeaway:
    """What a pane shows, as rows. They are made in a thread: they may be of a whole vocabulary."""

    what: str
    """In words, to stand behind 'Export': 'the 61 tokens of the table'."""
    rows: Rows
    """Of the outcome of `read`, where that is asked first."""
    read: AnyRequest | None = None
    """What must be asked of the engine first; None: the pane has it all."""
    write: Callable[[Path], None] | None = None
    """Writes a file of its own form in place of the rows' form."""


@dataclass(frozen=True)
class Clip:
    """What `y` copies."""

    what: str
    """In words, to stand behind 'Copied'; safe to show."""
    text: str


def of_outcomes(what: str, steps: Sequence[tuple[AnyRequest, AnyOutcome]]) -> Takeaway | None:
    """The rows that the command line writes of these outcomes as JSON; None where there is no outcome."""
    if not steps:
        return None
    return Takeaway(what, lambda _: [row for request, found in steps for row in spec_of(request).json_rows(found)])
