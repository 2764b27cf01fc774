"""The replay's place in a session file: reading it, going to a step, showing the situation there.

The panes are given the selection and the steps as they had them (`situation.py`), on the road of a live outcome.
Reading on in a large file is done in slices of `SLICE` seconds between which keys are heard.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from textual.widget import Widget
from textual.widgets import Tabs

from explorer.base.records.models import Roster
from explorer.base.records.notes import MarkToken, WriteNote
from explorer.base.records.unions import Step
from explorer.base.text import visible
from explorer.sessions.file.reader import SessionFile, is_damaged
from explorer.sessions.search import Query, SessionIndex
from explorer.settings import Settings
from explorer.specs.registry import REGISTRY
from explorer.tui.replay.foot import Place, ReplayFoot
from explorer.tui.replay.restore import show_situation
from explorer.tui.replay.situation import Situation, Situations
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.messages import Selection
from explorer.tui.shell.stage import Stage
from explorer.tui.widgets.model_bar import ModelBar

SLICE = 0.015
"""Seconds that work continues before keys are heard again."""
SAY_EVERY = 0.25
"""Seconds between two looks at how far the reading is: drawing takes time too."""


class ReplaySteps(Stage):
    """A session file, read a little at a time, and the place in it whose situation is shown."""

    def __init__(self, session: SessionFile, settings: Settings, settings_path: Path | None = None) -> None:
        super().__init__(settings, settings_path)
        self.session = session
        self.index = SessionIndex(session)
        self.situations = Situations(self.index)
        self.situation = Situation(Selection(), (), {})
        self.position = -1
        self.playing = False
        self.speed = 1.0
        self.only = Query()
        """Only these steps are gone through."""
        self._shown_token: int | None = None
        """The token that the table's cursor was put on, and not by the user."""

    # ── opening ───────────────────────────────────────────────────────────────────────────────────────────

    def compose_foot(self) -> Sequence[Widget]:
        return (ReplayFoot(id="foot"),)

    async def on_mount(self) -> None:
        self.ending.heed_signals()
        self.query_one(ModelBar).set_engine("none")
        self.call_after_refresh(self._begin)

    async def _begin(self) -> None:
        await self.open_panes()
        self.workspace.token_pane.empty_hint = "Up to here the session holds no view of this model's token table."
        self.workspace.token_pane.clear()
        self.workspace.session_pane.set_file(self.session.path)
        self._list_steps()
        self.workspace.show_tab("tokens")
        self.index.index_more(SLICE)
        self.situations.take_in()
        if len(self.session):
            self.go_to(0)
        self.show_place()
        run_guarded(self, self._read_on, group="read")

    async def _read_on(self) -> None:
        """Take the rest of the file in, a little at a time."""
        said = time.monotonic()
        while not self.index.index_more(SLICE):
            self.situations.take_in()
            if time.monotonic() - said > SAY_EVERY:
                said = time.monotonic()
                self.show_place()
            await asyncio.sleep(SLICE / 3)
        self.situations.take_in()
        self._list_steps()
        self.show_place()
        if self.session.warning:
            self.remark(f"{self.session.path.name}: {self.session.warning}", problem=True)

    async def _read_until(self, position: int) -> int:
        """Wait until the step at `position` has been read, or the last one; which."""
        while len(self.situations) <= position and not self._all_read:
            await asyncio.sleep(SLICE)
        return min(position, len(self.situations) - 1)

    @property
    def _all_read(self) -> bool:
        return self.index.complete and len(self.situations) == len(self.index)

    # ── going through the steps ───────────────────────────────────────────────────────────────────────────

    def go_to(self, position: int) -> None:
        """Show the situation after the step at `position`, which has been read."""
        self.position = position
        step = self.session[position]
        self.situation = self.situations.at(position)
        self.selection = self.situation.selection
        self.marks.clear()
        self.marks.update({model: set(ids) for model, ids in self.situation.marks.items()})
        bar = self.query_one(ModelBar)
        bar.set_roster(Roster(models=self.selection.roster.models, devices=()))
        bar.set_selected(self.selection.model.name if self.selection.model else "")
        self._shown_token = show_situation(self, self.situation)
        self._follow(position)
        self.workspace.session_pane.point_at(position)
        self.query_one(ReplayFoot).show_notes(self._notes(step))
        self.show_place()

    def _follow(self, position: int) -> None:
        """Show the tab of the last step that has one, unless the user reads the list of steps."""
        shows = _at_table_or_tab if self.screen_stack[0].has_class("-narrow") else _at_tab
        place = self.situations.latest(position, shows)
        if place is not None and self.query_one("#tabs", Tabs).active != "session":
            self.workspace.show_tab(self.workspace.tab_of(self.session[place].request))

    def _notes(self, step: Step) -> tuple[WriteNote, ...]:
        if is_damaged(step):
            return ()  # its number is a guess: notes on the step of that number are about another
        notes = [step.request] if isinstance(step.request, WriteNote) else []
        notes += self.index.notes_on_step(step.number)
        if self.selection.model is not None and self.selection.token is not None:
            notes += self.index.notes_on_token(self.selection.model.name, self.selection.token.token_id)
        return tuple(dict.fromkeys(notes))

    def show_place(self, doing: str = "") -> None:
        """The line that says where in the session this is."""
        step = self.session[self.position] if self.position >= 0 else None
        only = [f"only {visible(self.only.model, spaces=False)}"] if self.only.model else []
        only += [f"only token {self.only.token_id}"] if self.only.token_id is not None else []
        place = Place(
            position=self.position,
            steps=len(self.session),
            complete=self.index.complete,
            step=step,
            playing=self.playing,
            speed=self.speed,
            only=", ".join(only),
            doing=doing,
        )
        with suppress(LookupError):
            self.query_one(ReplayFoot).show_place(place)

    def action_first_step(self) -> None:
        self.jump(0)

    def action_last_step(self) -> None:
        self.jump(len(self.session) if self.index.complete else 1 << 60)

    def jump(self, position: int) -> None:
        """Go to a step as soon as it has been read; to the last one where there are not so many."""
        run_guarded(self, partial(self._jump, position), group="seek", exclusive=True)

    async def _jump(self, position: int) -> None:
        if len(self.situations) <= position:
            self.show_place("reading …")
        found = await self._read_until(max(0, position))
        if found >= 0:
            self.go_to(found)

    def _list_steps(self) -> None:
        """The Session tab: every step; counted as far as the file has been read."""
        kinds = [self.index.fact(place).kind for place in range(len(self.index))] if self.index.complete else []
        marked = self.index.marked_before(len(self.index))
        pairs = [(model, token_id) for model, ids in marked.items() for token_id in ids]
        notes, cursor = kinds.count("WriteNote"), max(0, self.position)
        self.workspace.session_pane.begin_with(self.session, notes=notes, marked=pairs, cursor=cursor)


def _at_tab(kind: str) -> bool:
    """Whether steps of a kind are shown in a pane of the right column."""
    spec = REGISTRY.of_kind(kind)
    return spec is not None and spec.tab is not None and spec.tab.side == "right"


def _at_table_or_tab(kind: str) -> bool:
    """Likewise, or made at the token table, which a narrow screen shows alone."""
    spec = REGISTRY.of_kind(kind)
    return spec is not None and (spec.tab is not None or kind == MarkToken.__name__)
