"""The Lineage pane: which loaded model the shown one comes from."""

from __future__ import annotations

from typing import ClassVar

from explorer.base.records.lineage import PROMPTS, FindLineage
from explorer.base.templates import find_template
from explorer.specs.lineage import HINT
from explorer.tui.panes.blocks_pane import BlocksPane
from explorer.tui.shell.messages import Remark


class LineagePane(BlocksPane):
    """Asks of the model whose vocabulary is in the table; every other one that runs is a candidate."""

    pane_title: ClassVar[str] = "Lineage"
    hint: ClassVar[str] = HINT

    def run_default(self) -> None:
        """Test the shown model against the others."""
        shown = self.selection.model
        others = [info.name for info in self.selection.roster.models if info.can_run and info != shown]
        if shown is None or not others:
            self.post_message(Remark("Load the model and the bases that it may come from first: press m."))
            return
        templates = tuple(map(find_template, PROMPTS))
        self.ask(FindLineage(children=(shown.name,), bases=tuple(others), templates=templates))
