"""`session diff A B`: compare the outcomes of the same requests in two sessions, and print where they differ."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from rich.text import Text

from explorer.base.records.unions import Step
from explorer.headless.run import FAILED
from explorer.headless.session_output import make_console, make_table, say_damage
from explorer.sessions.checking.diff import Difference, diff_sessions
from explorer.sessions.checking.naming import parse_model_map
from explorer.sessions.file.reader import SessionFile
from explorer.sessions.file.recent import find_session
from explorer.specs.blocks import prose
from explorer.specs.registry import describe, summarise


def print_diff(given: Namespace) -> int:
    """Compare the two sessions that were named; the exit status is 0 only where nothing differs and both are whole."""
    first, second = (SessionFile(find_session(name)).index_all() for name in (given.file, given.other))
    names = parse_model_map(given.model_map)
    damaged = [say_damage(session, name, as_json=given.json) for session, name in ((first, "A"), (second, "B"))]
    difference = diff_sessions(first, second, names)
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
    for pair in difference.pairs:
        verdict = Text("differ", "red") if pair.found.difference else Text("agree", "green")
        table.add_row(str(pair.first.number), str(pair.second.number), Text(describe(pair.first.request)), verdict)
        if pair.found.difference:
            for mark, step in (("A", pair.first), ("B", pair.second)):
                table.add_row("", "", Text(f"  {mark}  {summarise(step.outcome)}", "dim"), "")
            table.add_row("", "", Text(f"  {prose(pair.found.difference)} {pair.found.how}".rstrip()), "")
    for step in difference.only_first:
        table.add_row(str(step.number), "–", Text(describe(step.request)), Text("only in A", "yellow"))
    for step in difference.only_second:
        table.add_row("–", str(step.number), Text(describe(step.request)), Text("only in B", "yellow"))
    console.print(table)
    console.print(Text(_counts(difference)))


def _counts(difference: Difference) -> str:
    differing = sum(bool(pair.found.difference) for pair in difference.pairs)
    alone: tuple[Step, ...] = (*difference.only_first, *difference.only_second)
    return f"{len(difference.pairs) - differing} agree, {differing} differ, {len(alone)} in one session only"
