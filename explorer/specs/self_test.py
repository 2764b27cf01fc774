"""Self-test: this program on a loaded model, against published lists or the zoo's ground truth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from explorer.base.records.plain import to_plain
from explorer.base.records.self_test import BoxLine, HardListScore, SelfTest, SelfTestResult
from explorer.specs.blocks import Block, Table, Words, count, prose, token_text
from explorer.specs.command_line import Asked, Row, Verb
from explorer.specs.spec import Spec
from explorer.specs.token_lists import add_lists
from explorer.specs.verdict_tables import share, truth_table, verdict_tables


def describe(request: SelfTest) -> str:
    """'test this program on mynah'."""
    against = f" against {prose(request.list_name)}" if request.list_name else ""
    return f"test this program on {prose(request.model)}{against}"


def summarise(outcome: SelfTestResult) -> str:
    """Precision and recall against the list."""
    shares = {"precision": outcome.score.precision, "recall": outcome.score.recall}
    known = [f"{name} {value:.3f}" for name, value in shares.items() if value is not None]
    return f"{prose(outcome.model)} against {prose(outcome.list_name)}: {', '.join(known) or 'nothing to compare'}"


def blocks(request: SelfTest, outcome: SelfTestResult) -> Iterable[Block]:
    """How far this program and the list agree, and on which tokens they do not."""
    yield Words(
        f"{prose(outcome.model)} against {prose(outcome.list_name)}: {count(outcome.listed, 'token')} listed,"
        f" {outcome.tested:,} tested"
    )
    yield Words(prose(outcome.statement))
    yield truth_table([outcome.score])
    facts = (
        ("rank correlation", _number(outcome.rank_correlation)),
        ("correlated", prose(outcome.correlated)),
        ("P(token) within one decade", _number(outcome.within_a_decade)),
    )
    yield Table(("fact", "value"), facts)
    yield from verdict_tables(outcome.disagreements, "tokens on which this program and the list disagree")
    if outcome.hard_to_speak is not None:
        yield from _hard_list(outcome.hard_to_speak)


def _number(value: float | None) -> str:
    return "not available" if value is None else share(value)


def _hard_list(found: HardListScore) -> Iterable[Block]:
    yield Words(f"{prose(found.list_name)}: {prose(found.statement)}")
    yield Words(
        f"Own-direction winners as printed: {found.agreed:,} of {len(found.lines):,}. Verdicts of the linear program as"
        f" printed: {found.boxes_agreed:,} of {found.boxes:,}. Hard to speak by our numbers, but not listed:"
        f" {found.not_listed:,}."
    )
    heads = ("id", "token", "winner, printed", "winner, ours", "ahead by", "linear program")
    rows = tuple(
        (str(line.token.token_id), token_text(line.token), str(line.listed_winner), str(line.winner.token_id),
         f"{line.lead:.3g}" if line.lead else "", "; ".join(map(box_words, line.boxes)))
        for line in found.lines
    )  # fmt: skip
    yield Table(heads, rows, right=frozenset(heads) - {"token", "linear program"})


def box_words(line: BoxLine) -> str:
    """The post's answer beside ours: 'with bias: speakable, margin 0.12 (as printed)'."""
    asked = "with bias" if line.bias else "no bias"
    printed = "as printed" if line.agrees else f"printed: {line.listed_best} wins"
    return f"{asked}: {line.verdict}, margin {line.margin:.3g} ({printed})"


def _requests(asked: Asked) -> Iterable[SelfTest]:
    """One for each list given, else one."""
    names = tuple(Path(file).name for file in asked.arguments.lists) or ("",)
    return (SelfTest(model=model.name, list_name=name) for model in asked.models for name in names)


def _json_rows(outcome: SelfTestResult) -> Iterable[Row]:
    plain = to_plain(outcome)
    del plain["kind"]
    yield plain


SPECS = (
    Spec(
        request=SelfTest,
        outcome=SelfTestResult,
        describe=describe,
        summarise=summarise,
        blocks=blocks,
        answer="explorer.engine.answers.self_test.answer:answer",
        needs=lambda request: frozenset({"vocabulary", "weights", "next_tokens", "generation"}),
        background=lambda request: True,
        verb=Verb(
            name="selftest",
            arguments=add_lists,
            help="score this program against published lists, or against the zoo's ground truth",
            requests=_requests,
            examples=(
                ("zoo:mynah", "the definitions against what is known of the zoo's model"),
                ("openai-community/gpt2 --list gpt2.jsonl.gz", "a model against its published list"),
            ),
        ),
        json_rows=_json_rows,
    ),
)
