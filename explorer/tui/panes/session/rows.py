"""The lines of the Session tab: a step in words, and which steps share a line."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from rich.cells import cell_len
from textual.content import Content

from explorer.base.lazy_sequence import LazySequence
from explorer.base.records.notes import MarkToken, WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.unions import Cancelled, Step
from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.base.text import visible
from explorer.sessions.checking.naming import renamed
from explorer.sessions.file.reader import is_damaged
from explorer.specs.registry import models_of, summarise
from explorer.specs.screen_words import describe_on_screen, summarise_on_screen
from explorer.tui.widgets.cutting import padded

_TWO_COLUMNS_FROM = 100
"""Cells of width from which what was asked stands beside what came back; in fewer what came back is first."""
_FOLDED = 5_000
"""Steps of a file that are looked at for lines to share: each costs some microseconds before the list is shown."""
_KIND_WITHIN = 400
"""Bytes of a step's line within which the kind of its request stands."""
_VIEW = b'"kind":"RankTokens"'


def step_mark(step: Step) -> tuple[str, str]:
    """A letter for the kind of step and the colour it is shown in; the letter alone tells them apart."""
    if isinstance(step.outcome, Failure):
        return "✗", "$error"
    if isinstance(step.outcome, Cancelled):
        return "–", "$warning"
    if isinstance(step.request, WriteNote):
        return "N", "$accent"
    if isinstance(step.request, MarkToken):
        return ("M", "$accent") if step.request.marked else ("m", "$foreground-muted")
    return "✓", "$success"


def asked_text(step: Step) -> str:
    """What was asked, in words; of a line that is not a step, what is wrong with it."""
    if is_damaged(step):
        return summarise(step.outcome).removeprefix("failed: ")
    return describe_on_screen(step.request)


def _came_back(step: Step) -> str:
    return summarise_on_screen(step.request, step.outcome)


def step_row(step: Step, width: int, folded: int = 1, *, name_model: bool = False) -> Content:
    """One step on one line of at most `width` cells: number, time, mark, what was asked and what came back.

    Where there is little room what came back is first: that is what differs, behind the model where `name_model` says
    that nothing else does. `folded`: so many steps share the line.
    """
    is_wide = width >= _TWO_COLUMNS_FROM
    head = Content.assemble(
        (f"{step.number:>4} ", "$foreground-muted"),
        (f"{clock(step.at)} ", "$foreground-muted"),
        step_mark(step),
        f"{_seconds(step.seconds):>7}  " if is_wide else " ",
        (f"{folded}× " if folded > 1 else "", "$accent"),
    )
    body = _wide_body(step, width - head.cell_length) if is_wide else _narrow_body(step)
    model = f"{visible(models_of(step.request)[0])}: " if name_model and not is_wide else ""
    return Content.assemble(head, model, body).truncate(width, ellipsis=True)


def ask_alike(one: Step, other: Step) -> bool:
    """Whether both ask the same thing of different models."""
    mine, theirs = models_of(one.request)[:1], models_of(other.request)[:1]
    return mine != theirs and renamed(one.request, dict(zip(mine, theirs, strict=False))) == other.request


def step_in_full(step: Step) -> Content:
    """What was asked, what came back, and what to do about it."""
    lines = [(asked_text(step), "bold")]
    if not is_damaged(step):
        lines.append(("\n" + _came_back(step), ""))
    if isinstance(step.outcome, Failure) and step.outcome.hint:
        lines.append(("\n→ " + visible(step.outcome.hint, spaces=False), "$foreground-muted"))
    return Content.assemble(*lines)


