"""The replay's place in a session file: going to a step and showing the situation there.

The panes are given the selection and the steps as they had them (`situation.py`), on the road of a live outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial

from textual.widgets import Tabs

from explorer.base.records.models import Roster
from explorer.base.records.notes import MarkToken, WriteNote
from explorer.base.records.unions import Step
from explorer.base.text import visible
from explorer.sessions.file.reader import is_damaged
from explorer.sessions.search import Query
from explorer.specs.registry import REGISTRY
from explorer.tui.replay.chosen_steps import ChosenSteps
from explorer.tui.replay.foot import Place, ReplayFoot
from explorer.tui.replay.reading import Reading
from explorer.tui.replay.restore import show_situation
from explorer.tui.replay.situation import Situation, is_shown
from explorer.tui.shell.guarded import run_guarded
from explorer.tui.shell.messages import Selection
from explorer.tui.shell.stage import Stage
from explorer.tui.widgets.model_bar import ModelBar

NO_VIEW = "Up to here the session holds no view of this model's token table."


class CurrentStep:
    """Which step is shown, and which steps are gone through."""

    def __init__(self, stage: Stage, reading: Reading) -> None:
        self._stage = stage
        self._reading = reading
        self.situation = Situation(Selection(), (), {})
        self.position = -1
        self.only = Query()
        """Only these steps are gone through and listed."""
        self.playing = False
        self.speed = 1.0
        self.shown_token: int | None = None
        """The token that the table's cursor was put on, and not by the user."""
        self._listed: Sequence[Step] = ()

    async def begin(self) -> None:
        """Show the screen of a session of which no step has been shown yet, and then the first step that puts something
        on it, with the notes of the steps passed over: before that models are loaded."""
        workspace = self._stage.workspace
        workspace.token_pane.empty_hint = NO_VIEW
        self._stage.select(loading="")
        workspace.token_pane.clear()
        workspace.session_pane.set_file(self._reading.session.path)
        self.list_steps()
        workspace.show_tab("tokens")
        position = await self._reading.read_opening()
        if position is not None:
            self.go_to(position)
            self._show_notes(range(position + 1))

    def go_to(self, position: int) -> None:
        """Show the situation after the step at `position`, which has been read."""
        stage = self._stage
        self.position = position
        self.situation = self._reading.situations.at(position)
        stage.selection = self.situation.selection
        stage.marks.clear()
        stage.marks.update({model: set(ids) for model, ids in self.situation.marks.items()})
        bar = stage.query_one(ModelBar)
        bar.set_roster(Roster(models=stage.selection.roster.models, devices=()))
        bar.set_selected(stage.selection.model.name if stage.selection.model else "")
        self.shown_token = show_situation(stage, self.situation)
        self._show_tab(position)
        self._point_at(position)
        self._show_notes((position,))
        self.show()

    def jump(self, position: int) -> None:
        """Go to a step as soon as it has been read; to the last one where there are not so many."""
        run_guarded(self._stage, partial(self._jump, position), group="seek", exclusive=True)

    async def _jump(self, position: int) -> None:
        if len(self._reading.situations) <= position:
            self.show("reading …")
        found = await self._reading.read_until(max(0, position))
        if found >= 0:
            self.go_to(found)

    def jump_to_first(self) -> None:
        """Go to the first step."""
        self.jump(0)

    def jump_to_last(self) -> None:
        """Go to the last step, as soon as it is known which that is."""
        self.jump(len(self._reading.session) if self._reading.index.complete else 1 << 60)

    def jump_to_listed(self, place: int) -> None:
        """Go to the step at `place` in the list of steps."""
        position = self._listed.positions[place] if isinstance(self._listed, ChosenSteps) else place
        if position == self.position:
            self._stage.remark("The step under the cursor is the one that is shown.")
        self.jump(position)

    def choose(self, only: Query) -> None:
        """Go through the steps that `only` wants, and list no others."""
        self.only = only
        self.list_steps()
        self.show()

    def list_steps(self) -> None:
        """The Session tab: the steps gone through; counted as far as the file has been read."""
        index, session = self._reading.index, self._reading.session
        if self.only == Query():
            self._listed, places = session, list(range(len(index)))
        else:
            places = index.positions(self.only)
            self._listed = ChosenSteps(session, places)
        notes = sum(index.fact(place).kind == WriteNote.__name__ for place in places) if index.complete else 0
        marked = index.marked_before(len(index))
        pairs = [(model, token_id) for model, ids in marked.items() for token_id in ids]
        self._stage.workspace.session_pane.begin_with(self._listed, notes=notes, marked=pairs)
        self._point_at(max(0, self.position))

    def _point_at(self, position: int) -> None:
        listed = self._listed
        place = listed.place_of(position) if isinstance(listed, ChosenSteps) else position
        self._stage.workspace.session_pane.point_at(place)

    def _show_tab(self, position: int) -> None:
        """Show the tab of the last step that has one, unless the user reads the list of steps."""
        stage = self._stage
        shows = _at_table_or_tab if stage.workspace.room.takes_turns else _at_tab
        place = self._reading.situations.latest(position, shows)
        if place is not None and stage.query_one("#tabs", Tabs).active != "session":
            stage.workspace.show_tab(stage.workspace.tab_of(self._reading.session[place].request))

    def _show_notes(self, positions: Iterable[int]) -> None:
        session = self._reading.session
        notes = [note for position in positions for note in self._notes(session[position])]
        self._stage.query_one(ReplayFoot).show_notes(tuple(dict.fromkeys(notes)))

    def _notes(self, step: Step) -> tuple[WriteNote, ...]:
        if is_damaged(step):
            return ()  # its number is a guess: notes on the step of that number are about another
        index, selection = self._reading.index, self._stage.selection
        notes = [step.request] if isinstance(step.request, WriteNote) else []
        notes += index.notes_on_step(step.number, without=self._reading.notes_next(self.position))
        if selection.model is not None and selection.token is not None:
            notes += index.notes_on_token(selection.model.name, selection.token.token_id, before=self.position)
        return tuple(dict.fromkeys(notes))

    def show(self, doing: str = "") -> None:
        """The line that says where in the session this is."""
        session = self._reading.session
        only = [f"only {visible(self.only.model, spaces=False)}"] if self.only.model else []
        only += [f"only token {self.only.token_id}"] if self.only.token_id is not None else []
        place = Place(
            position=self.position,
            steps=len(session),
            complete=self._reading.index.complete,
            step=session[self.position] if self.position >= 0 else None,
            playing=self.playing,
            speed=self.speed,
            only=", ".join(only),
            doing=doing,
        )
        with suppress(LookupError):
            self._stage.query_one(ReplayFoot).show_place(place)


def _at_tab(kind: str) -> bool:
    """Whether steps of a kind are shown in a pane of the right column."""
    spec = REGISTRY.of_kind(kind)
    return spec is not None and spec.tab is not None and spec.tab.side == "right"


def _at_table_or_tab(kind: str) -> bool:
    """Likewise, or made at the token table, where that and the panes take turns."""
    return is_shown(kind) or kind == MarkToken.__name__
