"""File 3 of a verb: everything that is said of it, without torch and without a screen."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable

from explorer.base.records.plain import to_plain
from explorer.specs.blocks import Block, Table, count, prose
from explorer.specs.command_line import Asked, Row, Verb, positive
from explorer.specs.spec import Spec, Tab
from glitch_lengths.records import CountLengths, LengthCounts


def describe(request: CountLengths) -> str:
    """What was asked, one line."""
    return f"count the token lengths of {prose(request.model)}"


def summarise(outcome: LengthCounts) -> str:
    """What came back, one line."""
    total = sum(entry.tokens for entry in outcome.counts)
    longest = max((entry.length for entry in outcome.counts), default=0)
    return f"{count(total, 'token')} of at most {count(longest, 'byte')}"


def blocks(request: CountLengths, outcome: LengthCounts) -> Iterable[Block]:
    """The table, for the command line, for reports and for the pane."""
    rows = tuple((str(entry.length), f"{entry.tokens:,}") for entry in outcome.counts)
    yield Table(("bytes", "tokens"), rows, right=frozenset({"bytes", "tokens"}), title="Token lengths")


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--longest", type=positive, default=64, metavar="N", help="count longer tokens together")


def _requests(asked: Asked) -> Iterable[CountLengths]:
    for model in asked.models:
        yield CountLengths(model=model.name, longest=asked.arguments.longest)


def _json_rows(outcome: LengthCounts) -> Iterable[Row]:
    for entry in outcome.counts:
        yield {"model": outcome.model, **to_plain(entry)}


LENGTHS = Spec(
    request=CountLengths,
    outcome=LengthCounts,
    describe=describe,
    summarise=summarise,
    blocks=blocks,
    answer="glitch_lengths.answer:count_lengths",
    needs=lambda request: frozenset({"vocabulary"}),
    verb=Verb(name="lengths", help="count token lengths", arguments=_arguments, requests=_requests),
    json_rows=_json_rows,
    tab=Tab(
        name="lengths",
        title="Lengths",
        pane="glitch_lengths.pane:LengthsPane",
        help="How long the tokens of the vocabulary are.",
        key="L",
        command="lengths",
        command_title="lengths",
        command_help="Count the token lengths of the vocabulary.",
    ),
    selects_model=True,
)
