"""File 4 of a verb: its pane. This one shows the blocks of the spec; a pane may be any Textual widget."""

from __future__ import annotations

from typing import ClassVar

from explorer.tui.panes.blocks_pane import BlocksPane
from glitch_lengths.records import CountLengths


class LengthsPane(BlocksPane):
    """Token lengths of the model whose vocabulary is in the table."""

    hint: ClassVar[str] = "Press L: how long the tokens of this vocabulary are."

    def run_default(self) -> None:
        """Ask about the selected model (L was pressed)."""
        if self.selection.model is not None:
            self.ask(CountLengths(model=self.selection.model.name))
