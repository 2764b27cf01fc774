"""A vocabulary with its indicators, and views of it: filtered, sorted, a window of the rows."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from explorer.base.records.plain import to_plain
from explorer.base.records.tokens import CATEGORIES, INDICATORS, TokenRow
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.specs.blocks import Block, Table, Words, count, number, prose, token_text
from explorer.specs.command_line import INDICATOR_LIST, Asked, Row, Verb, ids, positive
from explorer.specs.comparing.rankings import ask_ranking_again, compare_rankings
from explorer.specs.spec import Spec, Tab
from explorer.specs.token_lists import add_lists

SHOWN = 3
"""Indicators shown beside a token."""

# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────


def describe_ranking(request: RankTokens) -> str:
    """'rank the tokens of mynah by input_norm, filter magik'."""
    order = f"by {prose(request.sort) or 'the default indicator'}{', descending' if request.descending else ''}"
    kept = [f"filter {prose(request.filter)}"] if request.filter else []
    kept += [f"category {request.category}"] if request.category else []
    return ", ".join([f"rank the tokens of {prose(request.model)} {order}", *kept])


def summarise_ranking(outcome: RankedTokens) -> str:
    """How many tokens pass, and the first."""
    first = f", first {token_text(outcome.rows[0])}" if outcome.rows else ""
    return f"{outcome.matching:,} of {outcome.total:,} tokens{first}"


def ranking_blocks(request: RankTokens, outcome: RankedTokens) -> Iterable[Block]:
    """The rule for the default indicator where nobody chose one, the rows, and remarks on the vocabulary."""
    if outcome.default_rule and not request.sort:
        yield Words(prose(outcome.default_rule))
    names = shown_indicators(outcome)
    place = (f"percentile of {names[0]}",) if names else ()
    heads = ("place", "id", "token", "category", *names, *place)
    rows = tuple(
        (f"{request.first + at + 1:,}", str(row.token_id), token_text(row), row.category,
         *(number(row.indicators.get(name)) for name in names),
         *(percent(row.percentiles.get(name)) for name in names[:1]))
        for at, row in enumerate(outcome.rows)
    )  # fmt: skip
    strong = frozenset() if request.cursor is None else frozenset({request.cursor - request.first})
    head = f"{prose(outcome.model)}: {outcome.matching:,} of {outcome.total:,} tokens, by {prose(outcome.sort)}"
    yield Table(heads, rows, right=frozenset(heads) - {"token", "category"}, strong=strong, title=head)
    yield from (Words(prose(note), warns=True) for note in outcome.notes)


def shown_indicators(outcome: RankedTokens) -> tuple[str, ...]:
    """The indicator sorted by, though no row may hold it, then the first others of the rows, in column order."""
    from explorer.tables.table import PLAIN_SORTS  # NumPy, which the first paint does not wait for

    held = dict.fromkeys(name for row in outcome.rows for name in row.indicators)
    ordered = [name for name in INDICATORS if name in held] + [name for name in held if name not in INDICATORS]
    first = [outcome.sort] if outcome.sort not in ("", *PLAIN_SORTS) else []
    return tuple(dict.fromkeys((*first, *ordered)))[:SHOWN]


def percent(value: float | None) -> str:
    """A percentile with one decimal; a dash where there is none."""
    return "–" if value is None else f"{value:.1f}"


# ── in a session ──────────────────────────────────────────────────────────────────────────────────────────


def subject_of(request: RankTokens, outcome: Any) -> TokenRow | None:
    """The row under the cursor."""
    if not isinstance(outcome, RankedTokens):
        return None
    place = (request.cursor if request.cursor is not None else request.first) - request.first
    return outcome.rows[place] if 0 <= place < len(outcome.rows) else None


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--sort",
        default="",
        metavar="NAME",
        help=f"id, token, category, bytes, or an indicator: {INDICATOR_LIST} (default: by a rule that is printed)",
    )
    parser.add_argument("--descending", action="store_true", help="the highest first")
    parser.add_argument("--top", type=positive, default=50, metavar="N", help="how many rows (default 50)")
    parser.add_argument("--filter", default="", metavar="RE", help="a regular expression on the token's text")
    parser.add_argument("--where", default="", metavar="FILTER", help="a filter: 'cat:ok pct:input_norm<2'")
    parser.add_argument("--category", choices=CATEGORIES, help="only tokens of one category")
    add_lists(parser)
    parser.add_argument("--unused-ids", type=ids, metavar="IDS", help="ids of the reference tokens: 5,9-12")


def _requests(asked: Asked) -> Iterable[RankTokens]:
    given = asked.arguments
    pattern = "/" + given.filter.replace("/", r"\/") + "/" if given.filter else ""
    for model in asked.models:
        yield RankTokens(
            model=model.name,
            sort=given.sort,
            descending=given.descending,
            filter=" ".join(part for part in (pattern, given.where) if part),
            category=given.category,
            top=given.top,
            unused_ids=given.unused_ids,
        )


def _json_rows(outcome: RankedTokens) -> Iterable[Row]:
    for row in outcome.rows:
        yield {"model": outcome.model, **to_plain(row)}


TOKENS = Tab(
    name="tokens",
    title="Tokens",
    pane="explorer.tui.panes.tokens.pane:TokenPane",
    help="The token table: every token of the model with its indicators.",
    side="left",
    number=1,
)

SPECS = (
    Spec(
        request=ReadVocabulary,
        outcome=VocabularyColumns,
        describe=lambda request: f"read the vocabulary of {prose(request.model)}",
        summarise=lambda outcome: count(outcome.offsets.shape[0] - 1, "token"),
        answer="explorer.engine.answers.vocabulary:answer_read",
        needs=lambda request: frozenset({"vocabulary"}),
        recorded=False,
        tab=TOKENS,
    ),
    Spec(
        request=RankTokens,
        outcome=RankedTokens,
        describe=describe_ranking,
        summarise=summarise_ranking,
        blocks=ranking_blocks,
        answer="explorer.engine.answers.vocabulary:answer_rank",
        needs=lambda request: frozenset({"vocabulary"}),
        subject=subject_of,
        rows=lambda outcome: outcome.rows,
        compare=compare_rankings,
        ask_again=ask_ranking_again,
        verb=Verb(
            name="tokens",
            help="rank the vocabulary by an indicator",
            arguments=_arguments,
            requests=_requests,
            examples=(
                ("zoo:mynah --top 20", "the 20 tokens lowest by the default indicator"),
                ("zoo:mynah --where 'cat:ok pct:input_norm<2'", "whole tokens of the lowest 2 % by one indicator"),
            ),
        ),
        json_rows=_json_rows,
        tab=TOKENS,
        selects_model=True,
        holds_indicators=True,
    ),
)
