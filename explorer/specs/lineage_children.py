"""Children of one base in words: where they fell into two of its attractors, and whether one lost its entropy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from explorer.base.numbers import format_logprob_and_percent, format_p
from explorer.base.records.lineage import Lineage
from explorer.base.records.lineage_children import COLLAPSED, Bifurcation, Collapse, Fork, SampledReplies
from explorer.base.text import visible
from explorer.specs.blocks import Block, Table, Words, count, number, prose, token_text

_SHOWN = 4
"""Cells of two children that are shown."""


def summarise_children(outcome: Lineage) -> Iterator[str]:
    """How often two children of one base part, beside chance, and which children collapsed."""
    for found in outcome.bifurcations:
        if not found.said:
            names = " and ".join(map(prose, found.children))
            yield f"{names} part in {found.apart} of {count(found.cells, 'cell')} (by chance {number(found.null, 2)})"
    for each in outcome.collapses:
        if each.verdict == "collapse":
            yield f"entropy of {prose(each.child)} collapsed"


def of_children(outcome: Lineage) -> Iterable[Block]:
    """Bifurcations, then entropies."""
    for bifurcation in outcome.bifurcations:
        yield from _bifurcation(bifurcation)
    if outcome.collapses:
        yield _collapses(outcome)
    for collapse in outcome.collapses:
        if collapse.said:
            yield Words(f"entropy of {prose(collapse.child)} and {prose(collapse.base)} {prose(collapse.said)}")
    for sampled in outcome.samples:
        yield from _replies(sampled)
    for said in dict.fromkeys(sampled.said for sampled in outcome.samples if sampled.said):
        yield Words(f"replies are {prose(said)}")


def _replies(sampled: SampledReplies) -> Iterator[Block]:
    """The groups of replies of a child and what it is related to, by first token, then by meaning."""
    both = (prose(sampled.child), prose(sampled.base))
    asked = f"{token_text(sampled.token)}, {prose(sampled.template)}: {count(sampled.replies, 'sample')} of each"
    for how, groups in (("first token", sampled.by_token), ("meaning", sampled.by_meaning)):
        rows = tuple((visible(each.name) or "(nothing)", f"{each.child}", f"{each.base}") for each in groups)
        if rows:
            yield Table((how, *both), rows, right=frozenset(both), title=f"{asked}, the largest groups by {how}")


def _bifurcation(found: Bifurcation) -> Iterator[Block]:
    first, second = map(prose, found.children)
    of_base = f" of {prose(found.base)}" if found.base else ""
    if found.said:
        yield Words(f"bifurcation of {first} and {second}{of_base} {prose(found.said)}")
        return
    yield Words(
        f"bifurcation: in {found.apart} of {count(found.cells, 'cell')} (a token in a prompt) {first} and {second} say "
        f"different attractors{of_base}, by chance in {number(found.null, 2)} (p {format_p(found.p)}); in {found.same} "
        f"they say the same one; the base has {number(found.attractors, 2)} a cell"
    )
    if found.forks:
        yield _forks(found)


def _forks(found: Bifurcation) -> Table:
    heads = ("token", "prompt", "child", "says", "own", prose(found.base), "the other child")
    shown = found.forks[:_SHOWN]
    more = f"the {len(shown)} surest of {found.apart} cells" if len(shown) < found.apart else "the cells"
    rows = tuple(row for fork in shown for row in _branches(fork))
    return Table(heads, rows, right=frozenset(heads[4:]), title=f"{more} in which two children of one base part")


def _branches(fork: Fork) -> Iterator[tuple[str, ...]]:
    for branch in fork.branches:
        given = map(format_logprob_and_percent, (branch.logprob, branch.base_logprob, branch.sister_logprob))
        yield (token_text(fork.token), prose(fork.template), prose(branch.child), token_text(branch.output), *given)


def _collapses(outcome: Lineage) -> Table:
    heads = (
        "child",
        "related to",
        "entropy",
        "after the tokens",
        "after controls",
        "difference, 95 %",
        "surer than 99 %",
    )
    rows = tuple(map(_collapse_row, (each for each in outcome.collapses if not each.said)))
    title = f"entropy less that of what it is related to, in nats; collapse: {COLLAPSED:g} or more below controls"
    return Table(heads, rows, right=frozenset(heads[3:]), title=title)


def _collapse_row(each: Collapse) -> tuple[str, ...]:
    return (
        prose(each.child),
        prose(each.base),
        each.verdict,
        _signed(each.tokens),
        _signed(each.controls),
        f"{_signed(each.low)} to {_signed(each.high)}",
        "–" if each.sure_child is None or each.sure_base is None else f"{each.sure_child:.0%} ({each.sure_base:.0%})",
    )


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}"
