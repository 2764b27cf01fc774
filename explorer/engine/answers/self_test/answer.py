"""Answers `SelfTest`: our verdicts against a published list, or against what a zoo card knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
from jaxtyping import Bool, Float

from explorer.base.errors import ExplorerError
from explorer.base.records.self_test import SelfTest, SelfTestResult
from explorer.base.records.token_lists import ListedToken
from explorer.base.records.unions import Cancelled
from explorer.base.records.verification import Verify
from explorer.engine.answers.holdings import Holdings
from explorer.engine.answers.self_test.hard_list import compare_hard_tokens
from explorer.engine.answers.speakability.answer import cache_folder as proofs_folder
from explorer.engine.answers.verification.answer import cache_folder, run_plan
from explorer.engine.answers.verification.plan import SPECIAL, Plan, lowest, make_plan
from explorer.engine.answers.verification.summary import truth_score, verdict_row
from explorer.engine.answers.verification.swept import Swept
from explorer.engine.answers.vocabulary import Read, zoo_name
from explorer.engine.control import Control
from explorer.engine.data.published import FISHING, listed_models, listed_tokens
from explorer.engine.models.abilities import HasVocabulary, weights_of
from explorer.engine.queue import Work
from explorer.specs.verification import CONTROLS
from explorer.tables.agreement import rank_correlation, share_within_a_decade
from explorer.zoo import ground_truth

TOP_PERCENT = 2.0
"""Of the candidates, as the list's authors took them."""
DISAGREEMENTS = 50
_CONTROLS_FAIL = " magikarp calls its controls too: what it calls here is inconclusive and counts in neither figure."


def answer(engine: Holdings, request: SelfTest, control: Control) -> Work:
    """Compare our verdicts with a published list. Raises `ExplorerError` as `self_test` does."""
    model = engine.models.get(request.model)
    read = yield from engine.vocabularies.read(model, None)
    return (yield from self_test(model, read, request, control, lists=engine.vocabularies.lists(model)))


@dataclass(frozen=True)
class _List:
    """A published list that is about this vocabulary."""

    name: str
    indicator: str
    """By which its candidates were taken; ours where the list does not say."""
    tokens: tuple[ListedToken, ...]
    caution: str


@dataclass(frozen=True)
class _Compared:
    """What our numbers are held against."""

    list_name: str
    statement: str
    listed: Bool[np.ndarray, " vocab"]
    rank_correlation: float | None
    correlated: str


def self_test(
    model: HasVocabulary,
    read: Read,
    request: SelfTest,
    control: Control,
    cache: Path | None = None,
    proofs_cache: Path | None = None,
    lists: Mapping[str, tuple[ListedToken, ...]] = MappingProxyType({}),
) -> Work:
    """Verify the candidates and the listed tokens by `magikarp`, and compare. `lists`: those that were matched with the
    vocabulary. Raises `ExplorerError` for a model of which neither a list nor a zoo card tells anything."""
    chosen = _find_list(model, read, request, lists)
    name = zoo_name(model.info.source)
    if chosen is None and name is None:
        raise ExplorerError(
            f"no published list names tokens of {model.info.name}",
            hint=f"Give one with --list FILE; there are lists for: {', '.join(listed_models())}; and the zoo has its "
            "ground truth.",
        )
    compared = _with_list(read, chosen) if chosen is not None else _with_card(read, str(name))
    rows = () if chosen is None else chosen.tokens
    plan = make_plan(model, read, _request(model, read, chosen), cache or cache_folder())
    swept = yield from run_plan(plan, control)
    hard = None
    if swept.completed:
        hard = yield from compare_hard_tokens(weights_of(model), control, proofs_cache or proofs_folder())
    if not swept.completed or control.cancelled():
        return Cancelled()
    return msgspec.structs.replace(_result(plan, swept, compared, rows), hard_to_speak=hard)


def _find_list(
    model: HasVocabulary, read: Read, request: SelfTest, lists: Mapping[str, tuple[ListedToken, ...]]
) -> _List | None:
    """The list asked for, else the one that comes with the program, else the first that was matched."""
    indicator, tokens = listed_tokens(model.info.source)
    if request.list_name and request.list_name not in lists:
        raise ExplorerError(
            f"{request.list_name} was not matched with {model.info.name}",
            hint="Its tokens are those of another tokenizer.",
        )
    if tokens and not request.list_name:
        return _List(FISHING, indicator, tokens, "The list is an extract: tokens called and not listed may be right.")
    name = request.list_name or next(iter(lists), "")
    caution = "The list names what its authors verified in the model that it is about, which may be another one."
    return _List(name, read.sent.default_indicator, lists[name], caution) if name else None


