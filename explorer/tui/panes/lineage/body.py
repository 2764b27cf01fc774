"""How the Lineage pane draws what was found: the matrix of verdicts, and below it all of the row under the cursor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from explorer.base.records.lineage import FindLineage, Lineage
from explorer.specs.blocks import Block
from explorer.specs.lineage_blocks import of_all, of_none, of_pair, verdict_rows, verdict_table
from explorer.tui.shell.guarded import Guarded
from explorer.tui.shell.replayed import hint_at
from explorer.tui.widgets.block_lines import block_lines, table_rows, without
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.row_list import RowList

_MARGIN = 3
"""Cells of the cursor's mark and the scrollbar."""

_LEAST_WANTED = ("95 %", "AUC", "n", "z", "p")
"""Columns that give way, the first one first; what is told below has them all."""


class LineageBody(Guarded, Vertical):
    """The list's cursor chooses the pair that is told below; enter goes there, to scroll."""

    DEFAULT_CSS = """
    LineageBody {
        height: 1fr;
        & #verdicts { height: auto; max-height: 40%; min-height: 2; }
        & #told { height: 1fr; border-top: solid $panel; }
    }
    """

    def __init__(self, hint: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hint = hint
        self._found: tuple[FindLineage, Lineage] | None = None

    def compose(self) -> ComposeResult:
        yield RowList(id="verdicts")
        yield LinesView(self._draw, id="told")

    def show(self, request: FindLineage, outcome: Lineage) -> None:
        """Draw what was found; the cursor stays on its row."""
        self._found = request, outcome
        self._show_rows()

    def clear(self) -> None:
        """Show nothing."""
        self._found = None
        self._show_rows()

    def _show_rows(self) -> None:
        rows, told = self.query_one(RowList), self.query_one(LinesView)
        if self._found is None:
            rows.show_rows(())
            rows.styles.height = 0
        else:
            room = max(1, rows.size.width - _MARGIN)
            header, lines = table_rows(without(verdict_table(*self._found), _LEAST_WANTED, room), room)
            rows.styles.height = len(lines) + 1
            rows.show_rows(lines, header=Content.assemble("  ", header))
        told.redraw()

    def on_resize(self) -> None:
        """The list has its own new width only afterwards."""
        self.call_after_refresh(self._show_rows)

    @on(RowList.Highlighted)
    def tell(self, event: RowList.Highlighted) -> None:
        """Tell of the pair under the cursor."""
        event.stop()
        told = self.query_one(LinesView)
        told.scroll_home(animate=False)
        told.redraw()

    @on(RowList.Chosen)
    def go_below(self, event: RowList.Chosen) -> None:
        """Give the keys to what is told of the pair."""
        event.stop()
        self.query_one(LinesView).focus()

    def _draw(self, width: int) -> Sequence[Content]:
        if self._found is None:
            return Content.styled(hint_at(self, self._hint), "$foreground-muted").wrap(width)
        return block_lines(self._blocks(), width)

    def _blocks(self) -> Iterable[Block]:
        assert self._found is not None
        _, outcome = self._found
        rows = verdict_rows(outcome)
        if rows:
            child, pair = rows[min(self.query_one(RowList).cursor, len(rows) - 1)]
            yield from of_none(outcome, child) if pair is None else of_pair(outcome, pair)
        yield from of_all(outcome)
