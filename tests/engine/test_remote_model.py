"""A model that tells only its likeliest tokens: every verb works, works with bounds, or says why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from explorer.base.errors import ExplorerError
from explorer.base.records.compare import CompareTokens
from explorer.base.records.inspect import FindToken, InspectToken, TokenDetail, TokenFound
from explorer.base.records.lineage import FindLineage, Lineage
from explorer.base.records.logprobs import LogprobTable, ReadLogprobs
from explorer.base.records.maps import PlacePoints, ReadMap, ViewMap
from explorer.base.records.models import (
    ListModels,
    LoadModel,
    ModelCatalogue,
    ModelLoaded,
    ModelUnloaded,
    ReadRoster,
    Roster,
    UnloadModel,
)
from explorer.base.records.neighbours import FindNeighbours
from explorer.base.records.plain import dump_json
from explorer.base.records.record import Request
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.self_test import SelfTest
from explorer.base.records.speakability import CheckCertificates, ProveSpeakability, ReadCertificates
from explorer.base.records.token_lists import MatchTokenList, TokenListMatched
from explorer.base.records.verification import (
    VERDICTS,
    ReadEvidence,
    ReadVerdicts,
    VerdictColumns,
    VerdictEvidence,
    VerificationResult,
    Verify,
)
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.base.templates import find_template
from explorer.engine.answers.verification import answer as verification
from explorer.engine.control import Control
from explorer.engine.handlers import Engine
from explorer.engine.models.local import LocalModel
from explorer.engine.queue import Report, WorkQueue
from explorer.specs.logprobs import cell_text
from explorer.specs.registry import REGISTRY
from tests.behaviour.behaviour_fakes import run_through
from tests.fake_remote import FakeRemote

CONTROL = Control(cancelled=lambda: False, tell=lambda part: None)
WITHHELD = 723
"""Of mynah: far from likely anywhere."""
MODEL = "faraway"
VERIFY = Verify(model=MODEL, definitions=("glitchminer", "plain"), token_ids=(*range(300, 340), WITHHELD))
TABLE = ReadLogprobs(models=(MODEL,), prompt="The cat", token_id=WITHHELD, token_is_target=True, top_of=MODEL)
LINEAGE = FindLineage(
    children=(MODEL,), bases=("mynah",), templates=(find_template("word-is"),), token_ids=tuple(range(900, 910))
)
NO_WEIGHTS = "faraway gives no embedding matrices, so it cannot answer this"
PROOF = ProveSpeakability(model=MODEL)

CASES: list[tuple[Request, type | str]] = [
    (ReadRoster(), Roster),
    (ListModels(), ModelCatalogue),
    (ReadVocabulary(model=MODEL), VocabularyColumns),
    (RankTokens(model=MODEL, sort="id"), RankedTokens),
    (FindToken(model=MODEL, token_id=3), TokenFound),
    (MatchTokenList(model=MODEL, name="x.md", of_model="", spelled="report", tokens=()), TokenListMatched),
    (InspectToken(model=MODEL, token_id=WITHHELD), TokenDetail),
    (RepeatBack(model=MODEL, token_id=WITHHELD, template=find_template("repeat-1"), controls=1), RepeatBackResult),
    (TABLE, LogprobTable),
    (FindNeighbours(model=MODEL, token_id=WITHHELD), NO_WEIGHTS),
    (CompareTokens(model=MODEL, token_ids=(3, WITHHELD)), NO_WEIGHTS),
    (ReadMap(model=MODEL), NO_WEIGHTS),
    (PlacePoints(model=MODEL, centroid=True), NO_WEIGHTS),
    (ViewMap(model=MODEL), NO_WEIGHTS),
    (LINEAGE, Lineage),
    (VERIFY, VerificationResult),
    (Verify(model=MODEL), NO_WEIGHTS),
    (ReadVerdicts(of=VERIFY), VerdictColumns),
    (ReadEvidence(of=VERIFY, token_id=300, definition="plain"), VerdictEvidence),
    (SelfTest(model=MODEL), NO_WEIGHTS),
    (PROOF, NO_WEIGHTS),
    (ReadCertificates(of=PROOF), NO_WEIGHTS),
    (CheckCertificates(model=MODEL, mode="ball", bias=True, folded=True, digest="", rows=()), NO_WEIGHTS),
    (LoadModel(source="zoo:mynah"), ModelLoaded),
    (UnloadModel(model=MODEL), ModelUnloaded),
]
"""Each kind of request, and what a model that gives only so much answers: an outcome, or a line that says why not."""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(verification, "cache_folder", lambda: tmp_path)
    made = Engine()
    behind = made.models.load("zoo:mynah")
    assert isinstance(behind, LocalModel)
    made.models.add(FakeRemote(behind))
    yield made
    made.models.unload("mynah")


def ask(engine: Engine, request: Any) -> Any:
    return run_through(engine.begin(request, CONTROL))[1]


def test_no_verb_is_forgotten_here() -> None:
    asked = {type(request) for request, _ in CASES}
    assert asked == {spec.request for spec in REGISTRY.specs if spec.answer.startswith("explorer.")}


def test_every_verb_works_or_says_in_one_line_why_not(engine: Engine) -> None:
    for request, wanted in CASES:
        if isinstance(wanted, str):
            with pytest.raises(ExplorerError) as refused:
                ask(engine, request)
            assert (refused.value.message, "\n" in refused.value.line) == (wanted, False), request
            assert refused.value.hint
        else:
            outcome = ask(engine, request)
            assert isinstance(outcome, wanted), request
            spec = REGISTRY.of(request)
            assert spec.summarise(outcome)
            assert list(spec.blocks(request, outcome)) is not None
            assert list(spec.json_rows(outcome)) is not None


def test_a_table_tells_bounds_as_bounds(engine: Engine) -> None:
    far, near = ask(engine, TABLE), ask(engine, msgspec.structs.replace(TABLE, models=("mynah",), top_of="mynah"))
    assert far.targets == near.targets
    (column,), (whole,) = far.columns, near.columns
    assert column.entropy is None
    assert whole.entropy is not None
    assert column.top == whole.top
    told, true = column.cells[0], whole.cells[0]
    assert (told.bound, told.rank, true.bound) == ("at_most", None, "exact")
    assert true.logprob < told.logprob < 0
    assert cell_text(told).startswith("≤ -")
    assert [cell.bound for cell in column.cells[1:]] == ["exact"] * 10
    assert [(cell.logprob, cell.rank) for cell in column.cells[1:]] == [
        (cell.logprob, cell.rank) for cell in whole.cells[1:]
    ]
    rows = list(REGISTRY.of(TABLE).json_rows(far))
    assert [row.get("bound") for row in rows] == ["at_most"] + [None] * 10


def test_a_sum_with_a_bound_in_it_is_a_bound(engine: Engine) -> None:
    request = ReadLogprobs(models=("faraway", "mynah"), prompt="The", targets=(" zebra quartz",))
    far, near = (column.cells[0] for column in ask(engine, request).columns)
    assert len(far.target_ids) > 1
    assert (far.bound, near.bound) == ("at_most", "exact")
    assert near.logprob < far.logprob


def test_replies_are_those_of_the_model_and_the_token_has_a_bound(engine: Engine) -> None:
    request = RepeatBack(model="faraway", token_id=WITHHELD, template=find_template("repeat-1"))
    far, near = ask(engine, request), ask(engine, msgspec.structs.replace(request, model="mynah"))
    (told,), (true,) = far.probe.replies, near.probe.replies
    assert (told.reply_ids, told.logprobs, told.finish) == (true.reply_ids, true.logprobs, true.finish)
    assert (told.token_bound, told.token_rank) == ("at_most", None)
    assert true.token_logprob < told.token_logprob
    assert b"token_bound" in dump_json(far)
    assert b"token_bound" not in dump_json(near), "sessions of exact numbers are written as before"


def test_samples_come_from_the_server(engine: Engine) -> None:
    request = RepeatBack(model=MODEL, token_id=300, template=find_template("repeat-1"), samples=3, temperature=0.7)
    replies = ask(engine, request).probe.replies
    assert len(replies) == 3
    assert all(logprob <= 0 for reply in replies for logprob in reply.logprobs)


def test_what_only_a_bound_is_known_of_is_inconclusive(engine: Engine) -> None:
    far = ask(engine, VERIFY)
    near = ask(engine, msgspec.structs.replace(VERIFY, model="mynah"))
    told, true = (
        verdicts_of(ask(engine, ReadVerdicts(of=of))) for of in (VERIFY, msgspec.structs.replace(VERIFY, model="mynah"))
    )
    assert isinstance(far, VerificationResult)
    assert isinstance(near, VerificationResult)
    unknown = VERDICTS.index("inconclusive")
    for name in VERIFY.definitions:
        known = told[name] != unknown
        assert known.any()
        assert not known.all()
        np.testing.assert_array_equal(told[name][known], true[name][known])


def verdicts_of(columns: VerdictColumns) -> dict[str, np.ndarray]:
    rows = columns.verdicts.numpy()
    return {one.name: rows[place] for place, one in enumerate(columns.definitions)}


def test_there_are_no_indicators_and_that_is_said(engine: Engine) -> None:
    columns = ask(engine, ReadVocabulary(model=MODEL))
    assert (columns.indicators, columns.default_indicator) == ({}, "")
    assert columns.default_rule == "there are no weights here to compute indicators of"
    assert columns.token_bytes == ask(engine, ReadVocabulary(model="mynah")).token_bytes


def test_a_remote_model_has_a_queue_of_its_own(engine: Engine) -> None:
    places = {
        name: engine.job(1, ReadLogprobs(models=names, prompt="a")).resources
        for name, names in {"far": ("faraway",), "near": ("mynah",), "both": ("mynah", "faraway")}.items()
    }
    assert places["far"].isdisjoint(places["near"])
    assert places["both"] == places["far"] | places["near"]
    assert engine.job(1, RepeatBack(model="nobody", token_id=1, template=find_template("repeat-1"))).resources == set()
    assert engine.job(1, LoadModel(source="zoo:starling", device="cpu")).resources == {"cpu"}
    assert engine.job(1, LoadModel(source="weights:zoo:starling", device="cuda:7")).resources == {"cpu"}


def test_nothing_is_computed_here_while_another_dtype_is_the_default(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resources(**chosen: Any) -> frozenset[str]:
        return engine.job(1, LoadModel(source="zoo:starling", **chosen)).resources

    assert resources(device="cpu", dtype="float32") == {"cpu"}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert resources(device="cuda:1", dtype="float32") == {"cuda:1"}
    for chosen in ({"device": "cuda:1"}, {"device": "cuda"}, {"device": "cpu", "dtype": "bfloat16"}):
        assert resources(**chosen) == {"cpu", "cuda:0", "cuda:1"}, "a server's queue goes on, all of ours wait"


def test_a_broken_spec_is_an_answer_and_no_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(request: Request) -> bool:
        raise ZeroDivisionError("a plug-in's mistake")

    spec = REGISTRY.of(ReadRoster())
    monkeypatch.setitem(REGISTRY._by_request, ReadRoster, msgspec.structs.replace(spec, background=breaks))
    answers: SimpleQueue[Any] = SimpleQueue()
    queue = WorkQueue(engine.begin, Report(part=lambda *told: None, answer=lambda *told: answers.put(told)))
    queue.add(engine.job(1, ReadRoster()))
    number, failure, _ = answers.get(timeout=10)
    assert (number, failure.message) == (1, "ReadRoster failed: ZeroDivisionError: a plug-in's mistake")
    queue.add(engine.job(2, ListModels()))
    number, outcome, _ = answers.get(timeout=10)
    assert (number, type(outcome)) == (2, ModelCatalogue)
