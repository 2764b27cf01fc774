"""Verification: many tokens of a vocabulary tested by named definitions of a glitch token."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from explorer.base.records.models import Ability
from explorer.base.records.verification import (
    ReadEvidence,
    ReadVerdicts,
    VerdictColumns,
    VerdictEvidence,
    VerdictPart,
    VerificationResult,
    Verify,
)
from explorer.specs.blocks import count, prose, token_text
from explorer.specs.command_line import INDICATOR_LIST, Asked, Verb, add_tokens_from, ids, names, percent, positive
from explorer.specs.comparing.findings import compare_evidence, compare_findings
from explorer.specs.spec import Live, Spec, Tab
from explorer.specs.token_lists import add_lists
from explorer.specs.verdict_blocks import blocks, evidence_blocks
from explorer.specs.verdict_line import add_line, read_line
from explorer.specs.verdict_output import export, json_rows, printed, rows

NAMED_DEFINITIONS = (
    "magikarp", "magikarp-released", "glitchminer", "glitchminer-strict", "substring", "plain", "sampled",
    "speakability", "geometric",
)  # fmt: skip
"""Names of definitions; `geometric` is the default indicator's, `geometric:INDICATOR` that of another one."""
LEFT_OUT = ("sampled", "magikarp-released", "speakability")
"""Asked for by name only: two take long, and the third needs proofs."""
CONTROLS = 16
"""Ordinary tokens that are asked the same: few enough to be quick, enough to tell 'none fails' ([0, 0.19]) from 'one in
two does'."""

# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────


def describe(request: Verify) -> str:
    """'verify the whole vocabulary of mynah by magikarp, plain'."""
    if request.token_ids is not None:
        tokens = count(len(request.token_ids), "token")
    elif request.top_percent is not None:
        tokens = f"the {request.top_percent:g} % lowest by {prose(request.indicator) or 'the default indicator'}"
    else:
        tokens = "the whole vocabulary"
    if request.random and request.token_ids is None:
        tokens = f"{count(request.random, 'token')} drawn at random from {tokens}"
    if request.where and request.token_ids is None:
        tokens += f" (filter {prose(request.where)})"
    by = ", ".join(prose(name) for name in request.definitions) or "the usual definitions"
    plain = ", without the chat template" if request.chat == "never" else ""
    return f"verify {tokens} of {prose(request.model)} by {by}{plain}"


def summarise(outcome: VerificationResult) -> str:
    """How many tokens were tested, and how many each definition calls."""
    called = [f"{prose(found.name)} {found.verified + found.weak:,}" for found in outcome.definitions]
    return f"{count(outcome.tokens, 'token')} of {prose(outcome.model)}; called: {', '.join(called) or 'none'}"


def describe_evidence(request: ReadEvidence) -> str:
    """'evidence about token 742 of mynah by plain'."""
    return f"evidence about token {request.token_id} of {prose(request.of.model)} by {prose(request.definition)}"


def summarise_evidence(outcome: VerdictEvidence) -> str:
    """The verdict with its number."""
    cell = outcome.cell
    value = "" if cell.value is None else f", {prose(outcome.definition.value)} {cell.value:.3g}"
    return f"{token_text(outcome.token)} {cell.verdict} by {prose(outcome.definition.name)}{value}"


# ── in the engine ─────────────────────────────────────────────────────────────────────────────────────────

_FROM_WEIGHTS: frozenset[Ability] = frozenset({"weights"})
_FROM_REPLIES: frozenset[Ability] = frozenset({"next_tokens", "generation"})
_NEEDS: dict[str, frozenset[Ability]] = {
    "geometric": _FROM_WEIGHTS,
    "speakability": _FROM_WEIGHTS,
    "glitchminer": frozenset({"next_tokens"}),
    **dict.fromkeys(
        ("magikarp", "magikarp-released", "glitchminer-strict", "substring", "plain", "sampled"), _FROM_REPLIES
    ),
}
"""What a definition needs besides the vocabulary. Definitions of other packages are checked by the engine."""


def needs(request: Verify) -> frozenset[Ability]:
    """What the definitions need; weights also where an indicator chooses or orders the tokens."""
    chosen = request.definitions or tuple(name for name in NAMED_DEFINITIONS if name not in LEFT_OUT)
    chosen = NAMED_DEFINITIONS if "all" in chosen else chosen
    found = frozenset[Ability]({"vocabulary"}).union(*(_NEEDS.get(_kind(name), frozenset()) for name in chosen))
    return found if request.token_ids is not None and not request.indicator else found | _FROM_WEIGHTS


def advise(request: Verify, missing: frozenset[Ability]) -> str:
    """Geometry needs no replies, but it needs weights."""
    return "" if "weights" in missing else "Choose geometric definitions only, or load the model itself."


def _kind(definition: str) -> str:
    return definition.partition(":")[0]


# ── in a session ──────────────────────────────────────────────────────────────────────────────────────────


async def _ask_afresh(request: Verify, recorded: Verify, live: Live) -> Any:
    """What the engine has on disk may be the very answers that are to be checked."""
    return await live.ask(msgspec.structs.replace(request, fresh=True))


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────


def _arguments(parser: ArgumentParser) -> None:
    _add_tokens(parser)
    _add_questions(parser)
    _add_export(parser)


