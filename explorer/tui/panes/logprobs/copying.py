"""Prompts and numbers of a table of log-probabilities, to be pasted one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

from explorer.base.records.logprobs import LogprobColumn
from explorer.tui.panes.logprobs.cells import model_name, target_names
from explorer.tui.panes.logprobs.table_view import TableView
from explorer.tui.panes.takeaway import Clip, prompt_clip


def table_clips(view: TableView | None) -> list[Clip]:
    """Each model's prompt, and what it gives each target; models across, of the one under the cursor first."""
    if view is None:
        return []
    columns = view.table.columns
    first = view.cursor if view.shape == "table" else 0
    ordered = [*columns[first:], *columns[:first]]
    prompts = [prompt_clip(column.model, column.prompt) for column in columns]
    return [*prompts, *(clip for column in ordered for clip in _numbers(column, target_names(view.table)))]


def _numbers(column: LogprobColumn, names: list[str]) -> Iterator[Clip]:
    for name, cell in zip(names, column.cells, strict=True):
        numbers = {"logprob": cell.logprob, "prob": math.exp(cell.logprob)}
        for kind, number in numbers.items():
            yield Clip(f"the {kind} of '{name}' in {model_name(column)}, {number:.4g}", partial(str, number))
