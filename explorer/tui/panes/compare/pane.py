"""The Compare pane: the marked tokens side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.content import Content

from explorer.base.records.compare import FEWEST, MOST, CompareTokens, KnownReplies, TokenComparison
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.tokens import LABELS
from explorer.base.records.unions import AnyOutcome, AnyRequest, Step
from explorer.specs.compare import comparison_blocks, headings
from explorer.tui.panes.blocks_pane import BlocksPane
from explorer.tui.shell.messages import Remark, Selection
from explorer.tui.widgets.block_lines import block_lines

_NAME_CELLS = 12
"""Cells of the longest label of an indicator, with the gap behind it."""
_TOKEN_CELLS = 17
"""Cells of a value with its percentile, with the gap before it."""


class ComparePane(BlocksPane):
    """Asks about the marked tokens of the model whose vocabulary is in the table."""

    pane_title: ClassVar[str] = "Compare"
    hint: ClassVar[str] = f"Mark {FEWEST} to {MOST} tokens with space, then press c."

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[CompareTokens, TokenComparison] | None = None
        self._replies: dict[tuple[str, int, str], KnownReplies] = {}
        """By model, token id and template: the last of each."""

    def run_default(self) -> None:
        """Compare the marked tokens; where one alone is marked, it and the one under the cursor."""
        ids = ids_to_compare(self.selection)
        if self.selection.model is None or not FEWEST <= len(ids) <= MOST:
            self.post_message(Remark(_refusal(len(ids))))
            return
        model = self.selection.model.name
        known = (found for (of, token_id, _), found in self._replies.items() if of == model and token_id in ids)
        self.ask(CompareTokens(model=model, token_ids=ids, repeated=tuple(known)))

    def overhear(self, step: Step) -> None:
        """What repeat-back found is shown beside the token later."""
        if isinstance(step.request, RepeatBack) and isinstance(step.outcome, RepeatBackResult):
            probe, template = step.outcome.probe, step.outcome.template
            found = KnownReplies(
                token_id=probe.token.token_id, template=template, exact=probe.exact, samples=len(probe.replies)
            )
            self._replies[step.request.model, found.token_id, template] = found

    def show(self, step: Step) -> None:
        if isinstance(step.request, CompareTokens) and isinstance(step.outcome, TokenComparison):
            self._shown = step.request, step.outcome
        super().show(step)

    def summaries(self, request: AnyRequest, outcome: AnyOutcome) -> Sequence[str]:
        """The ids stand in the table below."""
        return headings(outcome) if isinstance(outcome, TokenComparison) else super().summaries(request, outcome)

    def clear(self) -> None:
        self._shown = None
        super().clear()

    def forget_model(self, name: str) -> None:
        self._replies = {key: found for key, found in self._replies.items() if key[0] != name}

    def _draw(self, width: int) -> Sequence[Content]:
        if self._shown is None:
            return ()
        request, outcome = self._shown
        abreast = max(FEWEST, (width - _NAME_CELLS) // _TOKEN_CELLS)
        return block_lines(comparison_blocks(request, outcome, abreast, LABELS, titled=False), width)


def ids_to_compare(selection: Selection) -> tuple[int, ...]:
    """The marked tokens by id; where one alone is marked, it and the one under the cursor."""
    ids = set(selection.marked)
    if len(ids) == 1 and selection.token is not None:
        ids.add(selection.token.token_id)
    return tuple(sorted(ids))


def _refusal(number: int) -> str:
    if number > MOST:
        return f"{number} tokens are marked, and at most {MOST} can be compared. Unmark some with space."
    return f"Mark {FEWEST} to {MOST} tokens with space first."
