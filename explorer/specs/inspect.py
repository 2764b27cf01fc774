"""Details: everything known of one token."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from explorer.base.records.inspect import FindToken, InspectToken, TokenDetail, TokenFound
from explorer.base.records.plain import to_plain
from explorer.base.records.tokens import TokenRow
from explorer.specs.blocks import Block, Table, hex_text, number, prose, token_text
from explorer.specs.command_line import Asked, Row, Verb, add_token
from explorer.specs.merges import merge_facts
from explorer.specs.spec import Spec, Tab
from explorer.specs.vocabulary import percent

NAMED = 8
"""Tokens named where many swallow or contain this one."""


def describe(request: InspectToken) -> str:
    """'inspect token 742 of mynah'."""
    return f"inspect token {_named(request)} of {prose(request.model)}"


def _named(request: FindToken | InspectToken) -> str:
    return hex_text(request.token_bytes) if request.token_id is None else str(request.token_id)


def summarise(outcome: TokenDetail) -> str:
    """The token, its category, and what a zoo card says of it."""
    truth = f", {prose(outcome.ground_truth)}" if outcome.ground_truth else ""
    return f"{token_text(outcome.row)}, {outcome.row.category}{truth}"


def blocks(request: InspectToken, outcome: TokenDetail) -> Iterable[Block]:
    """A line a fact, then the indicators."""
    row = outcome.row
    title = f"{prose(outcome.model)}: token {row.token_id} {token_text(row)}"
    yield Table(("fact", "value"), tuple(_facts(outcome)), title=title)
    heads = ("indicator", "value", "percentile", "robust z")
    rows = tuple(
        (prose(name), number(value), percent(row.percentiles.get(name)), number(row.robust_z.get(name), 3))
        for name, value in row.indicators.items()
    )
    yield Table(heads, rows, right=frozenset(heads[1:]))


def _facts(outcome: TokenDetail) -> Iterable[tuple[str, str]]:
    row = outcome.row
    yield "category", row.category
    yield "bytes", bytes.fromhex(row.token_bytes).hex(" ") or "(none)"
    yield from merge_facts(outcome, NAMED)
    if outcome.is_unused_reference:
        yield "reference token", "yes"
    for fact in outcome.published:
        yield prose(fact.list_name), prose(f"{fact.statement} ({fact.model})")
    if outcome.quantisation:
        yield "weights", prose(f"quantised: {outcome.quantisation}")
    if outcome.ground_truth:
        yield "zoo card", prose(outcome.ground_truth)


def subject_of(request: InspectToken, outcome: Any) -> TokenRow | None:
    """The token itself."""
    return outcome.row if isinstance(outcome, TokenDetail) else None


def _arguments(parser: ArgumentParser) -> None:
    add_token(parser, required=True)


def _requests(asked: Asked) -> Iterable[InspectToken]:
    for model, token_id in zip(asked.models, asked.token_ids, strict=True):
        yield InspectToken(model=model.name, token_id=token_id)


def _json_rows(outcome: TokenDetail) -> Iterable[Row]:
    plain = to_plain(outcome)
    del plain["kind"]
    yield {"model": plain.pop("model"), **plain.pop("row"), **plain}


DETAIL = Tab(
    name="detail",
    title="Details",
    pane="explorer.tui.panes.detail.pane:DetailPane",
    help="Everything known of the selected token.",
    side="left",
)

SPECS = (
    Spec(
        request=FindToken,
        outcome=TokenFound,
        describe=lambda request: f"find token {_named(request)} of {prose(request.model)}",
        summarise=lambda outcome: f"token {outcome.token.token_id}",
        answer="explorer.engine.answers.inspect:answer_find",
        needs=lambda request: frozenset({"vocabulary"}),
        recorded=False,
        tab=DETAIL,
    ),
    Spec(
        request=InspectToken,
        outcome=TokenDetail,
        describe=describe,
        summarise=summarise,
        blocks=blocks,
        answer="explorer.engine.answers.inspect:answer",
        needs=lambda request: frozenset({"vocabulary"}),
        token="token_id",
        subject=subject_of,
        rows=lambda outcome: (outcome.row,),
        verb=Verb(
            name="inspect",
            help="show everything known of one token",
            arguments=_arguments,
            requests=_requests,
            token="each",
            examples=(
                ("zoo:mynah --token ' the'", "one token by its text"),
                ("zoo:mynah --token-id 0-9 --json", "ten"),
            ),
        ),
        json_rows=_json_rows,
        tab=DETAIL,
        selects_model=True,
        holds_indicators=True,
    ),
)
