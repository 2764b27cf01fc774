"""What the Session pane writes into files and copies: the list of steps in words, and a step as the file has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from explorer.base.records.plain import dump_json
from explorer.base.records.record import Failure
from explorer.base.records.unions import Cancelled, Step
from explorer.sessions.file.reader import is_damaged
from explorer.specs.registry import describe, summarise
from explorer.tui.panes.session.rows import asked_text
from explorer.tui.panes.takeaway import Clip, Row, Takeaway


def takeaway_of(steps: Sequence[Step], current: Callable[[], Step]) -> Takeaway | None:
    """The `steps`, a row each, decoded when they are written; the row under the cursor is that of the `current` one."""
    if not steps:
        return None
    what = "the step" if len(steps) == 1 else f"the {len(steps):,} steps of the session"
    return Takeaway(what, lambda _: _rows(steps), row=lambda _: step_fields(current()), clips=lambda: _clips(current()))


def step_fields(step: Step) -> Row:
    """One step: its number, when it came and how long it took, what was asked and what came back, in words."""
    return {
        "step": step.number,
        "at": step.at,
        "seconds": step.seconds,
        "kind": type(step.request).__name__,
        "asked": asked_text(step) if is_damaged(step) else describe(step.request),
        "ended": _ending(step),
        "outcome": "" if is_damaged(step) else summarise(step.outcome),
    }


def _rows(steps: Sequence[Step]) -> Iterator[Row]:
    for place in range(len(steps)):  # it may grow meanwhile
        yield step_fields(steps[place])


def _ending(step: Step) -> str:
    if is_damaged(step):
        return "damaged"
    return {Failure: "failed", Cancelled: "cancelled"}.get(type(step.outcome), "done")


def _clips(step: Step) -> list[Clip]:
    row = step_fields(step)
    clips = [Clip(f"{name} in words", partial(str, row[key])) for name, key in _WORDS.items() if row[key]]
    return clips if is_damaged(step) else [*clips, Clip("the step as JSON", lambda: dump_json(step).decode())]


_WORDS = {"what was asked,": "asked", "what came back,": "outcome"}
