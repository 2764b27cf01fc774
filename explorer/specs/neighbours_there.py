"""What is said of a token's neighbours in two models: which are neighbours in both."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from explorer.base.numbers import format_percent
from explorer.base.records.neighbours import Neighbourhood, NeighboursThere
from explorer.base.records.plain import to_plain
from explorer.specs.blocks import Table, number, prose, token_text
from explorer.specs.command_line import Row

KEPT, ABSENT = "=", "∅"
"""Marks: a neighbour in both models; one whose bytes the other vocabulary lacks. Without a mark: a neighbour in one."""


def kept_words(outcome: Neighbourhood) -> str:
    """How many of the neighbours are neighbours in the other model too, and how far the token moved."""
    there = outcome.there
    if there is None:
        return ""
    if there.token is None:
        return f"{prose(there.model)} has no token with these bytes"
    absent = f", {len(there.absent)} not in its vocabulary ({ABSENT})" if there.absent else ""
    share = f"{len(outcome.ranks_there)} of {len(outcome.neighbours)}"
    kept = f"{share} near in {prose(there.model)} too ({KEPT})"
    if there.moved is None or there.moved_more_than is None:
        return kept + absent
    more_than = format_percent(there.moved_more_than)
    return f"{kept}{absent}; moved {there.moved:.2f}, more than {more_than} of the shared tokens"


def marks_here(outcome: Neighbourhood) -> list[str]:
    """The mark of each neighbour: whether it is one in the other model too."""
    absent = set(outcome.there.absent) if outcome.there is not None else set()
    kept = outcome.ranks_there
    ids = [entry.token.token_id for entry in outcome.neighbours]
    return [KEPT if token_id in kept else ABSENT if token_id in absent else "" for token_id in ids]


def marks_there(outcome: Neighbourhood) -> list[str]:
    """The mark of each neighbour in the other model: whether it is one in the first too."""
    if outcome.there is None:
        return []
    ours = {entry.token.token_bytes for entry in outcome.neighbours}
    absent = set(outcome.there.absent_here)
    tokens = [entry.token for entry in outcome.there.neighbours]
    return [KEPT if token.token_bytes in ours else ABSENT if token.token_id in absent else "" for token in tokens]


def both_table(outcome: Neighbourhood, there: NeighboursThere) -> Table:
    """Both lists side by side."""
    ours = [(token_text(entry.token), number(entry.distance)) for entry in outcome.neighbours]
    theirs = [(token_text(entry.token), number(entry.distance)) for entry in there.neighbours]
    rows = tuple(
        (str(place), *here, mark, *other, other_mark)
        for place, (here, mark, other, other_mark) in enumerate(
            zip_longest(ours, marks_here(outcome), theirs, marks_there(outcome), fillvalue=""), start=1
        )
    )
    heads = ("nearest", "here", "distance", "both", "there", "distance there", "both there")
    title = f"{prose(outcome.model)} and {prose(there.model)}"
    return Table(heads, rows, right=frozenset({"nearest", "distance", "distance there"}), title=title)


def facts_there(outcome: Neighbourhood, token_id: int) -> Row:
    """Of a neighbour, as JSON: its place in the other model's list, and whether that model has such a token."""
    if outcome.there is None:
        return {}
    return {
        "rank_there": outcome.ranks_there.get(token_id),
        "is_known_there": token_id not in outcome.there.absent,
    }


def rows_there(outcome: Neighbourhood) -> Iterable[Row]:
    """The other model's neighbours as JSON objects."""
    if outcome.there is not None:
        for entry in outcome.there.neighbours:
            plain = to_plain(entry)
            yield {"model": outcome.there.model, **plain.pop("token"), **plain}
