"""The table of log-probabilities on a screen: its cursor, its sorting and the form of its cells."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from explorer.tui.panes.logprobs.cells import FORMS
from explorer.tui.panes.logprobs.lines import table_lines
from explorer.tui.panes.logprobs.table_view import SHAPE_WORDS, SHAPES, Shape, TableView, acts_on
from explorer.tui.shell.messages import Remark
from explorer.tui.widgets.lines_view import Draw, LinesView


class LogprobView(LinesView):
    """Draws a `TableView`, or, where there is none, what `empty` draws."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "column", tooltip="Go from model to model"),
        Binding("right", "move(1)", "column", tooltip="Go from model to model"),
        Binding(
            "o,enter",
            "sort",
            "sort",
            tooltip="Sort by the model under the cursor",
        ),
        Binding("F", "form", "cells", tooltip="Change what a cell says: log-probability, probability, rank"),
        Binding("T", "turn", "turn", tooltip="Have the models down, or across"),
    ]

    def __init__(self, empty: Draw, *, id: str | None = None) -> None:
        super().__init__(self._draw_table, id=id)
        self._empty = empty
        self._view: TableView | None = None
        self._shape: Shape = "table"
        """The shape of the next table, where there is none to turn yet."""

    @property
    def view(self) -> TableView | None:
        """What is on display."""
        return self._view

    def show_table(self, view: TableView | None) -> None:
        """Display another table; the cursor, the sorting and the form stay where they make sense in it."""
        old = self._view
        if view is not None and old is None:
            view = dataclasses.replace(view, shape=self._shape)
        elif view is not None and old is not None:
            last = len(view.table.columns) - 1
            same = [column.model for column in old.table.columns] == [column.model for column in view.table.columns]
            view = dataclasses.replace(
                view,
                cursor=max(0, min(old.cursor, last)),
                sort=old.sort if same else None,
                reverse=old.reverse and same,
                form=old.form,
                shape=old.shape,
                target=old.target if old.table.targets == view.table.targets else 0,
            )
        self._view = view
        self.redraw()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return acts_on(self._view, action)

    def action_move(self, step: int) -> None:
        """Go `step` models to the right, and those that did not fit come into sight; models down: `step` targets."""
        view = self._view
        if view is not None and view.shape == "table":
            self._change(cursor=max(0, min(view.cursor + step, len(view.table.columns) - 1)))
        elif view is not None:
            self._change(target=max(0, min(view.target + step, len(view.table.targets) - 1)))

    def action_sort(self) -> None:
        """Sort by the cursor's model (models down: the models), best first; again: worst first; again: as asked."""
        view = self._view
        if view is None:
            return
        if view.sort is None or (view.shape == "table" and view.sort != view.cursor):
            self._change(sort=view.cursor, reverse=False)
        elif view.reverse:
            self._change(sort=None, reverse=False)
        else:
            self._change(reverse=True)

    def action_form(self) -> None:
        """Go on to the next form of a cell that looks otherwise at this width; the first is the fullest that fits."""
        if self._view is None:
            return
        forms = (None, *FORMS)
        place, width = forms.index(self._view.form) + 1, self.scrollable_content_region.width
        for form in (*forms[place:], *forms[:place]):
            other = dataclasses.replace(self._view, form=form)
            if any(not old.is_same(new) for old, new in zip(self.lines, table_lines(other, width), strict=False)):
                self._change(form=form)
                return
        self.post_message(Remark("Nothing but this form fits here: z gives the pane more room."))

    def action_turn(self) -> None:
        """Models across; models down, one target at a time; models down, every target in turn."""
        shown = self._shape if self._view is None else self._view.shape
        self._shape = SHAPES[(SHAPES.index(shown) + 1) % len(SHAPES)]
        if self._view is None:
            self.post_message(Remark(f"The next table: {SHAPE_WORDS[self._shape]}."))
        self._change(shape=self._shape, sort=None, reverse=False)

    def _change(self, **fields: object) -> None:
        if self._view is not None:
            self._view = dataclasses.replace(self._view, **fields)  # type: ignore[arg-type]  # names are checked at run time
            self.redraw()
            self.refresh_bindings()

    def _draw_table(self, width: int) -> list[Content]:
        return list(self._empty(width)) if self._view is None else table_lines(self._view, width)
