"""The Session pane: every step of the session so far, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from explorer.base.records.notes import MarkToken, WriteNote
from explorer.base.records.unions import Step
from explorer.base.text import visible
from explorer.sessions.file.reader import is_damaged
from explorer.tui.panes.base import Pane
from explorer.tui.panes.session.exporting import takeaway_of
from explorer.tui.panes.session.rows import Folds, ListedSteps, StepRows, step_in_full
from explorer.tui.panes.takeaway import Takeaway
from explorer.tui.shell.messages import StepOpened
from explorer.tui.widgets.row_list import RowList


def short_path(path: Path) -> str:
    """`path` for the screen, with `~` for the home folder (screenshots are shared)."""
    try:
        return visible(f"~/{path.relative_to(Path.home()).as_posix()}", spaces=False)
    except ValueError:
        return visible(str(path), spaces=False)


def heading_line(counts: Mapping[str, int], others: Mapping[str, int], path: Path | None, problem: str) -> Content:
    """How much there is of each thing, in which file, and first of all what is wrong with it."""
    told = [
        f"{number} {what}{'' if number == 1 else 's'}" for what, number in counts.items() if number or what == "step"
    ]
    told += [f"{number} {what}" for what, number in others.items() if number]
    name = "not written to a file"
    if path is not None:  # its name first: where the line is cut the folder goes
        name = f"{visible(path.name, spaces=False)} in {short_path(path.parent)}"
    heading = Content.assemble((" · ".join(told), "bold"), "  ", (name, "$foreground-muted"))
    if not problem:
        return heading
    return Content.assemble((f"✗ {visible(problem, spaces=False)}", "bold $error"), "  ", heading)


class SessionPane(Pane):
    """Lists steps as they are added; never computes and never writes the file."""

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
        self._steps = ListedSteps((), [])
        self._folds = Folds(self._steps)
        self._added: list[Step] = []
        self._pointed = 0
        """The step whose outcome is shown, where its line has the cursor."""
        self._notes = 0
        self._marked: set[tuple[str, int]] = set()
        self._path: Path | None = None
        self._problem = ""
        self._writing = 0

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
        self._added = []
        self._steps = ListedSteps(steps, self._added)
        self._folds = Folds(self._steps)
        self._folds.take_in()
        self._pointed = cursor
        self._notes, self._marked = notes, set(marked)
        rows = self.query_one(RowList)
        # The cursor's mark takes two cells and the scrollbar one.
        lines = StepRows(self._steps, self._folds, lambda: max(40, rows.size.width - 3))
        rows.show_rows(lines, cursor=self._folds.line_of(cursor))
        self._show_heading()
        self._show_outcome()

    def point_at(self, place: int) -> None:
        """Put the cursor on the step at `place`."""
        rows = self.query_one(RowList)
        self._folds.take_in()
        rows.rows_grew()
        self._pointed = place
        rows.cursor = self._folds.line_of(place)
        self._show_heading()
        self._show_outcome()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps listed, first to last."""
        return tuple(self._steps)

    def add(self, step: Step) -> None:
        """List one more step; the cursor follows the end where it stood at the end."""
        rows = self.query_one(RowList)
        at_end = rows.cursor >= len(self._folds) - 1
        self._added.append(step)
        self._folds.take_in()
        if at_end:
            self._pointed = len(self._steps) - 1
        rows.rows_grew(follow=at_end)
        self._count(step)
        self._show_heading()
        self._show_outcome()

    def set_file(self, path: Path | None) -> None:
        """Name the session's file in the heading; None: this session is not written."""
        self._path = path
        self._show_heading()

    def set_writing(self, count: int) -> None:
        """So many steps are on their way to the disk: they are listed when they are there."""
        self._writing = count
        self._show_heading()

    def set_trouble(self, text: str) -> None:
        """Say at once what is wrong with the file ('session not written: disk full'); empty: nothing is."""
        self._problem = text
        self._show_heading()

    def takeaway(self) -> Takeaway | None:
        return takeaway_of(self._steps, self._step_at_cursor)

    def _count(self, step: Step) -> None:
        match step.request:
            case WriteNote() if not is_damaged(step):
                self._notes += 1
            case MarkToken(model=model, token_id=token_id, marked=marked):
                (self._marked.add if marked else self._marked.discard)((model, token_id))
            case _:
                pass

    def _show_heading(self) -> None:
        counts = {"step": len(self._steps), "note": self._notes}
        others = {"marked": len(self._marked), "being written": self._writing}
        heading = heading_line(counts, others, self._path, self._problem)
        self.query_one("#session-heading", Static).update(heading)

    def _show_outcome(self) -> None:
        """What came back of the step under the cursor, in full."""
        if self._steps:
            self.query_one("#session-outcome", Static).update(step_in_full(self._step_at_cursor()))

    def _step_at_cursor(self) -> Step:
        return self._steps[self._place_at(self.query_one(RowList).cursor)]

    def _place_at(self, line: int) -> int:
        """The step that a line stands for: the one pointed at, or the last of those that share it."""
        shared = self._folds.steps_of(line)
        return self._pointed if self._pointed in shared else shared[-1]

    @on(RowList.Highlighted)
    def highlight(self, event: RowList.Highlighted) -> None:
        """Show what came back of the step under the cursor."""
        event.stop()
        self._show_outcome()

    @on(RowList.Chosen)
    def open_step(self, event: RowList.Chosen) -> None:
        """Have the step shown again."""
        event.stop()
        place = self._place_at(event.index)
        self.post_message(StepOpened(self._steps[place], place))
