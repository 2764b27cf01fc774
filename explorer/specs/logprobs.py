"""Log-probabilities of the next token: targets by models, and each model's likeliest tokens."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import Any

from explorer.base.numbers import format_entropy, format_logprob, format_logprob_and_percent
from explorer.base.records.logprobs import LogprobCell, LogprobColumn, LogprobTable, ReadLogprobs
from explorer.base.records.plain import to_plain
from explorer.base.records.tokens import TokenRef, TokenRow, bare_row
from explorer.base.templates import SLOT, find_template
from explorer.base.text import visible
from explorer.specs.blocks import Block, Quote, Table, Words, count, prose, token_text
from explorer.specs.command_line import TEMPLATE_LIST, Asked, Row, Verb, add_token, positive
from explorer.specs.spec import Spec, Tab

# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────


def describe(request: ReadLogprobs) -> str:
    """'logprobs of 3 targets after repeat-1 with token 742 in mynah, lyrebird'."""
    models = ", ".join(prose(model) for model in request.models)
    prompt = f"'{prose(request.prompt)}'" if request.template is None else prose(request.template.name)
    slot = "" if request.token_id is None else f" with token {request.token_id}"
    wanted = count(len(request.targets), "target") if request.targets else f"top {request.top_k}"
    return f"logprobs of {wanted} after {prompt}{slot} in {models}"


def summarise(outcome: LogprobTable) -> str:
    """How many targets and models, and each model's likeliest token."""
    best = [
        f"{prose(column.model)} {token_text(column.top[0].token)} {format_logprob(column.top[0].logprob)}"
        for column in outcome.columns
        if column.top
    ]
    size = f"{count(len(outcome.targets), 'target')} × {count(len(outcome.columns), 'model')}"
    return f"{size}; first: {', '.join(best)}" if best else size


def blocks(request: ReadLogprobs, outcome: LogprobTable) -> Iterable[Block]:
    """Each prompt with the models that read it, the targets, and the likeliest tokens; one target with models down."""
    return _blocks(outcome, models_down=len(outcome.targets) == 1)


def chosen_blocks(given: Namespace, request: ReadLogprobs, outcome: LogprobTable) -> Iterable[Block]:
    """The same, models down where the options ask for it."""
    return _blocks(outcome, models_down=True) if given.models_down else blocks(request, outcome)


def _blocks(outcome: LogprobTable, *, models_down: bool) -> Iterable[Block]:
    yield from _prompts(outcome)
    yield _models_down(outcome) if models_down else _models_across(outcome)
    deepest = max((len(column.top) for column in outcome.columns), default=0)
    if deepest:
        tops = tuple(tuple(_top_text(column.top, place) for column in outcome.columns) for place in range(deepest))
        yield Table(tuple(f"likeliest in {prose(column.model)}" for column in outcome.columns), tops)


def _models_across(outcome: LogprobTable) -> Table:
    models = tuple(prose(column.model) for column in outcome.columns)
    rows = [
        (target_text(outcome, place), *(cell_text(column.cells[place]) for column in outcome.columns))
        for place in range(len(outcome.targets))
    ]
    rows.append(("entropy (nats)", *(format_entropy(column.entropy) for column in outcome.columns)))
    return Table(("target", *models), tuple(rows), right=frozenset(models))


def _models_down(outcome: LogprobTable) -> Table:
    """`text-ada-001  'Re'  -1.410 / 24.43%`: a row for each model under each target."""
    rows = [
        (
            prose(column.model),
            f"'{target_text(outcome, place)}'",
            cell_text(column.cells[place]),
            rank_text(column, place),
        )
        for place in range(len(outcome.targets))
        for column in outcome.columns
    ]
    rows += [(prose(column.model), "entropy (nats)", format_entropy(column.entropy), "") for column in outcome.columns]
    return Table(("model", "target", "logprob / prob", "rank"), tuple(rows), right=frozenset({"rank"}))


def _prompts(outcome: LogprobTable) -> Iterable[Block]:
    """Models that read different prompts are never shown under one."""
    readers: dict[str, list[str]] = {}
    for column in outcome.columns:
        readers.setdefault(column.prompt, []).append(prose(column.model))
    for prompt, models in readers.items():
        if len(readers) > 1:
            yield Words(f"{', '.join(models)} read:")
        yield Quote(prose(prompt))


