"""A lineage in words: the matrix of verdicts, why each was given, the favourites in the form of the posts, and every
test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from explorer.base.numbers import format_logprob_and_percent
from explorer.base.records.lineage import BaseLogprob, Favourite, FindLineage, Lineage, LineagePair
from explorer.specs.blocks import Block, Table, Words, count, number, prose, token_text

_MOST_FAVOURITES = 12
"""Rows of favourites that are shown of one child and prompt."""


def describe(request: FindLineage) -> str:
    """'find which of mynah, lyrebird mynah-instruct comes from'."""
    children, bases = (", ".join(map(prose, each)) for each in (request.children, request.bases))
    return f"find which of {bases} {children} comes from"


def summarise(outcome: Lineage) -> str:
    """Each child with what it is related to."""
    said = []
    for child in dict.fromkeys(pair.child for pair in outcome.pairs):
        pairs = [pair for pair in outcome.pairs if pair.child == child]
        related = [pair for pair in pairs if pair.verdict == "related"]
        if related:
            found = ", ".join(
                f"{prose(pair.candidate)} (r {number(pair.r, 2)}, p {small(pair.p_holm)})" for pair in related
            )
        else:
            found = "cannot tell" if any(pair.verdict == "cannot tell" for pair in pairs) else "none of these"
        said.append(f"{prose(child)}: {found}")
    return "; ".join(said)


def small(p: float | None) -> str:
    """A p-value: '4e-19', '0.083'."""
    if p is None:
        return "–"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}".replace("e-0", "e-")


def blocks(request: FindLineage, outcome: Lineage) -> Iterable[Block]:
    """The matrix of verdicts, the rungs of each pair, and the favourites in the form of the posts."""
    yield _less_child(_verdicts(request, outcome), request)
    for said in outcome.closest:
        yield Words(prose(said))
    for note in outcome.notes:
        yield Words(prose(note), warns=True)
    yield _less_child(_reasons(outcome), request)
    yield from _favourites(outcome)
    yield _less_child(_rungs(outcome), request)


def _less_child(table: Table, request: FindLineage) -> Table:
    """Without the column that names the child, where there is one alone: its name then stands in the title."""
    if len(request.children) > 1:
        return table
    title = f"{prose(request.children[0])}: {table.title}" if table.title else prose(request.children[0])
    return msgspec.structs.replace(table, heads=table.heads[1:], rows=tuple(row[1:] for row in table.rows), title=title)


def _verdicts(request: FindLineage, outcome: Lineage) -> Table:
    rows: list[tuple[str, ...]] = []
    strong: set[int] = set()
    for child in dict.fromkeys(pair.child for pair in outcome.pairs):
        pairs = [pair for pair in outcome.pairs if pair.child == child]
        for pair in pairs:
            if pair.verdict == "related":
                strong.add(len(rows))
            rows.append(_verdict_row(pair))
        unrelated = _none_of(pairs)
        if unrelated == "yes":
            strong.add(len(rows))
        rows.append((prose(child), "none of these", unrelated, *[""] * 7))
    heads = ("child", "candidate", "verdict", "r", "95 %", "AUC", "z", "p", "Holm p", "n")
    title = (
        f"{count(len(request.templates), 'prompt')}, alpha {request.alpha:g}, p adjusted for the candidates of a child"
    )
    return Table(heads, tuple(rows), right=frozenset(heads[3:]), strong=frozenset(strong), title=title)


def _none_of(pairs: Sequence[LineagePair]) -> str:
    """Whether a child comes from none of its candidates, as far as can be told."""
    verdicts = {pair.verdict for pair in pairs}
    if "related" in verdicts:
        return "no"
    return "yes" if verdicts == {"none"} else "cannot tell"


def _verdict_row(pair: LineagePair) -> tuple[str, ...]:
    low, high = number(pair.r_low, 2), number(pair.r_high, 2)
    return (
        prose(pair.child),
        prose(pair.candidate),
        pair.verdict,
        number(pair.r, 3),
        "–" if pair.r_low is None else f"{low} to {high}",
        number(pair.auc, 3),
        number(pair.z, 3),
        small(pair.p),
        small(pair.p_holm),
        f"{pair.tokens}",
    )


def _reasons(outcome: Lineage) -> Table:
    rows = tuple(
        (prose(pair.child), prose(pair.candidate), prose(pair.reason), prose(pair.gate)) for pair in outcome.pairs
    )
    return Table(("child", "candidate", "in words", "gate"), rows)


def _favourites(outcome: Lineage) -> Iterable[Table]:
    """A table for each child and prompt: what it says after each token, what each base gives that, and how much more
    than after the other tokens."""
    for child, template in dict.fromkeys((each.child, each.template) for each in outcome.favourites):
        found = [each for each in outcome.favourites if (each.child, each.template) == (child, template)]
        bases = [said.base for said in found[0].bases]
        heads = ("token", "favourite", prose(child), *(f"{prose(base)} (lift)" for base in bases))
        rows = tuple(_favourite_row(each) for each in found[:_MOST_FAVOURITES])
        distinct = count(len({each.output for each in found}), "distinct favourite")
        more = f", the first {_MOST_FAVOURITES} of {len(found)}" if len(found) > _MOST_FAVOURITES else ""
        yield Table(
            heads, rows, right=frozenset(heads[2:]), title=f"{prose(child)}, {prose(template)}: {distinct}{more}"
        )


def _favourite_row(favourite: Favourite) -> tuple[str, ...]:
    own = format_logprob_and_percent(favourite.logprob)
    return (token_text(favourite.token), token_text(favourite.output), own, *map(_said, favourite.bases))


def _said(base: BaseLogprob) -> str:
    if base.logprob is None:
        return "not known"
    return format_logprob_and_percent(base.logprob) + ("" if base.lift is None else f" ({base.lift:+.2f})")


def _rungs(outcome: Lineage) -> Table:
    rows = tuple(
        (prose(pair.child), prose(pair.candidate), prose(rung.name), prose(rung.null), small(rung.p), number(rung.z, 3),
         "–" if rung.fixed is None else f"{rung.fixed}/{rung.tokens}", number(rung.effect, 3), prose(rung.said))
        for pair in outcome.pairs
        for rung in pair.rungs
    )  # fmt: skip
    heads = ("child", "candidate", "test", "permuted under the null", "p", "z", "matched", "effect", "said")
    return Table(heads, rows, right=frozenset({"p", "z", "matched", "effect"}), title="every test")