def _add_tokens(parser: ArgumentParser) -> None:
    """Which tokens, and in which order."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="all but padding, special, reference tokens (default)")
    which.add_argument("--top-percent", type=percent, metavar="P", help="the P %% of ok tokens lowest by the indicator")
    which.add_argument("--token-ids", type=ids, metavar="IDS", help="these ids and ranges: 5,9-12")
    add_tokens_from(which, "token_ids")
    parser.add_argument(
        "--random", type=positive, default=0, metavar="K", help="K of these, drawn at random by --seed (default 0: all)"
    )
    parser.add_argument("--where", default="", metavar="FILTER", help="only tokens that pass: 'len:>3 -cat:special'")
    add_lists(parser)
    parser.add_argument(
        "--indicator",
        default="",
        metavar="NAME",
        help=f"what orders the tokens (default: as in tokens): {INDICATOR_LIST}",
    )


def _add_questions(parser: ArgumentParser) -> None:
    """What they are asked."""
    parser.add_argument(
        "--definitions", type=names, default=(), metavar="NAMES",
        help=f"comma-separated: {', '.join(NAMED_DEFINITIONS)}, geometric:INDICATOR, all "
        f"(default: all but {', '.join(LEFT_OUT[:-1])} and {LEFT_OUT[-1]})",
    )  # fmt: skip
    parser.add_argument(
        "--samples", type=positive, default=8, metavar="K", help="replies of the sampled definition (default 8)"
    )
    parser.add_argument("--seed", type=int, metavar="S", help="of the sampled definition and of --random")
    parser.add_argument("--plain", action="store_true", help="no chat template, also for instruct models")
    parser.add_argument(
        "--controls", type=int, default=CONTROLS, metavar="K",
        help=f"ordinary tokens asked the same (default {CONTROLS}): a definition that calls them too says nothing",
    )  # fmt: skip
    parser.add_argument(
        "--every-prompt", action="store_true",
        help="ask every prompt, also of a token whose verdict a cheaper prompt has settled",
    )  # fmt: skip
    add_line(parser)
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="resume an earlier verification (this is always done)")
    again.add_argument("--fresh", action="store_true", help="ask again the prompts that were answered before")


def _add_export(parser: ArgumentParser) -> None:
    from explorer.tables.exports import FORMATS  # NumPy, which the first paint does not wait for
    from explorer.tables.verdicts import AGREEMENTS

    parser.add_argument("--export", metavar="FILE", help="write the chosen tokens: .csv, .parquet, .md or .jsonl")
    parser.add_argument(
        "--format", choices=FORMATS, default="", help="of the export (default: by the ending of its name)"
    )
    parser.add_argument(
        "--choose", choices=AGREEMENTS, default="called",
        help="which tokens are exported (default: those that any definition calls)",
    )  # fmt: skip


def _before(given: Namespace, wrong: Callable[[str], Any]) -> None:
    """An export that cannot be written, and a line that is none, are refused before hours of prompts."""
    if given.at:
        read_line(given.at)
    if given.export:
        from explorer.tables.exports import form_of

        form_of(Path(given.export), given.format)


def _requests(asked: Asked) -> Iterable[Verify | ReadVerdicts]:
    given = asked.arguments
    for model in asked.models:
        request = Verify(
            model=model.name,
            token_ids=given.token_ids,
            top_percent=given.top_percent,
            where=given.where,
            random=given.random,
            indicator=given.indicator,
            definitions=given.definitions,
            samples=given.samples,
            seed=asked.settings.seed if given.seed is None else given.seed,
            chat="never" if given.plain else "auto",
            fresh=given.fresh,
            controls=given.controls,
            cascade=not given.every_prompt,
        )
        yield request
        if given.json or given.export or given.at:
            yield ReadVerdicts(of=request)


VERIFICATION = Tab(
    name="verdicts",
    title="Verify",
    pane="explorer.tui.panes.verdicts.pane:VerdictsPane",
    help="Many tokens tested by every definition of a glitch token, and what each verdict rests on.",
    number=6,
    key="v",
    command="verify",
    command_title="verify",
    command_help="Test tokens by every definition of a glitch token.",
)

SPECS = (
    Spec(
        request=Verify,
        outcome=VerificationResult,
        parts=(VerdictPart,),
        describe=describe,
        summarise=summarise,
        blocks=blocks,
        answer="explorer.engine.answers.verification.answer:answer_verify",
        needs=needs,
        advise=advise,
        background=lambda request: True,
        resumable=True,
        compare=compare_findings,
        ask_again=_ask_afresh,
        verb=Verb(
            name="verify",
            help="test a vocabulary by every definition of a glitch token",
            arguments=_arguments,
            requests=_requests,
            before=_before,
            blocks=printed,
            rows=rows,
            after=export,
            examples=(
                ("zoo:mynah --top-percent 2", "the 2 % of the tokens lowest by the default indicator"),
                ("zoo:mynah --token-ids 907,930-939 --definitions magikarp", "some tokens, by one definition"),
                ("zoo:mynah --at 'input_norm<=0.9'", "how many of the tokens below a line are glitch tokens"),
                ("zoo:mynah --top-percent 2 --export glitch.csv", "those called glitch tokens, as a file"),
            ),
        ),
        tab=VERIFICATION,
        selects_model=True,
    ),
    Spec(
        request=ReadVerdicts,
        outcome=VerdictColumns,
        describe=lambda request: f"read the verdicts of: {describe(request.of)}",
        summarise=lambda outcome: f"verdicts on {count(outcome.token_ids.shape[0], 'token')}",
        answer="explorer.engine.answers.verification.answer:answer_read_verdicts",
        needs=lambda request: needs(request.of),
        models=("of.model",),
        recorded=False,
        json_rows=json_rows,
        tab=VERIFICATION,
    ),
    Spec(
        request=ReadEvidence,
        outcome=VerdictEvidence,
        describe=describe_evidence,
        summarise=summarise_evidence,
        blocks=evidence_blocks,
        answer="explorer.engine.answers.verification.answer:answer_read_evidence",
        needs=lambda request: needs(request.of),
        models=("of.model",),
        token="token_id",
        compare=compare_evidence,
        tab=VERIFICATION,
    ),
)
