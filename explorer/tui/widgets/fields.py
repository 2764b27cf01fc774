"""What forms of several lines have in common: labels and fields in rows, and below them a line for what is wrong."""

from __future__ import annotations

from textual.containers import Vertical

from explorer.tui.shell.guarded import Guarded
from explorer.tui.widgets.form_status import FormStatus


class FieldRows(Guarded, Vertical):
    """As high as its rows, each reached by `tab`; `.gap`: a label within a row."""

    DEFAULT_CSS = """
    FieldRows {
        height: auto;
        & Horizontal { height: auto; }
        & Label { color: $text-muted; margin: 0 1 0 0; width: auto; }
        & .gap { margin: 0 1 0 2; }
    }
    """

    def say(self, text: str, *, problem: bool = False) -> None:
        """Show `text` below the fields."""
        self.query_one(FormStatus).say(text, problem=problem)
