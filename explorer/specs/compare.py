"""Comparing tokens: two to eight of one model side by side, with how near they are to each other."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from explorer.base.numbers import even_decimals
from explorer.base.records.compare import FEWEST, MOST, CompareTokens, TokenComparison
from explorer.base.records.plain import to_plain
from explorer.base.records.tokens import TokenRow
from explorer.specs.blocks import Block, Table, Words, count, number, prose, token_text
from explorer.specs.command_line import Asked, Row, Verb, add_token_options
from explorer.specs.spec import Spec, Tab
from explorer.specs.vocabulary import percent

_P = "p: percentile"

# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────


def describe(request: CompareTokens) -> str:
    """'compare tokens 742, 907 of mynah'."""
    return f"compare tokens {', '.join(map(str, request.token_ids))} of {prose(request.model)}"


def summarise(outcome: TokenComparison) -> str:
    """How many, and which two are nearest by the cosine of their input embeddings."""
    texts = {row.token_id: token_text(row) for row in outcome.rows}
    return f"{count(len(outcome.rows), 'token')}{_nearest(outcome, texts, ' and ', 'cosine') or ' compared'}"


def headings(outcome: TokenComparison) -> tuple[str, ...]:
    """What stands above the tables, the fullest first: what a p means is given up last."""
    model, tokens = f"{prose(outcome.model)}: ", count(len(outcome.rows), "token")
    places = {row.token_id: f"{place}" for place, row in enumerate(outcome.rows, start=1)}
    nearest = _nearest(outcome, places, " – ", "cos")
    said = (f"{model}{summarise(outcome)}", f"{model}{tokens}{nearest}", f"{model}{tokens}", tokens)
    return (*(f"{text}; {_P}" for text in said), _P)


def _nearest(outcome: TokenComparison, names: Mapping[int, str], between: str, cosine_word: str) -> str:
    """', nearest 1 – 2, cos 0.98', the tokens by their `names`; empty where no cosine is known."""
    known = [(pair.input_cosine, pair) for pair in outcome.pairs if pair.input_cosine is not None]
    if not known:
        return ""
    cosine, pair = max(known, key=lambda entry: entry[0])
    return f", nearest {names.get(pair.first, '?')}{between}{names.get(pair.second, '?')}, {cosine_word} {cosine:.4g}"


def blocks(request: CompareTokens, outcome: TokenComparison) -> Iterable[Block]:
    """The tokens with numbers, their indicators side by side, and each two of them."""
    return comparison_blocks(request, outcome, abreast=MOST)


def comparison_blocks(
    request: CompareTokens,
    outcome: TokenComparison,
    abreast: int,
    names: Mapping[str, str] | None = None,
    *,
    titled: bool = True,
) -> Iterable[Block]:
    """The same with the indicators of at most `abreast` tokens side by side, the others below; `names`: short names of
    indicators; `titled`: with a title, where none stands above."""
    title = f"{prose(outcome.model)}: {count(len(outcome.rows), 'token')} side by side; {_P}"
    yield _tokens(request, outcome, title if titled else "")
    places = range(len(outcome.rows))
    for start in range(0, len(places), abreast):
        yield _indicators(outcome.rows, places[start : start + abreast], names or {})
    yield _pairs(outcome)
    if outcome.quantisation:
        yield Words(prose(f"quantised weights ({outcome.quantisation}), dequantised for every number"))


def _tokens(request: CompareTokens, outcome: TokenComparison, title: str) -> Table:
    known: dict[int, list[str]] = {}
    for found in request.repeated:
        known.setdefault(found.token_id, []).append(f"{prose(found.template)} exact {found.exact}/{found.samples}")
    told = ("repeat-back",) if known else ()
    rows = tuple(
        (f"{place}", str(row.token_id), token_text(row), row.category,
         *(", ".join(known.get(row.token_id, ["not asked"])) for _ in told))
        for place, row in enumerate(outcome.rows, start=1)
    )  # fmt: skip
    return Table(("#", "id", "token", "category", *told), rows, right=frozenset({"#", "id"}), title=title)


def _indicators(rows: Sequence[TokenRow], places: Sequence[int], short: Mapping[str, str]) -> Table:
    """A row for each indicator, a column for each token: its value, and its percentile after a p."""
    names = dict.fromkeys(name for row in rows for name in row.indicators)
    heads = tuple(f"{place + 1}" for place in places)
    lines = tuple((prose(short.get(name, name)), *(_cell(rows[place], name) for place in places)) for name in names)
    return Table(("indicator", *heads), lines, right=frozenset(heads))


def _cell(row: TokenRow, name: str) -> str:
    return f"{number(row.indicators.get(name), 4)} p{percent(row.percentiles.get(name)):>5}"


def _pairs(outcome: TokenComparison) -> Table:
    """Each two tokens: cosine and Euclidean distance among the input and, where they are there, output embeddings."""
    places = {row.token_id: place for place, row in enumerate(outcome.rows, start=1)}
    heads = ["cos W_E", "dist W_E"]
    heads += ["cos W_U", "dist W_U"] if any(pair.output_cosine is not None for pair in outcome.pairs) else []
    numbers = (
        (pair.input_cosine, pair.input_distance, pair.output_cosine, pair.output_distance) for pair in outcome.pairs
    )
    columns = [even_decimals(column) for column in list(zip(*numbers, strict=True))[: len(heads)]]
    names = [f"{places[pair.first]} – {places[pair.second]}" for pair in outcome.pairs]
    return Table(("pair", *heads), tuple(zip(names, *columns, strict=True)), right=frozenset(heads))


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────


def _arguments(parser: ArgumentParser) -> None:
    add_token_options(parser)


def _before(given: Namespace, error: Callable[[str], Any]) -> None:
    named = len(getattr(given, "token_id", None) or ()) + len(getattr(given, "token", None) or ())
    if not FEWEST <= named <= MOST:
        error(f"{count(named, 'token')} cannot be compared: name {FEWEST} to {MOST} of them")


def _requests(asked: Asked) -> Iterable[CompareTokens]:
    for place, model in enumerate(asked.models):
        ids = tuple(token[place] for token in asked.tokens)
        yield CompareTokens(model=model.name, token_ids=tuple(one for one in ids if one is not None))


def _json_rows(outcome: TokenComparison) -> Iterable[Row]:
    """A line for each token, then one for each pair."""
    plain = to_plain(outcome)
    yield from ({"model": outcome.model, **row} for row in plain["rows"])
    yield from ({"model": outcome.model, **pair} for pair in plain["pairs"])


COMPARE = Tab(
    name="compare",
    title="Compare",
    short_title="Com…",
    pane="explorer.tui.panes.compare.pane:ComparePane",
    help="Two to eight marked tokens side by side.",
    number=8,
    key="c",
    command="compare",
    command_title="compare",
    command_help="Compare two to eight marked tokens side by side.",
)

SPECS = (
    Spec(
        request=CompareTokens,
        outcome=TokenComparison,
        describe=describe,
        summarise=summarise,
        blocks=blocks,
        answer="explorer.engine.answers.compare:answer",
        needs=lambda request: frozenset({"vocabulary", "weights"}),
        rows=lambda outcome: outcome.rows,
        verb=Verb(
            name="compare",
            help="compare two to eight tokens: indicators, cosines and distances",
            arguments=_arguments,
            requests=_requests,
            token="together",
            before=_before,
            examples=(("zoo:mynah --token ' magic' --token-id 907,939", "three tokens side by side"),),
        ),
        json_rows=_json_rows,
        tab=COMPARE,
        selects_model=True,
        holds_indicators=True,
    ),
)
