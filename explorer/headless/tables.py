"""Outcomes as tables for a terminal. Token text goes through `visible`, as `Text`, never as markup."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from explorer.base.numbers import format_logprob, format_prob_percent
from explorer.base.records.inspect import TokenDetail
from explorer.base.records.logprobs import LogprobTable
from explorer.base.records.models import ModelCatalogue
from explorer.base.records.neighbours import Neighbourhood
from explorer.base.records.repeat_back import RepeatBackResult, TokenReplies
from explorer.base.records.tokens import TokenRef, TokenRow
from explorer.base.records.vocabulary import RankedTokens
from explorer.base.text import visible, visible_bytes
from explorer.tables.table import PLAIN_SORTS


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(Text(name), justify="right" if name in right else "left", no_wrap=True)
    return table


def _text(text: str, limit: int = 48, *, spaces: bool = True) -> Text:
    shown = visible(text, spaces=spaces)
    return Text(shown if len(shown) <= limit else shown[: limit - 1] + "…")


def _token(token: TokenRef | TokenRow, limit: int = 32) -> Text:
    shown = token_name(token)
    return Text(shown if len(shown) <= limit else shown[: limit - 1] + "…")


def token_name(token: TokenRef | TokenRow) -> str:
    """The token as one safe line; its id in brackets for padding, which has no bytes."""
    return visible_bytes(bytes.fromhex(token.token_bytes)) or _placeholder(token.token_id)


def _placeholder(token_id: int) -> str:
    return f"⟨{token_id}⟩"


def _number(value: float | None, digits: int = 5) -> Text:
    return Text("–" if value is None else f"{value:.{digits}g}")


def tokens(outcome: RankedTokens) -> Sequence[Any]:
    """The rows of a ranking, the sort column first, and the percentile in that one (else in the first)."""
    lead = () if outcome.sort in PLAIN_SORTS else (outcome.sort,)
    names = list(dict.fromkeys((*lead, *(name for row in outcome.rows for name in row.indicators))))
    shown = names[: 1 if shutil.get_terminal_size((240, 40)).columns < 100 else 3]
    places = [f"percentile of\n{name}" for name in shown[:1]]
    table = _table("id", "token", "category", *shown, *places, right=("id", *shown, *places))
    for row in outcome.rows:
        values = [_number(row.indicators.get(name)) for name in shown]
        percentiles = [_number(row.percentiles.get(name), 3) for name in shown[:1]]
        table.add_row(str(row.token_id), _token(row), row.category, *values, *percentiles)
    head = f"{outcome.model}: {outcome.matching:,} of {outcome.total:,} tokens, by {outcome.sort}"
    notes = [Text(visible(note, spaces=False), "yellow") for note in outcome.notes]
    return [Text(head), Text(outcome.default_rule, style="dim"), table, *notes]


def detail(outcome: TokenDetail) -> Sequence[Any]:
    """One token, a line a fact."""
    row = outcome.row
    facts: list[Any] = [Text.assemble(f"{outcome.model} {row.token_id} ", _token(row), f"  {row.category}")]
    facts.append(Text(f"bytes {bytes.fromhex(row.token_bytes).hex(' ') or '(none)'}"))
    for word, refs in (
        ("from", outcome.merge_parents),
        ("swallowed by", outcome.swallowed_by[:8]),
        ("re-encodes to", outcome.reencodes_to),
        (f"in {outcome.contained_in_count} others", outcome.contained_in[:8]),
    ):
        if refs:
            facts.append(Text.assemble(f"{word} ", Text("  ").join(_token(ref) for ref in refs)))
    facts += [Text(f"{fact.list_name}: {visible(fact.statement, spaces=False)}") for fact in outcome.published]
    if outcome.ground_truth:
        facts.append(Text(f"zoo card: {outcome.ground_truth}"))
    table = _table("indicator", "value", "percentile", "robust z", right=("value", "percentile", "robust z"))
    for name, value in row.indicators.items():
        table.add_row(
            name, _number(value, 6), _number(row.percentiles.get(name), 3), _number(row.robust_z.get(name), 3)
        )
    return [*facts, table]


def replies(outcome: RepeatBackResult) -> Sequence[Any]:
    """Every reply about the token and its controls."""
    lines: list[Any] = [
        Text(f"{outcome.model} · {outcome.template}"),
        _text(outcome.probe.prompt, 400, spaces=False),
    ]
    if not outcome.probe.token.token_bytes:
        places = ", ".join(str(place + 1) for place in outcome.probe.slot_positions)
        ids = len(outcome.probe.prompt_ids)
        lines.append(Text(f"{token_name(outcome.probe.token)} has no text: it is id {places} of the prompt's {ids}."))
    if not outcome.probe.reencodes:
        lines.append(
            Text("The text of this prompt would be tokenised otherwise; the ids were put in directly.", "yellow")
        )
    table = _table("token", "reply", "outcome", "finish", "logprob / prob", "rank", right=("logprob / prob", "rank"))
    for probe in (outcome.probe, *outcome.controls):
        for reply in probe.replies:
            value = "–" if reply.token_logprob is None else logprob_cell(reply.token_logprob)
            rank = "–" if reply.token_rank is None else str(reply.token_rank)
            table.add_row(
                _token(probe.token), _text(reply.reply, spaces=False), reply.outcome, reply.finish, value, rank
            )
    return [*lines, table, *(Text(_share(probe)) for probe in (outcome.probe, *outcome.controls))]


def _share(probe: TokenReplies) -> str:
    low, high = probe.interval
    return f"{token_name(probe.token)}: exact {probe.exact}/{len(probe.replies)} [{low:.2f}, {high:.2f}]"


def logprob_cell(logprob: float) -> str:
    """The field's familiar form, `-1.410 / 24.43%`."""
    return f"{format_logprob(logprob)} / {format_prob_percent(logprob)}"