def target_text(outcome: LogprobTable, place: int) -> str:
    """A target as a screen may show it; its id in brackets where it has no text."""
    target = outcome.targets[place]
    ids = outcome.columns[0].cells[place].target_ids if outcome.columns else ()
    return visible(target) if target or not ids else f"⟨{ids[0]}⟩"


def cell_text(cell: LogprobCell) -> str:
    """`-1.410 / 24.43%`, `≤ ` before an upper bound, with the number of tokens where the target is several."""
    several = f" Σ{len(cell.target_ids)}" if len(cell.target_ids) > 1 else ""
    return format_logprob_and_percent(cell.logprob, at_most=cell.bound == "at_most") + several


def rank_text(column: LogprobColumn, place: int) -> str:
    """`#0` for the likeliest token; nothing where the rank is not known."""
    rank = column.cells[place].rank
    return "" if rank is None else f"#{rank:,}"


def _top_text(top: tuple[Any, ...], place: int) -> str:
    if place >= len(top):
        return ""
    return f"{token_text(top[place].token)}  {format_logprob_and_percent(top[place].logprob)}"


def subject_of(request: ReadLogprobs, outcome: Any) -> TokenRow | None:
    """The token in the prompt's slot."""
    if request.token_id is None:
        return None
    return bare_row(TokenRef(token_id=request.token_id, token_bytes="", text=""))


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────


def _arguments(parser: ArgumentParser) -> None:
    add_token(parser, required=False)
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--prompt", metavar="TEXT", help=f"free text; {SLOT} in it is the token")
    form.add_argument("--template", metavar="NAME", help=f"{TEMPLATE_LIST}; with a token")
    parser.add_argument("--target", action="append", default=[], metavar="TEXT", help="a target; may be repeated")
    parser.add_argument(
        "--top", type=positive, metavar="K", help="also the first model's K likeliest tokens (10 without --target)"
    )
    parser.add_argument(
        "--models-down",
        action="store_true",
        help="a line for each model and target, instead of a column for each model",
    )
    parser.add_argument("--plain", action="store_true", help="no chat template, also for instruct models")


def _requests(asked: Asked) -> Iterable[ReadLogprobs]:
    given = asked.arguments
    yield ReadLogprobs(
        models=tuple(model.name for model in asked.models),
        prompt=given.prompt or "",
        template=find_template(given.template, asked.settings.templates) if given.template else None,
        token_id=asked.token_ids[0],
        token_is_target=asked.token_ids[0] is not None,
        targets=tuple(given.target),
        top_of=asked.models[0].name if given.top is not None else "",
        top_k=10 if given.top is None else given.top,
        chat="never" if given.plain else "auto",
    )


def _json_rows(outcome: LogprobTable) -> Iterable[Row]:
    for column in outcome.columns:
        for cell in column.cells:
            yield {
                "model": column.model,
                "target": cell.target,
                "target_ids": list(cell.target_ids),
                "logprob": to_plain(cell.logprob),
                "prob": math.exp(cell.logprob),
                "rank": cell.rank,
                "entropy": to_plain(column.entropy),
                **({} if cell.bound == "exact" else {"bound": cell.bound}),
            }


LOGPROBS = Tab(
    name="logprobs",
    title="Logprobs",
    short_title="Logp…",
    pane="explorer.tui.panes.logprobs.pane:LogprobsPane",
    help="Log-probabilities of the next token across the loaded models.",
    number=3,
    key="l",
    command="logprobs",
    command_title="logprobs",
    command_help="Read next-token log-probabilities across the loaded models.",
)

SPECS = (
    Spec(
        request=ReadLogprobs,
        outcome=LogprobTable,
        describe=describe,
        summarise=summarise,
        blocks=blocks,
        answer="explorer.engine.answers.logprobs:answer",
        needs=lambda request: frozenset({"vocabulary", "next_tokens"}),
        models=("models", "top_of"),
        token="token_id",
        subject=subject_of,
        verb=Verb(
            name="logprobs",
            help="read next-token log-probabilities across models",
            arguments=_arguments,
            requests=_requests,
            blocks=chosen_blocks,
            token="first",
            examples=(
                (
                    "zoo:mynah zoo:mynah-instruct --template word-is --token-id 907 --target ' the'",
                    "the log-probability of a target after a template, in two models",
                ),
                ("zoo:mynah --prompt 'Once upon a' --top 5", "the five likeliest next tokens of a free prompt"),
            ),
        ),
        json_rows=_json_rows,
        tab=LOGPROBS,
        selects_model=True,
    ),
)
