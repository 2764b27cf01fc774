"""Published lists of under-trained tokens: matched with a model's vocabulary, flagged and scored."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from explorer.base.records.token_lists import MatchTokenList, TokenListMatched
from explorer.specs.blocks import Block, Words, count, prose
from explorer.specs.spec import Spec

HELP = "a published list: magikarp's report (.md) or verification file (.jsonl, .gz), or .csv; flag:published finds it"


def add_lists(parser: ArgumentParser) -> None:
    """`--list FILE`, which may be repeated."""
    parser.add_argument("--list", dest="lists", action="append", default=[], metavar="FILE", help=HELP)


def describe(request: MatchTokenList) -> str:
    """'match the 1,276 tokens of gemma_3_12b_it.md with mynah'."""
    return f"match the {count(len(request.tokens), 'token')} of {prose(request.name)} with {prose(request.model)}"


def summarise(outcome: TokenListMatched) -> str:
    """How many of the list's tokens this vocabulary has."""
    about = f" (a list about {prose(outcome.of_model)})" if outcome.of_model else ""
    said = f"{outcome.matched:,} of {outcome.listed:,} tokens of {prose(outcome.name)}{about} are those of "
    return said + prose(outcome.model) + ("" if outcome.used else ": another tokenizer, so none is flagged")


def blocks(request: MatchTokenList, outcome: TokenListMatched) -> Iterable[Block]:
    """The same; a list about another tokenizer warns."""
    yield Words(summarise(outcome), warns=not outcome.used)


def _nothing(outcome: Any) -> Iterable[dict[str, Any]]:
    return ()


SPECS = (
    Spec(
        request=MatchTokenList,
        outcome=TokenListMatched,
        describe=describe,
        summarise=summarise,
        blocks=blocks,
        answer="explorer.engine.answers.token_lists:answer",
        needs=lambda request: frozenset({"vocabulary"}),
        json_rows=_nothing,
    ),
)
