"""The one road by which the selected token changes by a jump: to a neighbour, back, to the token of a step."""

from __future__ import annotations

from typing import Protocol

from explorer.base.records.tokens import TokenRow
from explorer.base.records.unions import Step
from explorer.base.records.vocabulary import RankTokens
from explorer.base.text import visible
from explorer.specs.registry import models_of
from explorer.tui.live.models import Models
from explorer.tui.panes.tokens.history import Place
from explorer.tui.shell.messages import (
    FilterWanted,
    NeighbourOpened,
    Selection,
    TokenPointedAt,
    TokenSelected,
    VocabularyOpened,
)
from explorer.tui.shell.workspace import Workspace

TableNews = TokenSelected | NeighbourOpened | TokenPointedAt | FilterWanted | VocabularyOpened


class Front(Protocol):
    """What is needed of the screen."""

    @property
    def selection(self) -> Selection:
        """What the user is looking at."""

    def select(self, **changes: object) -> None:
        """Change what is selected."""

    def show_again(self, step: Step) -> None:
        """Show a step in its panes without recording it."""

    def inspect_selected(self, *, record: bool) -> None:
        """Ask for the details of the selected token."""

    def remark(self, text: str, *, problem: bool = False) -> None:
        """One line for the user."""


class Jumps:
    """Takes the token table to tokens of any loaded model."""

    def __init__(self, front: Front, workspace: Workspace, models: Models) -> None:
        self._front = front
        self._workspace = workspace
        self._models = models
        self._awaited: tuple[Place, Step] | None = None
        """A step that is shown as soon as its token is selected: another model's vocabulary is on its way."""

    def _follow(self, message: TokenSelected) -> None:
        """The cursor rests on a token: every pane learns of it, and its details are fetched."""
        self._front.select(token=message.row)
        self._front.inspect_selected(record=message.opened)
        if self._awaited is not None and self._awaited[0] == self._workspace.token_pane.commands.here:
            self._front.show_again(self._awaited[1])
        self._awaited = None

    def obey(self, message: TableNews) -> None:
        """The table moved, or there is another vocabulary in it; or a pane wants it somewhere else."""
        match message:
            case TokenSelected():
                self._follow(message)
            case NeighbourOpened():
                self.to_neighbour(message.model, message.token_id)
            case TokenPointedAt():
                self._point_at(message.model, message.token_id)
            case VocabularyOpened():
                self._front.select(columns=message.columns)
            case FilterWanted():
                self._filter_table(message.model, message.text)

    def to_neighbour(self, model: str, token_id: int) -> None:
        """Enter was pressed on a token of another pane."""
        self._to(Place(model, token_id))
        if not self._workspace.token_pane.is_on_screen:
            self._workspace.show_tab("tokens")

    def _point_at(self, model: str, token_id: int) -> None:
        """The cursor of another pane rests on a token."""
        selection = self._front.selection
        if selection.model is not None and selection.model.name == model:
            self._take_table(Place(model, token_id))

    def _filter_table(self, model: str, text: str) -> None:
        """A pane wants a part of the vocabulary shown."""
        selection = self._front.selection
        if selection.model is not None and selection.model.name == model:
            self._workspace.token_pane.commands.show_part(text)
            if not self._workspace.token_pane.is_on_screen:
                self._workspace.show_tab("tokens")

    def step(self, by: int) -> None:
        """Go back to the token before the last jump (−1), or forward again (1)."""
        commands = self._workspace.token_pane.commands
        place = commands.history.step(by, commands.here)
        if place is None:
            self._front.remark(f"There is no token to go {'back' if by < 0 else 'forward'} to.")
        else:
            self._take_table(place)

    def show_step(self, step: Step) -> None:
        """Show a step again with its token selected, so that every pane speaks of that one; where the token cannot be
        in the table, the title of the step's pane names it."""
        from explorer.tui.replay.subjects import subject_of

        row, models = subject_of(step), models_of(step.request)
        if isinstance(step.request, RankTokens):
            self._show_view(step, step.request, row)
        elif row is None:
            self._front.show_again(step)
        elif not self._to(Place(models[0], row.token_id)):
            self._workspace.give_subject(step.request, models[0], row)
            self._front.show_again(step)
        elif self._is_there(Place(models[0], row.token_id)):
            self._front.show_again(step)
        else:
            self._awaited = Place(models[0], row.token_id), step
        self._workspace.show_tab(self._workspace.tab_of(step.request))

    def _show_view(self, step: Step, request: RankTokens, row: TokenRow | None) -> None:
        """Show a view of the token table again; of another loaded model, in that model's vocabulary."""
        views, shown = self._workspace.token_pane.views, self._front.selection.model
        info = next((info for info in self._front.selection.roster.models if info.name == request.model), None)
        if info is None or (shown is not None and shown.name == info.name):
            views.open_again(request)
            self._front.show_again(step)
            return
        views.want_next(request)
        views.sought = None if row is None else Place(request.model, row.token_id)
        self._models.choose(info)

    def _to(self, place: Place) -> bool:
        """Jump to a token; whether it is in the table, or about to be."""
        commands = self._workspace.token_pane.commands
        here = commands.here
        if is_there := self._take_table(place):
            commands.history.note(here, place)
        return is_there

    def _take_table(self, place: Place) -> bool:
        commands, selection = self._workspace.token_pane.commands, self._front.selection
        if selection.model is not None and selection.model.name == place.model:
            if problem := commands.go_to(place.token_id):
                self._front.remark(problem, problem=True)
                return False
            self._front.select(token=self._workspace.token_pane.row_under_cursor())
            return True
        info = next((info for info in selection.roster.models if info.name == place.model), None)
        if info is None:
            self._front.remark(f"{visible(place.model, spaces=False)} is not loaded: press m.", problem=True)
            return False
        commands.views.sought = place
        self._models.choose(info)
        return True

    def _is_there(self, place: Place) -> bool:
        token = self._front.selection.token
        return self._workspace.token_pane.commands.here == place and token is not None and token.token_id == place[1]
