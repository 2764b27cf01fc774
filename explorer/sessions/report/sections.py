"""What a report says of each step, as blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from explorer.base.numbers import format_logprob_and_percent
from explorer.base.records.inspect import TokenDetail
from explorer.base.records.logprobs import LogprobTable
from explorer.base.records.models import ModelCatalogue, Roster
from explorer.base.records.neighbours import Neighbourhood
from explorer.base.records.notes import WriteNote
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBackResult, TokenReplies
from explorer.base.records.self_test import SelfTestResult
from explorer.base.records.speakability import SpeakabilityResult
from explorer.base.records.tokens import INDICATORS
from explorer.base.records.unions import Cancelled, Step
from explorer.base.records.verification import VerdictEvidence, VerificationResult
from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.base.text import visible
from explorer.sessions.report.section import Section
from explorer.sessions.report.speakability import speakability_blocks
from explorer.sessions.report.verification import evidence_blocks, self_test_blocks, verification_blocks
from explorer.specs import neighbours
from explorer.specs.blocks import Block, Quote, Table, Words, number, prose, token_text
from explorer.specs.describe import describe, summarise


def section_of(step: Step) -> Section:
    """What the report says of one step."""
    request, outcome = step.request, step.outcome
    place, at, title = step.number, prose(step.at), describe(request)
    if isinstance(outcome, Failure | Cancelled):
        blocks: list[Block] = [Words(summarise(outcome), warns=True)]
        if isinstance(outcome, Failure) and outcome.hint:
            blocks.append(Words(prose(outcome.hint)))
        elif isinstance(outcome, Cancelled) and outcome.partial is not None:
            blocks += _blocks(step, outcome.partial)
        return Section(place, at, title, "", "trouble", tuple(blocks))
    if isinstance(request, WriteNote):
        about = describe(WriteNote(text="", step=request.step, model=request.model, token_id=request.token_id))
        lines = tuple(Words(prose(line)) for line in request.text.splitlines() if line.strip())
        return Section(place, at, about.rstrip(": "), "", "note", lines, tuple(map(prose, request.tags)))
    return Section(place, at, title, summarise(outcome), "answer", _blocks(step, outcome))


def _blocks(step: Step, outcome: Any) -> tuple[Block, ...]:
    makers: dict[type, Callable[[Step, Any], Iterable[Block]]] = {
        RankedTokens: _ranking,
        TokenDetail: _detail,
        RepeatBackResult: _replies,
        LogprobTable: _logprobs,
        Neighbourhood: lambda step, found: _neighbours(step.request, found),
        Roster: lambda step, roster: [models_table(roster.models)],
        ModelCatalogue: _catalogue,
        VerificationResult: lambda step, found: verification_blocks(found),
        VerdictEvidence: lambda step, found: evidence_blocks(found),
        SelfTestResult: lambda step, found: self_test_blocks(found),
        SpeakabilityResult: lambda step, found: speakability_blocks(found),
    }
    maker = makers.get(type(outcome))
    return () if maker is None else tuple(maker(step, outcome))


def models_table(infos: Sequence[Any]) -> Table:
    """Loaded models, with what says whether another one is the same."""
    heads = ("model", "source", "architecture", "vocabulary", "dtype", "device", "weights", "tokenizer")
    return Table(
        heads,
        tuple(
            (prose(info.name), prose(info.source), prose(info.architecture), f"{info.vocab_size:,} × {info.d_model:,}",
             prose(info.dtype), prose(info.device), prose(info.weights_digest)[:12], prose(info.tokenizer_digest)[:12])
            for info in infos
        ),
        right=frozenset({"vocabulary"}),
    )  # fmt: skip


def _ranking(step: Step, outcome: RankedTokens) -> Iterable[Block]:
    held = dict.fromkeys(name for row in outcome.rows for name in row.indicators)
    names = [name for name in INDICATORS if name in held]
    names = ([outcome.sort] if outcome.sort in names else []) + [name for name in names if name != outcome.sort]
    names = names[:3]
    first, cursor = (step.request.first, step.request.cursor) if isinstance(step.request, RankTokens) else (0, None)
    heads = ("place", "id", "token", "category", *names, "percentile")
    rows = tuple(
        (f"{first + place + 1:,}", str(row.token_id), token_text(row), row.category,
         *(number(row.indicators.get(name)) for name in names),
         _percent(row.percentiles.get(names[0]) if names else None))
        for place, row in enumerate(outcome.rows)
    )  # fmt: skip
    strong = frozenset() if cursor is None else frozenset({cursor - first})
    if outcome.default_rule:
        yield Words(prose(outcome.default_rule))
    yield Table(heads, rows, right=frozenset(heads) - {"token", "category"}, strong=strong)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _detail(step: Step, outcome: TokenDetail) -> Iterable[Block]:
    row = outcome.row
    facts = [("bytes", bytes.fromhex(row.token_bytes).hex(" ")), ("category", row.category)]
    for name, refs in (
        ("made from", outcome.merge_parents),
        ("re-encodes to", outcome.reencodes_to),
        (f"part of {outcome.contained_in_count:,} tokens", outcome.contained_in),
    ):
        if refs:
            facts.append((name, "  ".join(f"{token_text(ref)} {ref.token_id}" for ref in refs)))
    facts += [(prose(fact.list_name), prose(f"{fact.statement} ({fact.model})")) for fact in outcome.published]
    if outcome.ground_truth:
        facts.append(("zoo card", prose(outcome.ground_truth)))
    yield Table(("fact", "value"), tuple(facts))
    heads = ("indicator", "value", "percentile", "robust z")
    rows = tuple(
        (prose(name), number(value), _percent(row.percentiles.get(name)), number(row.robust_z.get(name)))
        for name, value in row.indicators.items()
    )
    yield Table(heads, rows, right=frozenset(heads[1:]))


def _replies(step: Step, outcome: RepeatBackResult) -> Iterable[Block]:
    yield Quote(prose(outcome.probe.prompt))
    if not outcome.probe.reencodes:
        yield Words("The text of this prompt would be tokenised otherwise; the ids were put in directly.", warns=True)
    probes = (outcome.probe, *outcome.controls)
    heads = ("token", "reply", "outcome", "logprob / prob", "rank")
    rows = tuple(
        (
            token_text(probe.token) + ("" if probe is outcome.probe else " (control)"),
            prose(reply.reply) or "(nothing)",
            reply.outcome,
            "–" if reply.token_logprob is None else format_logprob_and_percent(reply.token_logprob),
            "–" if reply.token_rank is None else f"{reply.token_rank:,}",
        )
        for probe in probes
        for reply in probe.replies
    )
    own = frozenset(range(len(outcome.probe.replies)))
    yield Table(heads, rows, right=frozenset({"logprob / prob", "rank"}), strong=own)
    yield Words("; ".join(_share(probe) for probe in probes))


def _share(probe: TokenReplies) -> str:
    low, high = probe.interval
    return f"{token_text(probe.token)} exact {probe.exact}/{len(probe.replies)} [{low:.2f}, {high:.2f}]"


def _logprobs(step: Step, outcome: LogprobTable) -> Iterable[Block]:
    if outcome.columns:
        yield Quote(prose(outcome.columns[0].prompt))
    models = tuple(prose(column.model) for column in outcome.columns)
    rows = [
        (visible(target), *(format_logprob_and_percent(column.cells[place].logprob) + _several(column.cells[place])
                            for column in outcome.columns))
        for place, target in enumerate(outcome.targets)
    ]  # fmt: skip
    rows.append(("entropy (nats)", *(f"{column.entropy:.3f}" for column in outcome.columns)))
    yield Table(("target", *models), tuple(rows), right=frozenset(models))
    heads = tuple(f"likeliest in {model}" for model in models)
    deepest = max((len(column.top) for column in outcome.columns), default=0)
    tops = tuple(
        tuple(
            f"{token_text(column.top[place].token)}  {format_logprob_and_percent(column.top[place].logprob)}"
            if place < len(column.top)
            else ""
            for column in outcome.columns
        )
        for place in range(deepest)
    )
    if tops:
        yield Table(heads, tops)


def _several(cell: Any) -> str:
    return f" Σ{len(cell.target_ids)}" if len(cell.target_ids) > 1 else ""


def _neighbours(request: Any, outcome: Neighbourhood) -> Iterable[Block]:
    return neighbours.blocks(request, outcome)


def _catalogue(step: Step, outcome: ModelCatalogue) -> Iterable[Block]:
    rows = tuple((prose(entry.source), entry.origin, prose(entry.description)) for entry in outcome.entries)
    yield Table(("source", "from", "description"), rows)