def _request(model: HasVocabulary, read: Read, chosen: _List | None) -> Verify:
    if chosen is None:
        return Verify(model=model.info.name, definitions=("magikarp",), controls=CONTROLS)
    values = read.columns.indicators[_indicator(read, chosen)]
    suspects = lowest(values, read.columns.is_candidate & np.isfinite(values), TOP_PERCENT)
    candidates = set(np.flatnonzero(suspects).tolist()) | {row.token_id for row in chosen.tokens}
    ids = tuple(sorted(candidates))
    return Verify(model=model.info.name, definitions=("magikarp",), token_ids=ids, controls=CONTROLS)


def _indicator(read: Read, chosen: _List) -> str:
    """The list's indicator. Raises `ExplorerError` where the loaded model is another one of the same name."""
    last = max(row.token_id for row in chosen.tokens)
    if chosen.indicator not in read.columns.indicators or last >= read.columns.vocab_size:
        raise ExplorerError(
            f"the list names token {last:,} by {chosen.indicator}, which {read.columns.model} does not have",
            hint="This is another model of the same name; load the one that the list is about.",
        )
    return chosen.indicator


def _with_list(read: Read, chosen: _List) -> _Compared:
    indicator = _indicator(read, chosen)
    listed = np.zeros(read.columns.vocab_size, dtype=np.bool_)
    listed[[row.token_id for row in chosen.tokens]] = True
    numbered = {row.token_id: row.indicator for row in chosen.tokens if row.indicator is not None}
    ours = read.columns.indicators[indicator][list(numbered)]
    return _Compared(
        chosen.name,
        f"The magikarp definition over the {TOP_PERCENT:g} % of ok tokens lowest by {indicator} and the listed ones. "
        + chosen.caution,
        listed,
        rank_correlation(ours, np.array(list(numbered.values()))) if len(numbered) > 1 else None,
        f"{indicator}, ours and the list's, over the listed tokens",
    )


def _with_card(read: Read, name: str) -> _Compared:
    counts = np.array(ground_truth(name)["counts"], dtype=np.float64)
    indicator = read.sent.default_indicator
    values = read.columns.indicators[indicator][: len(counts)]
    finite = np.isfinite(values)
    return _Compared(
        f"the zoo card of {name}",
        "No published list is about this model: the magikarp definition over the whole vocabulary, against the tokens "
        "withheld from its training; the deliberately under-trained ones are left out. There are no published "
        "probabilities to compare.",
        read.columns.flags["withheld"],
        rank_correlation(values[finite], counts[finite]),
        f"{indicator} and how often the token occurred in training, over all tokens",
    )


def _result(plan: Plan, swept: Swept, compared: _Compared, rows: Sequence[ListedToken]) -> SelfTestResult:
    ids, judged = plan.token_ids, swept.judged
    listed = compared.listed[ids]
    ordinary = plan.read.columns.categories[ids] != SPECIAL
    if not rows:
        ordinary &= ~plan.read.columns.flags["under_trained"][ids]
    called, decided = judged.called()[0], judged.decided()[0] & ordinary
    wrong = np.flatnonzero(decided & (called != listed))[:DISAGREEMENTS]
    return SelfTestResult(
        model=plan.model.info.name,
        list_name=compared.list_name,
        statement=compared.statement + (_CONTROLS_FAIL if swept.failing[0] else ""),
        listed=int(compared.listed.sum()),
        tested=len(ids),
        score=truth_score("magikarp", compared.list_name, (called, decided), listed & ordinary),
        rank_correlation=compared.rank_correlation,
        correlated=compared.correlated,
        within_a_decade=_within_a_decade(plan, judged.values[0], rows),
        disagreements=tuple(
            verdict_row(plan.model.vocabulary, int(ids[place]), plan.definitions, judged, int(place)) for place in wrong
        ),
    )


def _within_a_decade(plan: Plan, values: Float[np.ndarray, " n"], rows: Sequence[ListedToken]) -> float | None:
    theirs = {row.token_id: row.max_prob for row in rows if row.max_prob}
    pairs = [
        (value, theirs[token_id])
        for token_id, value in zip(plan.token_ids.tolist(), values.tolist(), strict=True)
        if token_id in theirs and value > 0
    ]
    if not pairs:
        return None
    ours, published = np.array(pairs).T
    return share_within_a_decade(ours, published)
