"""The recent sessions and the samples: replay one, or resume it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from rich.cells import set_cell_size
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from explorer.base.text import visible
from explorer.sessions.file.recent import Listed, sample_sessions, sessions_in
from explorer.tui.screens.dialog import Dialog
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.openings import Opening, OpenReplay, OpenResumed
from explorer.tui.widgets.row_list import RowList

MOST = 100
_NAME = 32


def session_row(listed: Listed, *, is_current: bool = False) -> Content:
    """One session on a line: name, steps, title; `is_current`: the explorer's own."""
    name = set_cell_size(visible(listed.path.stem, spaces=False), _NAME)
    steps = "many steps" if listed.steps is None else f"{listed.steps:,} step{'' if listed.steps == 1 else 's'}"
    title = f"this session  {listed.title}".rstrip() if is_current else listed.title
    said = (f"✗ {listed.problem}", "$error") if listed.problem else (title, "")
    return Content.assemble(name, (f" {'–' if listed.problem else steps:>12}  ", "$foreground-muted"),
                            (visible(said[0], spaces=False), said[1]))  # fmt: skip


class SessionsScreen(Dialog[Opening]):
    """Lists sessions, the latest first; Enter dismisses with a replay of one, `r` resumes it."""

    dialog_title: ClassVar[str] = "Sessions"
    keys_line = "↑↓ choose · enter replay · r resume · esc close"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "resume", "resume", show=False)]
    DEFAULT_CSS = """
    SessionsScreen #sessions-problem { height: auto; color: $error; }
    """

    def __init__(self, folder: Path, *, current: Path) -> None:
        super().__init__()
        self._folder = folder
        self._current = current
        self._listed: tuple[Listed, ...] = ()

    def compose_body(self) -> ComposeResult:
        yield RowList(id="sessions-list", empty="looking …")
        yield Static(Content(""), id="sessions-problem")

    def on_mount(self) -> None:
        self.set_focus(self.query_one(RowList))
        run_guarded(self, self._list_sessions)

    async def _list_sessions(self) -> None:
        """Beside the handling of keys: there may be many files, and esc closes meanwhile."""
        recent = await asyncio.to_thread(sessions_in, self._folder, MOST)
        samples = await asyncio.to_thread(sample_sessions)
        self._listed = (*recent, *samples)
        rows = self.query_one(RowList)
        rows.show_empty("No session was recorded yet.")
        rows.show_rows([session_row(listed, is_current=listed.path == self._current) for listed in self._listed])

    @on(RowList.Chosen)
    def replay(self, event: RowList.Chosen) -> None:
        event.stop()
        self._dismiss(OpenReplay(self._listed[event.index].path))

    def action_resume(self) -> None:
        """Go on with the session under the cursor."""
        if self._listed:
            self._dismiss(OpenResumed(self._listed[self.query_one(RowList).cursor].path))

    def _dismiss(self, opening: OpenReplay | OpenResumed) -> None:
        problem = next(listed.problem for listed in self._listed if listed.path == opening.path)
        if isinstance(opening, OpenResumed) and opening.path == self._current:
            problem = "This session is running: enter replays it, and q comes back."
        if problem:
            self.query_one("#sessions-problem", Static).update(Content(f"✗ {visible(problem, spaces=False)}"))
        else:
            self.dismiss(opening)
