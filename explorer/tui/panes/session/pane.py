"""The Session pane: every step of the session so far, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from explorer.base.lazy_sequence import LazySequence
from explorer.base.records.notes import MarkToken, WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.unions import Cancelled, Step
from explorer.base.text import visible
from explorer.sessions.file.reader import is_damaged
from explorer.specs.registry import describe, summarise
from explorer.tui.panes.base import Pane
from explorer.tui.shell.messages import StepOpened
from explorer.tui.widgets.cutting import padded
from explorer.tui.widgets.row_list import RowList

_TWO_LINES_BELOW = 100
"""Cells of width below which what was asked and what came back no longer fit beside each other."""


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
    return describe(step.request)


def step_row(step: Step, width: int) -> Content:
    """One step on one line of at most `width` cells: number, time, mark, seconds, asked, and where it fits, outcome."""
    head = Content.assemble(
        (f"{step.number:>4} ", "$foreground-muted"),
        (f"{clock(step.at)} ", "$foreground-muted"),
        step_mark(step),
        f"{_seconds(step.seconds):>7}  ",
    )
    asked = asked_text(step)
    if is_damaged(step):
        return Content.assemble(head, (asked, "$error")).truncate(width, ellipsis=True)
    left = max(0, width - head.cell_length)
    if isinstance(step.request, WriteNote | MarkToken) and not isinstance(step.outcome, Failure):
        return Content.assemble(head, (asked, "italic")).truncate(width, ellipsis=True)
    came = Content.styled(summarise(step.outcome), step_mark(step)[1] if _is_unhappy(step) else "$foreground-muted")
    if width < _TWO_LINES_BELOW:
        # What was asked keeps its room; the outcome in full is on the line under the list.
        return Content.assemble(head, asked, "  ", came).truncate(width, ellipsis=True)
    room = left // 2
    return Content.assemble(head, padded(asked, room), "  ", came).truncate(width, ellipsis=True)


def _is_unhappy(step: Step) -> bool:
    return isinstance(step.outcome, Failure | Cancelled)


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


def short_path(path: Path) -> str:
    """`path` for the screen, with `~` for the home folder (screenshots are shared)."""
    try:
        return visible(f"~/{path.relative_to(Path.home()).as_posix()}", spaces=False)
    except ValueError:
        return visible(str(path), spaces=False)


class _Following(LazySequence[Step]):
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


class _StepRows(LazySequence[Content]):
    """The rows of a list of steps, made when they are looked at: a session may have many thousand."""

    def __init__(self, steps: Sequence[Step], width: Callable[[], int]) -> None:
        self._steps = steps
        self._width = width

    def __len__(self) -> int:
        return len(self._steps)

    def item(self, place: int) -> Content:
        """The row of the step at `place`."""
        return step_row(self._steps[place], self._width())


class SessionPane(Pane):
    """Lists steps as they are added; never computes and never writes the file."""

    pane_title: ClassVar[str] = "Session"
    content: ClassVar[str] = "#session-steps"
    DEFAULT_CSS = """
    SessionPane {
        height: 1fr;
        layout: vertical;
        & Static { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        & #session-outcome { height: auto; max-height: 8; text-wrap: wrap; border-top: solid $border-blurred; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._before: Sequence[Step] = ()
        self._steps: Sequence[Step] = ()
        self._added: list[Step] = []
        self._notes = 0
        self._marked: set[tuple[str, int]] = set()
        self._path: Path | None = None
        self._problem = ""

    def compose(self) -> ComposeResult:
        yield Static(Content(""), id="session-heading")
        yield RowList(id="session-steps", empty="No steps yet: r, l or n asks something of the selected token.")
        yield Static(Content(""), id="session-outcome")

    def on_mount(self) -> None:
        self.begin_with(())

    def begin_with(
        self, steps: Sequence[Step], *, notes: int = 0, marked: Iterable[tuple[str, int]] = (), cursor: int = 0
    ) -> None:
        """List `steps` of a session file, decoded when they are looked at; what `add` brings follows them."""
        self._before, self._added = steps, []
        self._steps = _Following(self._before, self._added)
        self._notes, self._marked = notes, set(marked)
        rows = self.query_one(RowList)
        # The cursor's mark takes two cells and the scrollbar one.
        rows.show_rows(_StepRows(self._steps, lambda: max(40, rows.size.width - 3)), cursor=cursor)
        self._show_heading()
        self._show_outcome()

    def point_at(self, place: int) -> None:
        """Put the cursor on the step at `place`."""
        rows = self.query_one(RowList)
        rows.rows_grew()
        rows.cursor = place
        self._show_heading()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps listed, first to last."""
        return tuple(self._steps)

    def add(self, step: Step) -> None:
        """List one more step; the cursor follows the end where it stood at the end."""
        rows = self.query_one(RowList)
        at_end = rows.cursor >= len(self._steps) - 1
        self._added.append(step)
        rows.rows_grew(follow=at_end)
        self._count(step)
        self._show_heading()
        self._show_outcome()

    def set_file(self, path: Path | None) -> None:
        """Name the session's file in the heading; None: this session is not written."""
        self._path = path
        self._show_heading()

    def set_trouble(self, text: str) -> None:
        """Say at once what is wrong with the file ('session not written: disk full'); empty: nothing is."""
        self._problem = text
        self._show_heading()

    def _count(self, step: Step) -> None:
        match step.request:
            case WriteNote() if not is_damaged(step):
                self._notes += 1
            case MarkToken(model=model, token_id=token_id, marked=marked):
                (self._marked.add if marked else self._marked.discard)((model, token_id))
            case _:
                pass

    def _show_heading(self) -> None:
        name = "not written to a file" if self._path is None else short_path(self._path)
        counts = [f"{len(self._steps)} step{'' if len(self._steps) == 1 else 's'}"]
        counts += [f"{self._notes} note{'' if self._notes == 1 else 's'}"] if self._notes else []
        counts += [f"{len(self._marked)} marked"] if self._marked else []
        heading = Content.assemble((" · ".join(counts), "bold"), "  ", (name, "$foreground-muted"))
        if self._problem:
            problem = (f"✗ {visible(self._problem, spaces=False)}", "bold $error")
            heading = Content.assemble(problem, "  ", heading)
        self.query_one("#session-heading", Static).update(heading)

    def _show_outcome(self) -> None:
        """What came back of the step under the cursor, in full."""
        if self._steps:
            step = self._steps[self.query_one(RowList).cursor]
            lines = [(asked_text(step), "bold")]
            if not is_damaged(step):
                lines.append(("\n" + summarise(step.outcome), ""))
            if isinstance(step.outcome, Failure) and step.outcome.hint:
                lines.append(("\n→ " + visible(step.outcome.hint, spaces=False), "$foreground-muted"))
            self.query_one("#session-outcome", Static).update(Content.assemble(*lines))

    @on(RowList.Highlighted)
    def highlight(self, event: RowList.Highlighted) -> None:
        """Show what came back of the step under the cursor."""
        event.stop()
        self._show_outcome()

    @on(RowList.Chosen)
    def open_step(self, event: RowList.Chosen) -> None:
        """Have the step shown again."""
        event.stop()
        self.post_message(StepOpened(self._steps[event.index], event.index))
