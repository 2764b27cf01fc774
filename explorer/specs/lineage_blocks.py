"""A lineage in words: the matrix of verdicts, why each was given, the favourites in the form of the posts, and every
test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from explorer.base.numbers import format_logprob_and_percent, format_p
from explorer.base.records.lineage import BaseLogprob, Favourite, FindLineage, Lineage, LineagePair
from explorer.specs.blocks import Block, Table, Words, count, hex_text, number, prose, token_text
from explorer.specs.lineage_children import of_children, summarise_children
from explorer.specs.lineage_tables import published_blocks, summarise_published
from explorer.specs.lineage_tree import tree_blocks

_MOST_FAVOURITES = 12
"""Rows of favourites that are shown of one child and prompt."""
_STOPS = (3, 5, 7, 10, 15, 20, 40, 100)
"""Numbers of tokens at which p is told."""

_TESTS = {
    "B1": "B1: are the answers to the same token more alike than the answers to two different ones?",
    "B2": "B2: are they more alike than the token's spelling explains?",
    "gate": "Gate: were these tokens never trained? If they were, B1 proves nothing.",
}
"""What the tests ask, by how the name of a rung begins."""


def describe(request: FindLineage) -> str:
    """'find which of mynah, lyrebird mynah-instruct comes from'."""
    if request.published:
        judged = dict.fromkeys(row.child for row in request.published)
        return f"judge the published tables of {', '.join(map(prose, judged))}"
    children, bases = (", ".join(map(prose, each)) for each in (request.children, request.bases))
    return f"find which of {bases} {children} comes from{_options(request)}"


def _options(request: FindLineage) -> str:
    """What is asked beyond the verdicts, or not as usual."""
    said = []
    if request.chat != "never":
        said.append("in the chat format")
    if request.samples:
        said.append(f"with {count(request.samples, 'sample')} a token")
    return "".join(f", {each}" for each in said)


def summarise(outcome: Lineage) -> str:
    """Each child with what it is related to."""
    if outcome.published:
        return summarise_published(outcome)
    said = []
    for child in dict.fromkeys(pair.child for pair in outcome.pairs):
        pairs = [pair for pair in outcome.pairs if pair.child == child]
        related = [pair for pair in pairs if pair.verdict == "related"]
        if related:
            found = ", ".join(
                f"{prose(pair.candidate)} (r {number(pair.r, 2)}, p {format_p(pair.p_holm)})" for pair in related
            )
        else:
            found = "cannot tell" if any(pair.verdict == "cannot tell" for pair in pairs) else "none of these"
        said.append(f"{prose(child)}: {found}")
    return "; ".join([*said, *summarise_children(outcome)])


def blocks(request: FindLineage, outcome: Lineage) -> Iterable[Block]:
    """The matrix of verdicts, the rungs of each pair, and the favourites in the form of the posts."""
    if outcome.published:
        yield from of_all(outcome)
        return
    yield verdict_table(request, outcome)
    yield from of_all(outcome)
    yield _less_child(_reasons(outcome.pairs), request)
    yield from _favourites(outcome.favourites)
    yield _less_child(_rungs(outcome.pairs), request)


def of_all(outcome: Lineage) -> Iterable[Block]:
    """What is said of no single pair."""
    yield from published_blocks(outcome)
    for said in outcome.closest:
        yield Words(prose(said))
    for note in outcome.notes:
        yield Words(prose(note), warns=True)
    yield from of_children(outcome)
    yield from tree_blocks(outcome.tree)


def of_pair(outcome: Lineage, pair: LineagePair) -> Iterable[Block]:
    """All that was found of one child and candidate."""
    names = f"{prose(pair.child)} and {prose(pair.candidate)}"
    by = f" (by {pair.rung})" if pair.rung else ""
    yield Words(f"{names}: {pair.verdict}{by}: {prose(pair.reason)}. Gate: {prose(pair.gate)}.")
    yield Words(" ".join(words for test, words in _TESTS.items() if pair.rung.startswith(test) or test == "gate"))
    if pair.falling:
        yield Words(f"p as tokens are added: {_falling(pair)}")
    if outcome.favourites:
        yield Words("In brackets the lift: nats above the mean after the other tokens.")
    yield from _favourites([_of_base(each, pair.candidate) for each in outcome.favourites if each.child == pair.child])
    if pair.own:
        yield _own_and_others(pair)
    tests = _rungs([pair])
    if tests.rows:
        yield msgspec.structs.replace(tests, heads=tests.heads[2:], rows=tuple(row[2:] for row in tests.rows))


def of_none(outcome: Lineage, child: str) -> Iterable[Block]:
    """Why a child does or does not come from none of its candidates."""
    pairs = [pair for pair in outcome.pairs if pair.child == child]
    said = {
        "yes": "no candidate is related to it",
        "no": "a candidate is related to it",
        "cannot tell": "no candidate is known to be related to it, and of one or more nothing can be told",
    }
    yield Words(f"{prose(child)}: {said[_none_of(pairs)]}")
    table = _reasons(pairs)
    yield msgspec.structs.replace(table, heads=table.heads[1:], rows=tuple(row[1:] for row in table.rows))


def _falling(pair: LineagePair) -> str:
    last = len(pair.falling) + 1
    counts = dict.fromkeys([*(each for each in _STOPS if each < last), last])
    return ", ".join(f"{each} tokens {format_p(pair.falling[each - 2])}" for each in counts)


def _of_base(favourite: Favourite, base: str) -> Favourite:
    return msgspec.structs.replace(favourite, bases=tuple(each for each in favourite.bases if each.base == base))


def _own_and_others(pair: LineagePair) -> Table:
    rows = tuple(
        (hex_text(token), number(own, 3), number(other, 3))
        for token, own, other in zip(pair.token_bytes, pair.own, pair.others, strict=True)
    )
    heads = ("token", "with its own answer", "with the others'")
    return Table(heads, rows, right=frozenset(heads[1:]), title="how alike the answers are, in units of the null")


def _less_child(table: Table, request: FindLineage) -> Table:
    """Without the column that names the child, where there is one alone: its name then stands in the title."""
    if len(request.children) != 1:
        return table
    title = f"{prose(request.children[0])}: {table.title}" if table.title else prose(request.children[0])
    return msgspec.structs.replace(table, heads=table.heads[1:], rows=tuple(row[1:] for row in table.rows), title=title)


def verdict_rows(outcome: Lineage) -> list[tuple[str, LineagePair | None]]:
    """What each row of the matrix is about: a child, and a candidate or none of them."""
    rows: list[tuple[str, LineagePair | None]] = []
    for child in dict.fromkeys(pair.child for pair in outcome.pairs):
        rows += [(child, pair) for pair in outcome.pairs if pair.child == child]
        rows.append((child, None))
    return rows


def verdict_table(request: FindLineage, outcome: Lineage) -> Table:
    """The matrix of verdicts: a row for each child and candidate, and one for none of them."""
    return _less_child(_verdicts(request, outcome), request)


def _verdicts(request: FindLineage, outcome: Lineage) -> Table:
    rows: list[tuple[str, ...]] = []
    strong: set[int] = set()
    for child, pair in verdict_rows(outcome):
        unrelated = _none_of([each for each in outcome.pairs if each.child == child])
        if unrelated == "yes" if pair is None else pair.verdict == "related":
            strong.add(len(rows))
        rows.append(_verdict_row(pair) if pair else (prose(child), "none of these", unrelated, *[""] * 7))
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
        format_p(pair.p),
        format_p(pair.p_holm),
        f"{pair.tokens}",
    )


def _reasons(pairs: Sequence[LineagePair]) -> Table:
    rows = tuple((prose(pair.child), prose(pair.candidate), prose(pair.reason), prose(pair.gate)) for pair in pairs)
    return Table(("child", "candidate", "in words", "gate"), rows)


def _favourites(favourites: Sequence[Favourite]) -> Iterable[Table]:
    """A table for each child and prompt: what it says after each token, what each base gives that, and how much more
    than after the other tokens."""
    for child, template in dict.fromkeys((each.child, each.template) for each in favourites):
        found = [each for each in favourites if (each.child, each.template) == (child, template)]
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


def _rungs(pairs: Sequence[LineagePair]) -> Table:
    rows = tuple(
        (prose(pair.child), prose(pair.candidate), prose(rung.name), prose(rung.null), format_p(rung.p),
         number(rung.z, 3), "–" if rung.fixed is None else f"{rung.fixed}/{rung.tokens}",
         number(rung.effect, 3), prose(rung.said))
        for pair in pairs
        for rung in pair.rungs
    )  # fmt: skip
    heads = ("child", "candidate", "test", "permuted under the null", "p", "z", "matched", "effect", "said")
    return Table(heads, rows, right=frozenset({"p", "z", "matched", "effect"}), title="every test")
