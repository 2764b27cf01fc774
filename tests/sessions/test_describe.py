"""Every request and outcome has its words, in one safe line."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

import explorer
from explorer.base.records.compare import CompareTokens, TokenComparison
from explorer.base.records.inspect import FindToken, InspectToken, TokenDetail, TokenFound
from explorer.base.records.lineage import FindLineage, Lineage, LineagePair
from explorer.base.records.logprobs import LogprobColumn, LogprobTable, ReadLogprobs, TopToken
from explorer.base.records.map_vectors import PlacedVector
from explorer.base.records.maps import MapAxis, MapPoints, PlacePoints, ReadMap, ViewMap, VocabularyMap
from explorer.base.records.models import (
    CatalogueEntry,
    ListModels,
    LoadModel,
    ModelCatalogue,
    ModelInfo,
    ModelLoaded,
    ModelUnloaded,
    ReadRoster,
    Roster,
    UnloadModel,
)
from explorer.base.records.neighbours import FindNeighbours, Neighbour, Neighbourhood
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.record import Array, Failure
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, Reply, TokenReplies
from explorer.base.records.speakability import (
    Certificates,
    CertificatesChecked,
    CheckCertificates,
    ProveSpeakability,
    ReadCertificates,
)
from explorer.base.records.token_lists import ListedToken, MatchTokenList, TokenListMatched
from explorer.base.records.tokens import TokenRef, TokenRow
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled
from explorer.base.records.verification import ReadVerdicts, VerdictColumns, Verify
from explorer.base.records.vocabulary import RankedTokens, RankTokens, ReadVocabulary, VocabularyColumns
from explorer.base.templates import TEMPLATES
from explorer.specs.registry import describe, summarise
from tests.sessions.example_sessions import map_exchange, speakability_exchanges, verification_exchanges

HOSTILE = "[/foo] \x1b]52;c;aGk=\x07 \u202e \n\t"
TOKEN = TokenRef(token_id=742, token_bytes=HOSTILE.encode().hex(), text=HOSTILE)
ROW = TokenRow(
    token_id=742,
    token_bytes=b"\xff\x1b".hex(),
    text="\ufffd\x1b",
    category="fragment",
    indicators={},
    percentiles={},
    robust_z={},
)
REPLY = Reply(
    sample=0,
    reply_ids=(1,),
    reply=HOSTILE,
    outcome="other",
    finish="length",
    token_logprob=-2.0,
    token_rank=3,
    token_position=0,
    logprobs=(-1.0,),
)
PROBE = TokenReplies(
    token=TOKEN,
    prompt_ids=(1,),
    prompt=HOSTILE,
    slot_positions=(0,),
    reencodes=True,
    replies=(REPLY,) * 8,
    exact=0,
    interval=(0.0, 0.3244),
)
NEIGHBOUR = Neighbour(token=TOKEN, category="ok", distance=0.5, x=0.0, y=0.0, indicators={})
INFO = ModelInfo(
    name=HOSTILE,
    source=HOSTILE,
    architecture=HOSTILE,
    dtype="float32",
    device="cpu",
    vocab_size=3072,
    tokenizer_size=3072,
    d_model=128,
)
EMPTY = Array(dtype="<i8", shape=(4,), data=b"")
REPEATED = RepeatBackResult(model=HOSTILE, template="repeat-1", probe=PROBE, controls=(PROBE,))
COLUMN = LogprobColumn(
    model=HOSTILE, prompt_ids=(1,), prompt=HOSTILE, entropy=1.0, cells=(), top=(TopToken(token=TOKEN, logprob=-1.41),)
)

VERIFICATION = verification_exchanges(HOSTILE)
SPEAKING = speakability_exchanges(HOSTILE)
REQUESTS: list[AnyRequest] = [
    *(request for request, _ in VERIFICATION),
    ReadVerdicts(of=Verify(model=HOSTILE, indicator=HOSTILE, top_percent=2.0, definitions=(HOSTILE,))),
    *(request for request, _ in SPEAKING),
    ReadCertificates(of=ProveSpeakability(model=HOSTILE, hard=True, mode="cone", bias=False)),
    CheckCertificates(model=HOSTILE, mode="ball", bias=True, folded=True, digest=HOSTILE, rows=()),
    LoadModel(source=HOSTILE),
    UnloadModel(model=HOSTILE),
    ReadRoster(),
    ListModels(),
    ReadVocabulary(model=HOSTILE),
    RankTokens(model=HOSTILE, sort="input_norm", filter=HOSTILE, category="ok"),
    FindToken(model=HOSTILE, token_bytes=HOSTILE),
    MatchTokenList(
        model=HOSTILE,
        name=HOSTILE,
        of_model=HOSTILE,
        spelled="text",
        tokens=(ListedToken(token_id=1, spelling=HOSTILE),),
    ),
    InspectToken(model=HOSTILE, token_bytes="zz"),
    RepeatBack(model=HOSTILE, token_id=742, template=TEMPLATES[0], samples=8, temperature=0.7, controls=2),
    ReadLogprobs(models=(HOSTILE, "b"), prompt=HOSTILE, token_id=742),
    FindNeighbours(model=HOSTILE, token_id=742, other=HOSTILE),
    CompareTokens(model=HOSTILE, token_ids=(1, 2)),
    ReadMap(model=HOSTILE, plane=HOSTILE),
    PlacePoints(model=HOSTILE, plane=HOSTILE, token_id=742, twin_in=HOSTILE, vectors=HOSTILE),
    ViewMap(model=HOSTILE, plane=HOSTILE, token_id=742, colour=HOSTILE, twin_in=HOSTILE, vectors=HOSTILE),
    FindLineage(children=(HOSTILE,), bases=("b", HOSTILE), templates=(TEMPLATES[0],)),
    MarkToken(model=HOSTILE, token_id=742, text=HOSTILE),
    WriteNote(text=HOSTILE, model=HOSTILE, token_id=742),
]
OUTCOMES: list[AnyOutcome] = [
    Failure(message=HOSTILE),
    Cancelled(partial=REPEATED),
    ModelLoaded(info=INFO),
    ModelUnloaded(model=HOSTILE),
    Lineage(
        pairs=(
            LineagePair(
                child=HOSTILE, candidate=HOSTILE, verdict="related", reason=HOSTILE, gate=HOSTILE, tokens=9, outputs=9
            ),
        ),
        favourites=(),
        closest=(HOSTILE,),
        notes=(HOSTILE,),
    ),
    Roster(models=(INFO,), devices=()),
    ModelCatalogue(entries=(CatalogueEntry(source=HOSTILE, origin="zoo"),)),
    VocabularyColumns(
        model=HOSTILE,
        token_bytes=EMPTY,
        offsets=EMPTY,
        categories=EMPTY,
        indicators={},
        default_indicator="",
        default_rule="",
        unused=(),
    ),
    TokenFound(model=HOSTILE, token=TokenRef(token_id=1, token_bytes="61", text=HOSTILE)),
    TokenListMatched(model=HOSTILE, name=HOSTILE, of_model=HOSTILE, listed=2, matched=1, used=False),
    RankedTokens(model=HOSTILE, sort="id", default_rule="", rows=(ROW,), matching=1, total=3072, digest=""),
    TokenDetail(model=HOSTILE, row=ROW, ground_truth=HOSTILE),
    REPEATED,
    LogprobTable(targets=(HOSTILE,), columns=(COLUMN,)),
    Neighbourhood(
        model=HOSTILE,
        metric="cosine",
        space="input",
        subject=NEIGHBOUR,
        neighbours=(NEIGHBOUR,),
        variance=(0.4, 0.2),
        indicator_ranges={},
    ),
    TokenComparison(model=HOSTILE, rows=(ROW,), pairs=()),
    VocabularyMap(
        model=HOSTILE,
        plane=HOSTILE,
        space="input",
        x=EMPTY,
        y=EMPTY,
        x_axis=MapAxis(name=HOSTILE, title=HOSTILE),
        y_axis=MapAxis(name=HOSTILE, title=HOSTILE),
        digest="",
        left_out=1,
    ),
    MapPoints(model=HOSTILE, vectors=(PlacedVector(role="vector", label=HOSTILE, placing="exact"),)),
    map_exchange(HOSTILE)[1],
    Noted(),
    *(outcome for _, outcome in VERIFICATION),
    *(outcome for _, outcome in SPEAKING),
    Certificates(model=HOSTILE, mode="ball", bias=True, folded=True, digest=HOSTILE, rows=()),
    CertificatesChecked(model=HOSTILE, proved=5, undecided=1, refused=(7,)),
    VerdictColumns(
        model=HOSTILE,
        source=HOSTILE,
        token_ids=EMPTY,
        token_bytes=EMPTY,
        offsets=EMPTY,
        categories=EMPTY,
        indicators={},
        flags={},
        definitions=(),
        verdicts=EMPTY,
        values=EMPTY,
        default_indicator="",
        main_indicator="",
    ),
]


def is_safe_line(text: str) -> bool:
    return bool(text) and text.isprintable() and "\u202e" not in text


def test_every_kind_of_record_is_covered_here() -> None:
    assert {type(request) for request in REQUESTS} == set(get_args(AnyRequest))
    assert {type(outcome) for outcome in OUTCOMES} == set(get_args(AnyOutcome))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda record: type(record).__name__)
def test_every_request_is_described_in_one_safe_line(request_: AnyRequest) -> None:
    assert is_safe_line(describe(request_))


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda record: type(record).__name__)
def test_every_outcome_is_summarised_in_one_safe_line(outcome: AnyOutcome) -> None:
    assert is_safe_line(summarise(outcome))


def test_the_words_of_requests() -> None:
    repeat = RepeatBack(model="mynah", token_id=742, template=TEMPLATES[0], samples=8, temperature=0.7, controls=1)
    assert describe(repeat) == "repeat back token 742 on mynah, repeat-1, 8 samples at T 0.7, 1 control"
    assert describe(LoadModel(source="gpt2", dtype="bfloat16")) == "load gpt2, bfloat16"
    assert describe(WriteNote(text="look", step=3)) == "note on step 3: look"
    assert describe(MarkToken(model="mynah", token_id=7, text=" a", marked=False)) == "unmark token 7 ·a of mynah"
    assert describe(InspectToken(model="mynah", token_bytes="20ff")) == "inspect token ·\\xff of mynah"
    two = ReadLogprobs(models=("mynah", "starling"), prompt="The", targets=("a", "b"))
    assert describe(two) == "logprobs of 2 targets after 'The' in mynah, starling"


def test_the_numbers_of_outcomes() -> None:
    assert summarise(REPEATED).endswith(
        "exact 0/8 [0.00, 0.32], exact or contains 0/8 [0.00, 0.32], P(token) 0.14,"
        " controls exact 0/8, exact or contains 0/8"
    )
    assert summarise(Cancelled()) == "cancelled"
    assert summarise(Cancelled(partial=REPEATED, why="stopped: 9 requests")).startswith("stopped: 9 requests after: ")
    assert summarise(Cancelled(partial=REPEATED)) == f"cancelled after: {summarise(REPEATED)}"
    assert summarise(Roster(models=(), devices=())) == "no model is loaded"


def test_neither_torch_nor_textual_is_imported() -> None:
    import subprocess
    import sys

    code = (
        "import sys, explorer.specs.registry;"
        "print([name for name in ('torch', 'textual', 'rich', 'numpy') if name in sys.modules])"
    )
    repository = Path(explorer.__file__).parents[1]
    ran = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
