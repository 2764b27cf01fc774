"""What is shown of a verification and of the evidence behind one verdict, as blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from explorer.base.numbers import format_logprob_and_percent
from explorer.base.pace import format_rate
from explorer.base.records.repeat_back import ReplyClass
from explorer.base.records.verification import (
    PromptEvidence,
    ReadEvidence,
    VerdictEvidence,
    VerificationResult,
    Verify,
)
from explorer.base.shares import format_said
from explorer.specs.blocks import Block, Quote, Words, count, prose, token_text
from explorer.specs.verdict_curves import curves_chart
from explorer.specs.verdict_tables import (
    controls_called,
    definitions_table,
    indicators_table,
    pairs_table,
    replies_table,
    truth_table,
    verdict_tables,
)


def blocks(request: Verify, outcome: VerificationResult) -> Iterable[Block]:
    """What was done, then the findings by definition, by pair, against the truth, by indicator, and the tokens."""
    yield Words(work_words(outcome))
    if outcome.controls:
        yield Words("controls (ordinary tokens asked the same): " + ", ".join(map(token_text, outcome.controls)))
    yield from (Words(prose(note), warns=True) for note in outcome.notes)
    yield definitions_table(outcome)
    replies = replies_table(outcome)
    if replies is not None:
        yield replies
    if outcome.pairs:
        yield pairs_table(outcome)
    if outcome.truths:
        yield truth_table(outcome.truths)
    if outcome.indicators:
        yield indicators_table(outcome)
    if (chart := curves_chart(outcome)) is not None:
        yield chart
    yield from verdict_tables(outcome.rows, "tokens that most definitions call")


def work_words(outcome: VerificationResult) -> str:
    """How many tokens were tested, what that took, how fast it went and in what."""
    skipped = f"{outcome.skipped:,} not asked as a cheaper one had settled the verdict" if outcome.skipped else ""
    facts = (
        count(outcome.tokens, "token"),
        f"{outcome.answered:,} prompts answered",
        skipped,
        f"{outcome.reused:,} answers from disk",
        format_rate(outcome.tokens_per_second, "tokens") if outcome.tokens_per_second else "",
        prose(outcome.how),
    )
    return f"{prose(outcome.model)}: " + ", ".join(fact for fact in facts if fact)


def evidence_blocks(request: ReadEvidence, outcome: VerdictEvidence) -> Iterable[Block]:
    """A verdict, and the prompts that it rests on."""
    found = outcome.definition
    value = "" if outcome.cell.value is None else f", {prose(found.value)} {outcome.cell.value:.4g}"
    yield Words(f"{token_text(outcome.token)} by {prose(found.title)}: {outcome.cell.verdict}{value}")
    if found.controls is not None:
        yield Words(f"controls called: {controls_called(found.controls)}", warns=found.controls.fail)
    for prompt in outcome.prompts:
        yield Quote(prose(prompt.prompt))
        logprobs = ", ".join(map(format_logprob_and_percent, prompt.logprobs))
        facts = [f"reply: {prose(prompt.reply)}"] if prompt.reply else []
        facts += [f"logprob / prob of the token: {logprobs}"] if logprobs else []
        facts += [f"classes of the replies: {class_words(prompt.classes)}"] if prompt.classes else []
        yield Words("; ".join(facts) or not_asked_words(prompt))


def class_words(classes: Sequence[ReplyClass]) -> str:
    """'exact, other; exact 1/2 [0.09, 0.91], exact or contains 1/2 [0.09, 0.91]'."""
    return f"{', '.join(classes)}; {format_said(classes)}"


def not_asked_words(prompt: PromptEvidence) -> str:
    """Why nothing stands beside a prompt."""
    if prompt.asked:
        return "this prompt was not asked"
    return "not asked: a cheaper prompt had settled the verdict (--every-prompt asks all)"
