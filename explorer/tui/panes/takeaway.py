"""What a pane gives away: rows for a file or the clipboard, and the words for what is under its cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from explorer.base.records.unions import AnyOutcome, AnyRequest
from explorer.base.text import visible
from explorer.specs.blocks import Plot
from explorer.specs.charts import Chart
from explorer.specs.registry import spec_of

Row = dict[str, Any]
Rows = Callable[[AnyOutcome | None], Iterable[Row]]


@dataclass(frozen=True)
class Clip:
    """What can be copied."""

    what: str
    """In words, to stand behind 'Copied'; safe to show."""
    make: Callable[[], str]
    """The text. It is made in a thread, when it is copied."""


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
    row: Callable[[int], Row | None] | None = None
    """The row under the cursor of the list with the keys; None: a list's line is copied as it is written."""
    text: Callable[[], str] | None = None
    """What is copied in place of a table, where words say it better."""
    clips: Callable[[], Sequence[Clip]] = tuple
    """What else can be copied: prompts, replies, numbers, certificates."""
    plot: Callable[[], Plot | Chart] | None = None
    """The plot that the pane draws, for a picture."""


@runtime_checkable
class GivesAway(Protocol):
    """A pane whose contents can be exported and copied."""

    def takeaway(self) -> Takeaway | None:
        """What it shows now; None: nothing yet."""


def takeaway_of(pane: object) -> Takeaway | None:
    """What a pane shows now; None: nothing that makes a file."""
    return pane.takeaway() if isinstance(pane, GivesAway) else None


def of_outcomes(
    what: str,
    steps: Sequence[tuple[AnyRequest, AnyOutcome]],
    *,
    is_list: bool = False,
    text: Callable[[], str] | None = None,
    clips: Callable[[], Sequence[Clip]] = tuple,
    plot: Callable[[], Plot] | None = None,
) -> Takeaway | None:
    """The rows that the command line writes of these outcomes as JSON; None where there is no outcome. `is_list`: each
    is a row of the pane's list."""
    if not steps:
        return None

    def rows(_: AnyOutcome | None = None) -> list[Row]:
        return [row for request, found in steps for row in spec_of(request).json_rows(found)]

    def row(place: int) -> Row | None:
        return next(iter(rows()[place : place + 1]), None)

    return Takeaway(what, rows, row=row if is_list else None, text=text, clips=clips, plot=plot)


def prompt_clip(model: str, prompt: str) -> Clip:
    """The prompt that a model read."""
    return Clip(f"the prompt of {visible(model, spaces=False)}", partial(as_it_is, prompt))


def as_it_is(text: str) -> str:
    """`text` with its line breaks, character for character; what could control a terminal is escaped all the same."""
    return "\n".join(map(_line_as_it_is, text.split("\n")))


def _line_as_it_is(line: str) -> str:
    return "".join(each if each.isprintable() or each == "\t" else visible(each, spaces=False) for each in line)
