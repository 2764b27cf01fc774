"""What the Tokens pane consists of on the screen: a title, remarks, a table, and what is said in the table's place."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from explorer.base.records.tokens import TokenRow
from explorer.base.text import visible
from explorer.specs.blocks import token_text
from explorer.tables.highlights import sought_in
from explorer.tui.panes.tokens.boxes import ViewBoxes
from explorer.tui.panes.tokens.table import TokenTable
from explorer.tui.panes.tokens.views import View, notes_of, titles_of
from explorer.tui.widgets.fitted_line import FittedLine

_TITLE = "Tokens"


class TokenFace:
    """The pane's widgets, and what they say; knows nothing of what is wanted."""

    def __init__(self, boxes: ViewBoxes) -> None:
        self.boxes = boxes
        self.table = TokenTable()
        self._title = FittedLine(_TITLE, classes="title")
        self._rule = Static("", classes="rule", markup=False)
        self._problem = Static("", classes="problem", markup=False)
        self._message = Static("", classes="message", markup=False)
        self._notes = ""
        self._absent = ""
        """The selected token, where the rows on display are without it."""
        self._is_empty = True
        """Whether nothing but a hint is shown."""

    def widgets(self, hint: str) -> Iterator[Widget]:
        """All of them, top to bottom; `hint` stands in the empty table's place."""
        self._message = Static(hint, classes="message", markup=False)
        self.table.display = False
        yield from (self._title, self._rule, self.boxes, self._problem, self._message, self.table)

    def focus_table(self) -> None:
        """Keys go to the table; where there is none, to nothing until it comes."""
        self.table.screen.set_focus(self.table if self.table.display else None)

    def show_view(self, view: View) -> None:
        """Fill the table."""
        self._is_empty = False
        self._message.display = False
        if not self.table.display:
            self.table.display = True
            if self.table.screen.focused is None:  # what is hidden cannot be focused, and the App asked for it early
                self.focus_table()
        self.table.drawing.sought = sought_in(view.request.filter, view.rows.indicators)
        self.table.show_rows(view.rows, sort=view.sort, descending=view.request.descending, lead=view.lead)
        self._title.say(*titles_of(view))
        rule, *others = notes_of(view) or ("",)  # the rule first: of what is long, the end is cut away
        self._notes = " · ".join(part for part in (rule, self.table.drawing.legend, *others) if part)
        self._rule.tooltip = Content(self._notes)
        self._absent = ""
        self._draw_notes()
        self.show_problem("")

    def say_absent(self, token: TokenRow | None) -> None:
        """Name the selected token, because no row that is shown is its own; None: one is."""
        absent = f"Selected: {token.token_id} {token_text(token)}, whose row is not recorded here." if token else ""
        if absent != self._absent:
            self._absent = absent
            self._draw_notes()

    def _draw_notes(self) -> None:
        before = f"{self._absent} " if self._absent and self._notes else self._absent
        self._rule.update(Content.assemble((before, "$warning"), self._notes))

    def show_problem(self, text: str) -> None:
        """Say above the table what is wrong; empty: nothing is."""
        self._problem.update(Content(f"✗ {visible(text, spaces=False)}"))
        self._problem.set_class(bool(text), "-open")

    def show_hint(self, text: str) -> None:
        """There is nothing to show: say what is done about that, or can be."""
        self.show_message(text)
        self._is_empty = True

    def change_hint(self, text: str) -> None:
        """Say something else, unless there is something to show by now."""
        if self._is_empty:
            self._message.update(Content(text))

    def show_message(self, text: str) -> None:
        """Say something in the table's place."""
        self._is_empty = False
        self.table.display = False
        self._title.say(_TITLE)
        self._notes = self._absent = ""
        self._draw_notes()
        self._message.update(Content(text))
        self._message.display = True

    def say_reading(self, model: str, progress: str) -> None:
        """A vocabulary is being read; what is in the table stays."""
        self._is_empty = False
        text = f"reading the vocabulary of {visible(model, spaces=False)}…{progress}"
        self._title.say(f"{_TITLE} · {text}", text)
        self._message.update(Content(text))