def _wide_body(step: Step, room: int) -> Content:
    """What was asked in the left half, or in what the right one leaves; what came back beside it."""
    asked = asked_text(step)
    if is_damaged(step):
        return Content.styled(asked, "$error")
    if _says_all(step):
        return Content.styled(asked, "italic")
    came = _came_back(step)
    left = max(room // 2, min(cell_len(asked), room - 2 - cell_len(came)))
    return Content.assemble(padded(asked, left), "  ", (came, _style(step)))


def _narrow_body(step: Step) -> Content:
    """What came back, then what was asked; of a note its words, then what it is on."""
    asked = asked_text(step)
    if is_damaged(step):
        return Content.styled(asked, "$error")
    if not _says_all(step):
        return Content.assemble((_came_back(step), _style(step, "")), "  ", (asked, "$foreground-muted"))
    if isinstance(step.request, WriteNote):
        on, _, words = asked.partition(": ")
        return Content.assemble((words, "italic"), "  ", (on, "$foreground-muted"))
    return Content.styled(asked, "italic")


def _says_all(step: Step) -> bool:
    """Whether what was asked tells all: a mark or a note that was recorded."""
    return isinstance(step.request, WriteNote | MarkToken) and not isinstance(step.outcome, Failure)


def _style(step: Step, usual: str = "$foreground-muted") -> str:
    return step_mark(step)[1] if isinstance(step.outcome, Failure | Cancelled) else usual


def clock(at: str) -> str:
    """HH:MM:SS in UTC of an ISO 8601 time, or what is there where it is none (a hand-written session)."""
    try:
        return datetime.fromisoformat(at).strftime("%H:%M:%S")
    except ValueError:
        return visible(at)[:8].ljust(8)


def _seconds(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2f}s"
    return f"{int(seconds) // 60}m{int(seconds) % 60:02}s" if seconds < 6000 else f"{seconds / 3600:.1f}h"


@runtime_checkable
class HasLines(Protocol):
    """Steps that stand in a file."""

    def raw(self, position: int) -> bytes:
        """The line of a step."""


class ListedSteps(LazySequence[Step]):
    """The steps of a file, and those that came after them. The file's may become more while it is indexed."""

    def __init__(self, before: Sequence[Step], added: Sequence[Step]) -> None:
        self._before = before
        self._added = added

    def __len__(self) -> int:
        return len(self._before) + len(self._added)

    def item(self, place: int) -> Step:
        """The step at `place`, decoded when it is looked at."""
        before = len(self._before)
        return self._before[place] if place < before else self._added[place - before]

    def may_be_view(self, place: int) -> bool:
        """Whether the step at `place` may be a view of the token table, without decoding one that stands in a file."""
        if place < len(self._before) and isinstance(self._before, HasLines):
            return _VIEW in self._before.raw(place)[:_KIND_WITHIN]
        return isinstance(self[place].request, RankTokens)


class Folds:
    """Which steps share a line: views of one vocabulary in a row that differ in their order alone, the last shown."""

    def __init__(self, steps: ListedSteps) -> None:
        self._steps = steps
        self._lasts = array("q")
        self._taken = 0

    def __len__(self) -> int:
        """Lines, as far as the steps were taken in."""
        return len(self._lasts)

    def take_in(self) -> None:
        """There may be more steps."""
        for place in range(self._taken, len(self._steps)):
            if self._joins(place):
                self._lasts[-1] = place
            else:
                self._lasts.append(place)
        self._taken = len(self._steps)

    def line_of(self, place: int) -> int:
        """The line that the step at `place` is on."""
        return max(0, min(bisect_left(self._lasts, place), len(self._lasts) - 1))

    def steps_of(self, line: int) -> range:
        """The places of the steps that share a line."""
        return range(self._lasts[line - 1] + 1 if line else 0, self._lasts[line] + 1)

    def _joins(self, place: int) -> bool:
        """Whether the step at `place` is another order of the view of the step before it."""
        if not 0 < place < _FOLDED or not all(map(self._steps.may_be_view, (place, place - 1))):
            return False
        before, now = _view(self._steps[place - 1]), _view(self._steps[place])
        return now is not None and before == now


def _view(step: Step) -> tuple[object, ...] | None:
    """What of a view stays when it is sorted otherwise; None for another step."""
    if not isinstance(step.request, RankTokens) or not isinstance(step.outcome, RankedTokens):
        return None
    return step.request.model, step.request.filter, step.request.category, step.request.unused_ids


class StepRows(LazySequence[Content]):
    """The lines of a list of steps, made when they are looked at: a session may have many thousand."""

    def __init__(self, steps: Sequence[Step], folds: Folds, width: Callable[[], int]) -> None:
        self._steps = steps
        self._folds = folds
        self._width = width

    def __len__(self) -> int:
        return len(self._folds)

    def item(self, place: int) -> Content:
        """The line at `place`."""
        shared = self._folds.steps_of(place)
        step = self._steps[shared[-1]]
        beside = (shared[0] - 1, shared[-1] + 1)
        name_model = any(ask_alike(step, self._steps[at]) for at in beside if 0 <= at < len(self._steps))
        return step_row(step, self._width(), len(shared), name_model=name_model)
