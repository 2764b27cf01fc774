"""Lineage: which base a model came from, with an exact null."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from explorer.base.records.lineage import (
    ALPHA,
    CHOSEN,
    MOST_SAMPLES,
    PROMPTS,
    FindLineage,
    Lineage,
    LineagePair,
    Rung,
)
from explorer.base.records.lineage_children import Bifurcation, Collapse, SampledReplies
from explorer.base.records.lineage_tables import PublishedLogprob
from explorer.base.records.models import Ability
from explorer.base.records.plain import to_plain
from explorer.base.records.tokens import INDICATORS
from explorer.base.templates import find_template
from explorer.settings import Settings
from explorer.specs.command_line import (
    INDICATOR_LIST,
    TEMPLATE_LIST,
    Asked,
    Row,
    Verb,
    at_least_none,
    ids,
    names,
    whole,
)
from explorer.specs.comparing.agreement import Agreement, Comparison, compare_plainly
from explorer.specs.lineage_blocks import blocks, describe, summarise
from explorer.specs.lineage_tables import COLUMNS, published_rows, read_published
from explorer.specs.lineage_tree import joint_of, newick
from explorer.specs.spec import Spec, Tab

HINT = (
    f"B asks which loaded model the shown one comes from: what both say after {CHOSEN} tokens that were never trained, "
    "against a null that holds for any data, tokenizer and recipe."
)


# ── on the command line ───────────────────────────────────────────────────────────────────────────────────


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--bases", nargs="+", default=(), metavar="SOURCE", help="the candidates: models it may come from"
    )
    parser.add_argument(
        "--from", dest="published", default="", metavar="CSV",
        help="judge published tables instead, without models: columns " + ", ".join(COLUMNS),
    )  # fmt: skip
    parser.add_argument(
        "--references", nargs="+", default=(), metavar="SOURCE",
        help="strangers of every base, as able: they test whether the tokens leak",
    )  # fmt: skip
    parser.add_argument("--tokens", dest="token_ids", type=ids, default=(), metavar="IDS",
                        help="tokens of the first base; else --count that were never trained are taken")  # fmt: skip
    parser.add_argument("--count", type=whole, default=CHOSEN, help=f"how many tokens to take (default {CHOSEN})")
    parser.add_argument("--indicator", choices=INDICATORS, default="", metavar="NAME",
                        help=f"take the ordinary tokens of least value: {INDICATOR_LIST}")  # fmt: skip
    parser.add_argument(
        "--prompts",
        type=names,
        default=PROMPTS,
        metavar="NAMES",
        help=f"comma-separated: {TEMPLATE_LIST} (default {','.join(PROMPTS)})",
    )
    parser.add_argument("--chat", action="store_true", help="ask children in their chat format, where they have one")
    parser.add_argument("--samples", type=at_least_none, default=0, metavar="N",
                        help="also N replies of a child and of its base, by first token (default 0)")  # fmt: skip
    parser.add_argument("--encoder", metavar="DIR",
                        help="a sentence-transformers model: group replies of a phrase or more by meaning")  # fmt: skip
    parser.add_argument("--alpha", type=float, default=ALPHA, help=f"family-wise error rate (default {ALPHA:g})")


def _before(given: Namespace, error: Callable[[str], Any]) -> None:
    """All models are loaded: children, then bases, then references."""
    if given.published and (given.sources or given.bases or given.references):
        error("--from judges published tables: name no models")
    if not given.published and not (given.sources and given.bases):
        error("name the children and their candidates: lineage CHILD… --bases BASE…, or --from CSV")
    if given.published:
        given.published = _read(given.published, error)
    given.parts = (len(given.sources), len(given.bases), len(given.references))
    given.sources = [*given.sources, *given.bases, *given.references]
    if given.encoder and not given.samples:
        error("--encoder groups samples: say --samples N too")
    if given.samples > MOST_SAMPLES:
        error(f"--samples: at most {MOST_SAMPLES}")
    if not 0 < given.alpha < 1:
        error("--alpha is a probability between 0 and 1")


def _read(name: str, error: Callable[[str], Any]) -> tuple[PublishedLogprob, ...]:
    """The published tables of a file."""
    try:
        return read_published(name)
    except ArgumentTypeError as wrong:
        error(f"argument --from: {wrong}")
        raise


def _requests(asked: Asked) -> Iterable[FindLineage]:
    given = asked.arguments
    if given.published:
        yield FindLineage(children=(), bases=(), templates=(), published=given.published)
        return
    children, bases, _ = given.parts
    loaded = [model.name for model in asked.models]
    yield FindLineage(
        children=tuple(loaded[:children]),
        bases=tuple(loaded[children : children + bases]),
        references=tuple(loaded[children + bases :]),
        templates=tuple(find_template(name, asked.settings.templates) for name in given.prompts),
        token_ids=given.token_ids,
        count=given.count,
        indicator=given.indicator,
        chat="auto" if given.chat else "never",
        alpha=given.alpha,
        seed=asked.settings.seed,
        samples=given.samples,
        encoder=(given.encoder or asked.settings.encoder) if given.samples else "",
    )


def _with_settings(request: FindLineage, settings: Settings) -> FindLineage:
    if request.encoder or not request.samples:
        return request
    return msgspec.structs.replace(request, encoder=settings.encoder)


def _needs(request: FindLineage) -> frozenset[Ability]:
    return frozenset({"vocabulary", "next_tokens", "generation"} if request.samples else {"vocabulary", "next_tokens"})


def _json_rows(outcome: Lineage) -> Iterable[Row]:
    """A line for each child and candidate."""
    yield from published_rows(outcome)
    for pair in outcome.pairs:
        words = {"related": f"related: {pair.reason}", "none": "none"}.get(pair.verdict, f"cannot tell: {pair.reason}")
        yield {
            "child": pair.child,
            "candidate": pair.candidate,
            "verdict": words,
            "r": pair.r,
            "auc": pair.auc,
            "z": pair.z,
            "p": pair.p,
            "p_holm": pair.p_holm,
            "tokens": pair.tokens,
            "prompts": len(dict.fromkeys(each.template for each in outcome.favourites if each.child == pair.child)),
            "gate": pair.gate,
            "rungs": {rung.name: to_plain(rung) for rung in pair.rungs},
            "joint": joint_of(outcome.tree, pair),
            "tree": None if outcome.tree is None else newick(outcome.tree),
            "collapse": _collapse_of(outcome, pair),
            "bifurcations": [to_plain(each) for each in outcome.bifurcations if _is_of(each, pair)],
            "samples": [to_plain(each) for each in outcome.samples if _names(each) == _names(pair)],
        }


def _names(found: LineagePair | Collapse | SampledReplies) -> tuple[str, str]:
    """The child and what it was held against."""
    return found.child, found.candidate if isinstance(found, LineagePair) else found.base


def _collapse_of(outcome: Lineage, pair: LineagePair) -> Row | None:
    """How the entropies of a pair differ; None where they were not asked for."""
    found = (each for each in outcome.collapses if _names(each) == _names(pair))
    return next(map(to_plain, found), None)


def _is_of(bifurcation: Bifurcation, pair: LineagePair) -> bool:
    return bifurcation.base == pair.candidate and pair.child in bifurcation.children


_OF_WEIGHTS = ("W0 files", "W1 never-trained rows", "W1 trained rows", "W2 neurons", "W2 in against out", "W3 CKA")
LATER = frozenset({*_OF_WEIGHTS, "MPT agreement"})
"""Tests that the first sessions do not have."""


EXCHANGED = 2
"""Tokens by which two matchings of one matrix may differ: sums in another order change which of two nearly equal ones
is the best, and so exchange two tokens."""


def _matched_alike(was: LineagePair, came: LineagePair, alpha: float, tolerance: float) -> LineagePair:
    """`came` with the matchings of `was`, where they differ by an exchange and decide the same; with its similarities,
    where they differ by no more than `tolerance` standard deviations: beside 0 there is no relative error to hold."""
    recorded = {rung.name: rung for rung in was.rungs}
    rungs = tuple(_exchanged(recorded.get(rung.name, rung), rung, alpha) for rung in came.rungs)
    own, others = (_near(*each, tolerance) for each in ((was.own, came.own), (was.others, came.others)))
    return msgspec.structs.replace(came, rungs=rungs, own=own, others=others)


def _near(was: tuple[float, ...], came: tuple[float, ...], tolerance: float) -> tuple[float, ...]:
    """`came`, each number that is as near as `tolerance` to that of `was` being the same."""
    if len(was) != len(came):
        return came
    return tuple(
        one if math.isclose(one, other, abs_tol=tolerance) else other for one, other in zip(was, came, strict=True)
    )


def _exchanged(was: Rung, came: Rung, alpha: float) -> Rung:
    if was.fixed is None or came.fixed is None or was.p is None or came.p is None:
        return came
    alike = abs(was.fixed - came.fixed) <= EXCHANGED and (was.p <= alpha) == (came.p <= alpha)
    return msgspec.structs.replace(came, fixed=was.fixed, p=was.p) if alike and was.fixed != came.fixed else came


def _compare(request: FindLineage, recorded: Lineage, live: Lineage, comparison: Comparison) -> Agreement:
    """Tests that an earlier version did not make are no difference, nor is an exchange of nearly equal tokens in a
    matching; samples only where the seed must give the same."""
    if not comparison.reproducible:
        recorded, live = (msgspec.structs.replace(each, samples=()) for each in (recorded, live))
    made = {rung.name for pair in recorded.pairs for rung in pair.rungs}
    later = LATER - made
    pairs = tuple(
        msgspec.structs.replace(pair, rungs=tuple(rung for rung in pair.rungs if rung.name not in later))
        for pair in live.pairs
    )
    if len(pairs) == len(recorded.pairs):
        alike = partial(_matched_alike, alpha=request.alpha, tolerance=comparison.tolerance.relative)
        pairs = tuple(map(alike, recorded.pairs, pairs))
    tree = live.tree if recorded.tree is not None else None
    return compare_plainly(request, recorded, msgspec.structs.replace(live, pairs=pairs, tree=tree), comparison)


LINEAGE = Tab(
    name="lineage",
    title="Lineage",
    short_title="Lin…",
    pane="explorer.tui.panes.lineage.pane:LineagePane",
    help="Which of the loaded models the shown one comes from.",
    number=9,
    key="B",
    command="lineage",
    command_title="lineage",
    command_help="Find which loaded model the shown one comes from.",
)

SPECS = (
    Spec(
        request=FindLineage,
        outcome=Lineage,
        describe=describe,
        summarise=summarise,
        blocks=blocks,
        answer="explorer.engine.answers.lineage.answer:answer",
        needs=_needs,
        models=("children", "bases", "references"),
        sources=("encoder",),
        with_settings=_with_settings,
        verb=Verb(
            name="lineage",
            sources="*",
            help="find which base a model came from, by its answers to never-trained tokens",
            arguments=_arguments,
            requests=_requests,
            before=_before,
            examples=(
                (
                    "zoo:mynah-instruct --bases zoo:mynah zoo:lyrebird zoo:starling",
                    "which of three bases an instruct model came from",
                ),
                ("--from tables.csv", "what published log-probabilities say"),
            ),
        ),
        compare=_compare,
        json_rows=_json_rows,
        tab=LINEAGE,
    ),
)
