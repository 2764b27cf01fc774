"""A vocabulary with a clump of untrained tokens, a map of it and a verification, for the tests of the plots."""

from __future__ import annotations

import msgspec
import numpy as np

from explorer.base.records.maps import MapAxis, ReadMap, VocabularyMap
from explorer.base.records.record import Array
from explorer.base.records.unions import AnyOutcome, AnyRequest, Step
from explorer.base.records.verification import (
    VERDICTS,
    CallCurve,
    DefinitionSummary,
    IndicatorScore,
    ReadVerdicts,
    VerdictColumns,
    VerificationResult,
    Verify,
)
from explorer.base.records.vocabulary import UnusedReference, VocabularyColumns
from explorer.tables.table import TokenColumns
from explorer.tables.verdicts import verdict_columns
from explorer.tui.shell.messages import Selection
from tests.tui.pane_samples import MODELS, SELECTION
from tests.tui.token_samples import HOSTILE, row, vocabulary

NAME = "unused_cosine_distance"
CLUMP, MEASURED = 40, 300


def _vocabulary() -> VocabularyColumns:
    """3,000 tokens, hostile ones last; the first 40 lie near 0, five of them are reference tokens."""
    words = [f" word{place}".encode() for place in range(2_980)] + list(HOSTILE)
    source = vocabulary(words)
    random = np.random.default_rng(8)
    values = random.normal(0.7, 0.12, len(words)).astype(np.float32)
    values[:CLUMP] = np.abs(random.normal(0.05, 0.02, CLUMP))
    categories = np.where(random.random(len(words)) < 0.9, 0, source.categories.numpy()).astype(np.uint8)
    references = tuple(UnusedReference(token_id=token_id, reason="name") for token_id in range(5))
    indicators = {**source.indicators, NAME: Array.of(values)}
    return msgspec.structs.replace(source, indicators=indicators, categories=Array.of(categories), unused=references)


COLUMNS = TokenColumns(_vocabulary())
REQUEST = ReadMap(model="mynah", colour=NAME)
FOUND = VocabularyMap(
    model="mynah", plane="distance", space="input", x=Array.of(COLUMNS.values("input_norm")),
    y=Array.of(COLUMNS.values("output_norm")), x_axis=MapAxis(name="input_norm", title="norm"),
    y_axis=MapAxis(name="output_norm", title="norm"), digest="0" * 32, left_out=0, colour=NAME,
    values=Array.of(COLUMNS.values(NAME)),
)  # fmt: skip
TOKEN = row(b" word8", 8)
SELECTED = Selection(
    roster=SELECTION.roster, model=MODELS[0], token=TOKEN, marked=frozenset({1_000, 1_001}), columns=COLUMNS
)
VERIFY = Verify(model="mynah", top_percent=10.0)


def _definition(name: str, value: str) -> DefinitionSummary:
    return DefinitionSummary(
        name=name, title=name, rule=f"rule of {name}", source="a paper", value=value, verified=0, weak=0, rejected=0,
        inconclusive=0,
    )  # fmt: skip


DEFINITIONS = (_definition("geometric:input_norm", "input_norm"), _definition("magikarp", "greatest P(token)"))


def verdicts() -> VerdictColumns:
    """Of the 300 lowest tokens: most of the clump is called, few others are."""
    values = COLUMNS.values(NAME)
    ids = np.argsort(values, kind="stable")[:MEASURED].astype(np.int64)
    random = np.random.default_rng(9)
    p = np.where(ids < CLUMP, 10 ** random.uniform(-6, -1.5, MEASURED), 10 ** random.uniform(-1.6, 0, MEASURED))
    called = np.where(p < 1e-3, VERDICTS.index("verified"), np.where(p < 0.1, VERDICTS.index("weak"), 2))
    called[-3:] = VERDICTS.index("inconclusive")
    geometric = np.where(values[ids] < 0.1, 0, 2)
    return verdict_columns(
        COLUMNS, "zoo:mynah", ids, DEFINITIONS, np.stack([geometric, called]).astype(np.uint8),
        np.stack([values[ids], p]).astype(np.float32),
    )  # fmt: skip


RESULT = VerificationResult(
    model="mynah", tokens=MEASURED, definitions=DEFINITIONS, pairs=(),
    indicators=(
        IndicatorScore(
            indicator=NAME, definition="magikarp", low_is_suspicious=True, roc_auc=0.9, average_precision=0.8
        ),
    ),
    curves=(
        CallCurve(
            indicator=NAME, definition="magikarp", roc=((0.0, 0.0), (0.1, 0.8), (1.0, 1.0)),
            precision_recall=((0.1, 1.0), (0.8, 0.9), (1.0, 0.2)),
        ),
    ),
)  # fmt: skip


def step(request: AnyRequest, outcome: AnyOutcome) -> Step:
    return Step(number=1, at="2026-11-20T00:00:00Z", seconds=0.5, request=request, outcome=outcome)


MAPPED = step(REQUEST, FOUND)
TESTED = step(ReadVerdicts(of=VERIFY), verdicts())
VERIFIED = step(VERIFY, RESULT)
