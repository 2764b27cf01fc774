"""Repeat-back: models are asked to repeat a token, beside ordinary tokens that are asked the same."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from typing import Any

import msgspec

from explorer.base.numbers import AT_MOST, format_logprob_and_percent
from explorer.base.records.plain import to_plain
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, Reply, ReplyClass, TokenReplies
from explorer.base.records.tokens import TokenRef, TokenRow, bare_row
from explorer.base.shares import count_said, format_said
from explorer.base.templates import SLOT, Template, check_template, find_template
from explorer.settings import Settings
from explorer.specs.blocks import Block, Quote, Table, Words, count, prose, token_text
from explorer.specs.command_line import TEMPLATE_LIST, Asked, Row, Verb, add_token, at_least_none, positive, temperature
from explorer.specs.comparing.samples import compare_replies, find_contradiction
from explorer.specs.spec import Spec, Tab

USUAL_TEMPERATURE = 0.7
"""Of several samples, where none is given."""
USUAL = "repeat-1"
"""The template, likewise."""

# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────


def describe(request: RepeatBack) -> str:
    """'repeat back token 742 on mynah, repeat-1, 8 samples at T 0.7'."""
    how = "greedy" if request.temperature == 0 else f"T {request.temperature:g}"
    samples = f"{count(request.samples, 'sample')} at {how}" if request.samples > 1 else how
    controls = f", {count(request.controls, 'control')}" if request.controls else ""
    return (
        f"repeat back token {request.token_id} on {prose(request.model)},"
        f" {prose(request.template.name)}, {samples}{controls}"
    )


def summarise(outcome: RepeatBackResult) -> str:
    """How many replies are exact, the greatest probability of the token, and the controls."""
    probe = outcome.probe
    parts = [exact_share(probe)]
    given = [(reply.token_logprob, reply.token_bound) for reply in probe.replies if reply.token_logprob is not None]
    if given:
        best, bound = max(given, key=lambda one: one[0])
        parts.append(f"P(token) {AT_MOST if bound == 'at_most' else ''}{math.exp(best):.2g}")
    if outcome.controls:
        outcomes = finished_outcomes(*outcome.controls)
        exact, said = count_said(outcomes)
        parts.append(f"controls exact {exact}/{len(outcomes)}, exact or contains {said}/{len(outcomes)}")
    return ", ".join(parts)


def exact_share(probe: TokenReplies) -> str:
    """How many replies about a token are exact, and how many exact or with the token among other words, each with the
    Wilson 95 % interval: a model that answers in a sentence says the token and is never exact."""
    return f"{token_text(probe.token)} {format_said(finished_outcomes(probe))}"


def finished_outcomes(*probes: TokenReplies) -> list[ReplyClass]:
    """The classes of the replies that were not cancelled."""
    return [reply.outcome for probe in probes for reply in probe.replies if reply.finish != "cancelled"]


def blocks(request: RepeatBack, outcome: RepeatBackResult) -> Iterable[Block]:
    """The prompt, every reply about the token and its controls, and how many are exact."""
    probe = outcome.probe
    yield Quote(prose(probe.prompt))
    if not probe.token.token_bytes:
        places = ", ".join(str(place + 1) for place in probe.slot_positions)
        ids = len(probe.prompt_ids)
        yield Words(f"{token_text(probe.token)} has no text: it is id {places} of the prompt's {ids}.")
    if not probe.reencodes:
        yield Words("The text of this prompt is tokenized to other ids; the model was given the ids.", warns=True)
    probes = (probe, *outcome.controls)
    heads = ("token", "reply", "outcome", "finish", "logprob / prob", "rank")
    rows = tuple(
        (
            token_text(each.token) + ("" if each is probe else " (control)"),
            prose(reply.reply) or "(nothing)",
            reply.outcome,
            reply.finish,
            given_text(reply),
            "–" if reply.token_rank is None else f"{reply.token_rank:,}",
        )
        for each in probes
        for reply in each.replies
    )
    own = frozenset(range(len(probe.replies)))
    title = f"{prose(outcome.model)} · {prose(outcome.template)}"
    yield Table(heads, rows, right=frozenset({"logprob / prob", "rank"}), strong=own, title=title)
    yield Words("; ".join(map(exact_share, probes)))


def given_text(reply: Reply) -> str:
    """The greatest log-probability that the token was given, `≤ ` before an upper bound."""
    if reply.token_logprob is None:
        return "–"
    return format_logprob_and_percent(reply.token_logprob, at_most=reply.token_bound == "at_most")


# ── in a session ──────────────────────────────────────────────────────────────────────────────────────────


def subject_of(request: RepeatBack, outcome: Any) -> TokenRow:
    """The token asked about; without its bytes where nothing came back."""
    if isinstance(outcome, RepeatBackResult):
        return bare_row(outcome.probe.token)
    return bare_row(TokenRef(token_id=request.token_id, token_bytes="", text=""))


def press(request: RepeatBack) -> tuple[str, RepeatBack]:
    """One press of a key asks several models the same."""
    return request.model, msgspec.structs.replace(request, model="")


def stands_beside(earlier: RepeatBack, outcome: Any, later: RepeatBack) -> bool:
    """Replies of other models about the same token stay on the screen."""
    return earlier.token_id == later.token_id


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────


def _arguments(parser: ArgumentParser) -> None:
    add_token(parser, required=True)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--template", default=USUAL, metavar="NAME", help=f"{TEMPLATE_LIST} (default {USUAL})")
    form.add_argument("--template-text", metavar="TEXT", help=f"a template of your own, with {SLOT} in it")
    parser.add_argument("--samples", type=positive, metavar="K", help="replies (default 1)", default=1)
    parser.add_argument(
        "--temperature", type=temperature, default=None, metavar="T", help="0: greedy (default; 0.7 for K > 1)"
    )
    parser.add_argument("--top-p", type=float, default=1.0, metavar="P", help="top-p of the sampling (default 1)")
    parser.add_argument("--seed", type=int, metavar="S", help="seed of the sampling (default: the settings' seed)")
    parser.add_argument("--max-new-tokens", type=positive, metavar="M", help="reply tokens (default: the template's)")
    parser.add_argument("--controls", type=at_least_none, default=0, metavar="K",
                        help="ordinary tokens that are asked the same (default 0)")  # fmt: skip
    parser.add_argument("--plain", action="store_true", help="no chat template, also for instruct models")


def chosen_template(given: Namespace, settings: Settings) -> Template:
    """The template that `--template` or `--template-text` names. Raises `TemplateError`."""
    if given.template_text is not None:
        return check_template(Template(name="own", question=given.template_text))
    return find_template(given.template, settings.templates)


def _requests(asked: Asked) -> Iterable[RepeatBack]:
    given = asked.arguments
    template = chosen_template(given, asked.settings)
    usual = USUAL_TEMPERATURE if given.samples > 1 else 0.0
    for model, token_id in zip(asked.models, asked.token_ids, strict=True):
        assert token_id is not None
        yield RepeatBack(
            model=model.name,
            token_id=token_id,
            template=template,
            samples=given.samples,
            temperature=usual if given.temperature is None else given.temperature,
            top_p=given.top_p,
            seed=asked.settings.seed if given.seed is None else given.seed,
            max_new_tokens=given.max_new_tokens,
            controls=given.controls,
            chat="never" if given.plain else "auto",
        )


def _json_rows(outcome: RepeatBackResult) -> Iterable[Row]:
    yield from _probe_rows(outcome, outcome.probe, control=False)
    for probe in outcome.controls:
        yield from _probe_rows(outcome, probe, control=True)


def _probe_rows(outcome: RepeatBackResult, probe: TokenReplies, *, control: bool) -> Iterable[Row]:
    for reply in probe.replies:
        plain = to_plain(reply)
        yield {
            "model": outcome.model,
            "template": outcome.template,
            "token_id": probe.token.token_id,
            "control": control,
            "sample": reply.sample,
            "prompt_ids": list(probe.prompt_ids),
            "reencodes": probe.reencodes,
            **{key: plain[key] for key in ("reply_ids", "reply", "outcome", "finish")},
            **{key: plain[key] for key in ("token_logprob", "token_rank", "token_position", "logprobs")},
            **({} if reply.token_bound == "exact" else {"token_bound": reply.token_bound}),
        }


REPEAT = Tab(
    name="repeat",
    title="Repeat",
    pane="explorer.tui.panes.repeat_back.pane:RepeatBackPane",
    help="Replies of the loaded models that were asked to repeat the token.",
    number=2,
    key="r",
    command="repeat",
    command_title="repeat",
    command_help="Ask the loaded models to repeat the token back.",
)

SPECS = (
    Spec(
        request=RepeatBack,
        outcome=RepeatBackResult,
        describe=describe,
        summarise=summarise,
        blocks=blocks,
        answer="explorer.engine.answers.repeat_back:answer",
        needs=lambda request: frozenset({"vocabulary", "next_tokens", "generation"}),
        token="token_id",
        subject=subject_of,
        rows=lambda outcome: (bare_row(outcome.probe.token),),
        compare=compare_replies,
        look_closer=find_contradiction,
        verb=Verb(
            name="repeat",
            help="ask models to repeat a token back",
            arguments=_arguments,
            requests=_requests,
            token="each",
            examples=(
                (
                    "zoo:mynah zoo:mynah-instruct --token-id 907 --controls 3",
                    "two models, beside three ordinary tokens",
                ),
                ("zoo:mynah --token ' program' --samples 8 --json", "eight sampled replies, as JSON"),
            ),
        ),
        json_rows=_json_rows,
        tab=REPEAT,
        press=press,
        stands_beside=stands_beside,
    ),
)
