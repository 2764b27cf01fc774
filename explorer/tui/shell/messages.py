"""What panes, widgets and the App say to each other. Facts are past tense; `Ask` is the one wish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from textual.message import Message

from explorer.base.records.models import ModelInfo, Roster
from explorer.base.records.tokens import TokenRow
from explorer.base.records.unions import AnyOutcome, AnyRequest, Step

if TYPE_CHECKING:
    from explorer.tables.table import AddedColumn, TokenColumns


@dataclass(frozen=True)
class Selection:
    """What the user is looking at: given to every pane whenever any of it changes."""

    roster: Roster = field(default_factory=lambda: Roster(models=(), devices=()))
    model: ModelInfo | None = None
    """The model whose vocabulary is in the token table."""
    token: TokenRow | None = None
    """The token under the cursor of the token table."""
    marked: frozenset[int] = frozenset()
    """Ids of `model` that the user marked."""
    columns: TokenColumns | None = None
    """Every token of `model`, from when its vocabulary is in the table on; None in a replay."""
    loading: str = ""
    """Which model is on its way, and how far: 'loading mynah … 32 %'. Empty: none is."""

    @property
    def others_with_weights(self) -> list[str]:
        """The loaded models with weights, without the one whose vocabulary is shown."""
        own = self.model.name if self.model is not None else ""
        return [info.name for info in self.roster.models if info.name != own and "weights" in info.abilities]


class Ask(Message):
    """A pane wants `request` answered; the App asks the engine and records the step.

    With `record=False` the outcome is shown and not recorded (details of the token under the cursor).
    """

    def __init__(self, request: AnyRequest, *, record: bool = True) -> None:
        super().__init__()
        self.request = request
        self.record = record


class Answered(Message):
    """An outcome arrived, from the engine or from a session file: the one road to every pane's `show`."""

    def __init__(self, step: Step, *, record: bool = True) -> None:
        super().__init__()
        self.step = step
        self.record = record


class TokenSelected(Message):
    """The cursor of the token table came to rest on a token; `opened` when the user pressed Enter on it."""

    def __init__(self, row: TokenRow, *, opened: bool = False) -> None:
        super().__init__()
        self.row = row
        self.opened = opened


class VocabularyOpened(Message):
    """A whole vocabulary is in the token table."""

    def __init__(self, columns: TokenColumns) -> None:
        super().__init__()
        self.columns = columns


class ViewSettled(Message):
    """What the user made of an outcome without asking again has stood still, and belongs in the session.

    A sort or filter of the token table: `outcome` is a window of its rows round the cursor. Another colour of a plot:
    `outcome` is the one there was, `request` names the colour.
    """

    def __init__(self, request: AnyRequest, outcome: AnyOutcome) -> None:
        super().__init__()
        self.request = request
        self.outcome = outcome


class ColumnsFound(Message):
    """A pane has columns for the token table of `model`; each takes the place of the one with its name."""

    def __init__(self, model: str, columns: Mapping[str, AddedColumn]) -> None:
        super().__init__()
        self.model = model
        self.columns = columns


class FilterWanted(Message):
    """A pane found a part of the vocabulary of `model`: the token table should show it."""

    def __init__(self, model: str, text: str) -> None:
        super().__init__()
        self.model = model
        self.text = text


class TokenPointedAt(Message):
    """The cursor of a pane came to rest on a token: that of the token table should go there, as no jump."""

    def __init__(self, model: str, token_id: int) -> None:
        super().__init__()
        self.model = model
        self.token_id = token_id


class NeighbourOpened(Message):
    """Enter was pressed on another token than the selected one: the token table should go to it."""

    def __init__(self, model: str, token_id: int) -> None:
        super().__init__()
        self.model = model
        self.token_id = token_id


class StepOpened(Message):
    """Enter was pressed on a step: it should be shown again in its pane."""

    def __init__(self, step: Step, place: int = 0) -> None:
        super().__init__()
        self.step = step
        self.place = place
        """Where it stands in the list, 0 the first."""


class Remark(Message):
    """One line for the user, shown as a notification; never markup."""

    def __init__(self, text: str, *, problem: bool = False) -> None:
        super().__init__()
        self.text = text
        self.problem = problem
