"""Published tables of log-probabilities: read from a file, and their verdicts in words."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Iterable

from explorer.base.numbers import format_logprob_and_percent
from explorer.base.records.lineage import Lineage
from explorer.base.records.lineage_tables import PublishedLogprob, PublishedVerdict
from explorer.specs.blocks import Block, Table, count, number, prose
from explorer.specs.command_line import Row

COLUMNS = ("instruct_model", "prompt", "next_token", "model", "logprob")
MOST_ROWS = 10_000
MOST_CHARACTERS = 1 << 24


def read_published(name: str) -> tuple[PublishedLogprob, ...]:
    """The tables of a CSV file: a row for each child, prompt, favourite output and model."""
    import csv  # the first paint reads no file

    try:
        with open(name, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file.read(MOST_CHARACTERS).splitlines(keepends=True)))
        found = tuple(_row(row) for row in rows)
    except KeyError as error:
        raise ArgumentTypeError(f"{name} has no column {error}: it needs {', '.join(COLUMNS)}") from error
    except (OSError, UnicodeDecodeError, ValueError, TypeError, csv.Error) as error:
        raise ArgumentTypeError(f"{name}: no tables can be read from it ({error})") from error
    if not 0 < len(found) <= MOST_ROWS:
        raise ArgumentTypeError(f"{name} holds {count(len(found), 'row')}: 1 to {MOST_ROWS:,} are read")
    return found


def _row(row: dict[str, str]) -> PublishedLogprob:
    child, prompt, output, model, logprob = (row[column] for column in COLUMNS)
    found = PublishedLogprob(child=child, prompt=prompt, output=output, model=model, logprob=float(logprob))
    if problem := found.problem():
        raise ValueError(problem)
    return found


def summarise_published(outcome: Lineage) -> str:
    """'text-davinci-002: code-davinci-002 leads (6.75 nats)' for each table."""
    return "; ".join(f"{prose(each.child)}: {_in_short(each)}" for each in outcome.published)


def _in_short(verdict: PublishedVerdict) -> str:
    if verdict.verdict == "leading":
        return f"{prose(verdict.best)} leads by {number(verdict.margin, 3)} nats"
    return "none of these" if verdict.verdict == "none" else "cannot tell"


def published_blocks(outcome: Lineage) -> Iterable[Block]:
    """The verdicts, then each table in the form of the posts."""
    if not outcome.published:
        return
    heads = ("child", "output", "own", "best base", "its logprob", "margin", "factor", "p", "Holm p", "verdict")
    rows = tuple(_verdict_row(each) for each in outcome.published)
    leads = frozenset(place for place, each in enumerate(outcome.published) if each.verdict == "leading")
    yield Table(heads, rows, right=frozenset(heads[2:9]) - {"best base"}, strong=leads, title="published tables")
    reasons = tuple((prose(each.child), prose(each.reason)) for each in outcome.published)
    yield Table(("child", "in words"), reasons)
    for each in outcome.published:
        said = tuple((prose(base.base), format_logprob_and_percent(base.logprob)) for base in each.bases)
        own = () if each.own is None else ((prose(each.child), format_logprob_and_percent(each.own)),)
        title = f"'{prose(each.output)}' after {prose(each.prompt)}"
        yield Table(("model", "logprob"), own + said, right=frozenset({"logprob"}), title=title)


def _verdict_row(each: PublishedVerdict) -> tuple[str, ...]:
    best = each.bases[0]
    factor = number(math.exp(min(each.margin, 700.0)), 3)
    own = number(each.own, 4)
    return (
        prose(each.child), prose(each.output), own, prose(best.base), number(best.logprob, 4), number(each.margin, 3),
        factor, number(best.p, 2), number(best.p_holm, 2), each.verdict,
    )  # fmt: skip


def published_rows(outcome: Lineage) -> Iterable[Row]:
    """A line for each child and base."""
    for each in outcome.published:
        for place, base in enumerate(each.bases):
            words = f"cannot tell: {each.best} is ahead" if place else f"{each.verdict}: {each.reason}"
            yield {
                "child": each.child,
                "candidate": base.base,
                "verdict": "none" if each.verdict == "none" else words,
                "reason": each.reason,
                "prompt": each.prompt,
                "output": each.output,
                "own": each.own,
                "logprob": base.logprob,
                "margin": each.margin if place == 0 else base.logprob - each.bases[0].logprob,
                "p": base.p,
                "p_holm": base.p_holm,
                "tokens": 1,
                "prompts": 1,
            }