def logprobs(outcome: LogprobTable) -> Sequence[Any]:
    """Targets by models."""
    models = [column.model for column in outcome.columns]
    table = _table("target", *models, right=models)
    for index, target in enumerate(outcome.targets):
        cells = []
        for column in outcome.columns:
            cell = column.cells[index]
            several = f" Σ{len(cell.target_ids)}" if len(cell.target_ids) > 1 else ""
            cells.append(Text(logprob_cell(cell.logprob) + several))
        ids = outcome.columns[0].cells[index].target_ids if outcome.columns else ()
        name = _text(target) if target or not ids else Text(_placeholder(ids[0]))
        table.add_row(name, *cells)
    table.add_row("entropy (nats)", *(Text(f"{column.entropy:.3f}") for column in outcome.columns), style="dim")
    return [_text(outcome.columns[0].prompt, 400, spaces=False), table] if outcome.columns else [table]


def neighbours(outcome: Neighbourhood) -> Sequence[Any]:
    """The nearest tokens, nearest first."""
    with_meaning = any(neighbour.meaning is not None for neighbour in outcome.neighbours)
    extra = ("meaning",) if with_meaning else ()
    table = _table("rank", "id", "token", "category", "distance", *extra, right=("rank", "id", "distance", "meaning"))
    for rank, neighbour in enumerate(outcome.neighbours, start=1):
        table.add_row(
            str(rank), str(neighbour.token.token_id), _token(neighbour.token), neighbour.category,
            _number(neighbour.distance, 6), *((_number(neighbour.meaning, 3),) if with_meaning else ()),
        )  # fmt: skip
    matrix = "W_E" if outcome.space == "input" else "W_U"
    head = Text.assemble(
        f"{outcome.model}: nearest to ", _token(outcome.subject.token), f" in {matrix}, {outcome.metric}"
    )
    return [head, table]


def catalogue(outcome: ModelCatalogue) -> Sequence[Any]:
    """What can be loaded without the network."""
    table = _table("source", "from", "MB", "description", right=("MB",))
    for entry in outcome.entries:
        size = f"{entry.size_bytes / 1e6:.1f}"
        table.add_row(_text(entry.source), entry.origin, size, _text(entry.description, 90, spaces=False))
    return [table]
