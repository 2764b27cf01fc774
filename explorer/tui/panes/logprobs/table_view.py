"""A logprob table with how it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.tokens import TokenRef
from explorer.tui.panes.logprobs.cells import Form

Shape = Literal["table", "lines", "one"]
"""Targets down and models across; models down, each target in turn; models down, one target at a time."""
SHAPES: tuple[Shape, ...] = ("table", "one", "lines")
SHAPE_WORDS: dict[Shape, str] = {
    "table": "models across",
    "one": "models down, one target at a time",
    "lines": "models down, every target",
}


@dataclass(frozen=True)
class TableView:
    """A table with how it is looked at."""

    request: ReadLogprobs
    table: LogprobTable
    token: TokenRef | None = None
    """The token in the prompt's slot, where there is one."""
    stopped: bool = False
    """Whether the user stopped it: models may be missing."""
    cursor: int = 0
    """The column that left and right move to."""
    sort: int | None = None
    """The column that rows are sorted by, best first (models down: whether the best model comes first); None: in the
    order asked."""
    reverse: bool = False
    form: Form | None = None
    """None: the fullest form in which all models fit."""
    shape: Shape = "table"
    target: int = 0
    """The target that the shape `one` shows, in the order asked."""

    @property
    def stops(self) -> int:
        """How many columns, or targets, left and right go through."""
        return {"table": len(self.table.columns), "one": len(self.table.targets), "lines": 0}[self.shape]


def acts_on(view: TableView | None, action: str) -> bool:
    """Whether a key of the table does something: without a table there is nothing to sort, and one column alone is not
    gone through."""
    if action == "move":
        return view is not None and view.stops > 1
    return view is not None or action not in ("sort", "form")


def row_order(view: TableView) -> list[int]:
    """Indices of the targets in the order shown; ties keep the order asked."""
    rows = list(range(len(view.table.targets)))
    if view.sort is None:
        return rows
    cells = view.table.columns[view.sort].cells
    return sorted(rows, key=lambda row: cells[row].logprob, reverse=not view.reverse)


def model_order(view: TableView, target: int) -> list[int]:
    """Indices of the models under one target, models down; ties keep the order asked."""
    models = list(range(len(view.table.columns)))
    if view.sort is None:
        return models
    return sorted(models, key=lambda at: view.table.columns[at].cells[target].logprob, reverse=not view.reverse)
