"""`session diff A B`: compare the outcomes of the same requests in two sessions, and print where they differ."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from explorer.base.records.unions import Step
from explorer.headless.run import FAILED
from explorer.headless.session_output import make_console, make_table, say_damage
from explorer.sessions.checking.diff import Difference, StepPair, diff_sessions
from explorer.sessions.checking.naming import parse_model_map
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.recent import find_session
from explorer.specs.blocks import prose
from explorer.specs.registry import describe, summarise

MOST_SHOWN = 1000
"""Requests in the printed table: laying out one of 50,000 rows takes a minute, and nobody reads it."""

LONGEST = 200
"""Characters of a question in the printed table."""


def print_diff(given: Namespace) -> int:
    """Compare the two sessions that were named; the exit status is 0 only where nothing differs and both are whole."""
    first, second = (SessionFile(find_session(name)).index_all() for name in (given.file, given.other))
    names = parse_model_map(given.model_map)
    ours, theirs = list(first), list(second)  # decoded once
    both = ((first, "A", ours), (second, "B", theirs))
    damaged = [say_damage(session, name, as_json=given.json, steps=steps) for session, name, steps in both]
    difference = diff_sessions(ours, theirs, names)
    if given.json:
        for row in _diff_rows(difference):
            print(json.dumps(row, allow_nan=False))
    else:
        _print_difference(difference)
    return 0 if difference.is_none and not any(damaged) else FAILED


def _diff_rows(difference: Difference) -> Iterable[dict[str, Any]]:
    for model in difference.models:
        yield {"models": [model.first.name, model.second.name], "difference": model.difference}
    for pair in difference.pairs:
        steps, found = [pair.first.number, pair.second.number], pair.found
        question = describe(pair.first.request)
        yield {"steps": steps, "question": question, "difference": found.difference, "how": found.how}
    alone: list[tuple[Step, tuple[int | None, int | None]]]
    alone = [(step, (step.number, None)) for step in difference.only_first]
    alone += [(step, (None, step.number)) for step in difference.only_second]
    for step, numbers in alone:
        yield {"steps": numbers, "question": describe(step.request), "difference": "in one session only"}


def _print_difference(difference: Difference) -> None:
    console = make_console()
    for model in difference.models:
        names = " and ".join(dict.fromkeys((model.first.name, model.second.name)))
        said = model.difference or "the same model"
        console.print(Text(prose(f"{names}: {said}"), "yellow" if model.difference else ""))
    table = make_table("A", "B", "question", "", right=("A", "B"))
    left_out = _fill_table(table, difference)
    console.print(table)
    if left_out:
        console.print(Text(f"… {left_out:,} more are not shown: --json lists all", "dim"))
    console.print(Text(_counts(difference)))


def _fill_table(table: Table, difference: Difference) -> int:
    """Add what agrees or differs and what stands in one session only; of very many, those that agree last. How many
    are left out."""
    entries: list[StepPair | tuple[Step, str]] = [*difference.pairs]
    entries += ((step, "A") for step in difference.only_first)
    entries += ((step, "B") for step in difference.only_second)
    if len(entries) > MOST_SHOWN:
        entries.sort(key=lambda entry: isinstance(entry, StepPair) and not entry.found.difference)
    for entry in entries[:MOST_SHOWN]:
        if isinstance(entry, StepPair):
            _add_pair(table, entry)
        else:
            _add_alone(table, *entry)
    return len(entries[MOST_SHOWN:])


def _question(step: Step) -> Text:
    """What was asked, cut where a note or a prompt is long: --json has it whole."""
    said = describe(step.request)
    return Text(said if len(said) <= LONGEST else f"{said[:LONGEST]}…")


def _add_alone(table: Table, step: Step, name: str) -> None:
    numbers = (str(step.number), "–") if name == "A" else ("–", str(step.number))
    table.add_row(*numbers, _question(step), Text(f"only in {name}", "yellow"))


def _add_pair(table: Table, pair: StepPair) -> None:
    verdict = Text("differ", "red") if pair.found.difference else Text("agree", "green")
    table.add_row(str(pair.first.number), str(pair.second.number), _question(pair.first), verdict)
    if pair.found.difference:
        for mark, step in (("A", pair.first), ("B", pair.second)):
            table.add_row("", "", Text(f"  {mark}  {summarise(step.outcome)}", "dim"), "")
        table.add_row("", "", Text(f"  {prose(pair.found.difference)} {pair.found.how}".rstrip()), "")


def _counts(difference: Difference) -> str:
    differing = sum(bool(pair.found.difference) for pair in difference.pairs)
    alone: tuple[Step, ...] = (*difference.only_first, *difference.only_second)
    return f"{len(difference.pairs) - differing} agree, {differing} differ, {len(alone)} in one session only"
