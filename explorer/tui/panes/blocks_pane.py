"""A pane that shows an outcome as its spec words it: the least that a verb of another package needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content

from explorer.base.pace import count_words
from explorer.base.records.record import Failure, Progress
from explorer.base.records.unions import AnyOutcome, AnyPart, AnyRequest, Cancelled, Step
from explorer.specs.blocks import Block
from explorer.specs.registry import describe, spec_of
from explorer.tui.panes.base import Pane, failure_text
from explorer.tui.panes.takeaway import Takeaway, of_outcomes
from explorer.tui.shell.replayed import hint_at
from explorer.tui.widgets.block_lines import block_lines
from explorer.tui.widgets.fitted_line import FittedLine
from explorer.tui.widgets.lines_view import LinesView


class BlocksPane(Pane):
    """Shows `Spec.blocks`. A subclass says in `run_default` what is asked, and in `hint` how."""

    hint: ClassVar[str] = ""
    """What stands there before anything was asked."""
    content: ClassVar[str] = "LinesView"
    DEFAULT_CSS = """
    BlocksPane {
        height: 1fr;
        layout: vertical;
        padding: 0 1;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._blocks: tuple[Block, ...] = ()
        self._found: list[tuple[AnyRequest, AnyOutcome]] = []
        """What is shown, and how it was asked; one or none."""

    def compose(self) -> ComposeResult:
        yield FittedLine(hint_at(self, self.hint), style="$foreground-muted")
        yield LinesView(self._draw)

    def show_asked(self, request: AnyRequest) -> None:
        self._say(f"{describe(request)} … esc cancels")

    def show_part(self, request: AnyRequest, part: AnyPart) -> None:
        if isinstance(part, Progress):
            self._say(f"{describe(request)}: {count_words(part)}")

    def show(self, step: Step) -> None:
        """The outcome, or above the earlier one what went wrong."""
        if isinstance(step.outcome, Failure):
            self._say(failure_text(step.outcome), style="$error")
        elif isinstance(step.outcome, Cancelled):
            self._say("cancelled")
        else:
            self._found = [(step.request, step.outcome)]
            self._say(*self.summaries(step.request, step.outcome))
            self._set_blocks(tuple(spec_of(step.request).blocks(step.request, step.outcome)))

    def summaries(self, request: AnyRequest, outcome: AnyOutcome) -> Sequence[str]:
        """What stands above the blocks: the fullest of these that fits."""
        summary: str = spec_of(request).summarise(outcome)
        return (f"{describe(request)}: {summary}", summary)

    def takeaway(self) -> Takeaway | None:
        return of_outcomes("what the pane shows", self._found)

    def clear(self) -> None:
        self._found = []
        self._say(hint_at(self, self.hint))
        self._set_blocks(())

    def _set_blocks(self, blocks: tuple[Block, ...]) -> None:
        self._blocks = blocks
        self.query_one(LinesView).redraw()

    def _say(self, *texts: str, style: str = "$foreground-muted") -> None:
        self.query_one(FittedLine).say(*texts, style=style)

    def _draw(self, width: int) -> Sequence[Content]:
        return block_lines(self._blocks, width)
