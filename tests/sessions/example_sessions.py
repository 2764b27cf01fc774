"""Sessions to test with: one of every outcome, one full of hostile strings, one that is very large."""

from __future__ import annotations

import zlib
from pathlib import Path

from explorer.base.records.compare import CompareTokens, KnownReplies, TokenComparison, TokenPair
from explorer.base.records.inspect import InspectToken, PublishedFact, TokenDetail
from explorer.base.records.lineage import BaseLogprob, Favourite, FindLineage, Lineage, LineagePair, Rung
from explorer.base.records.logprobs import LogprobCell, LogprobColumn, LogprobTable, ReadLogprobs, TopToken
from explorer.base.records.map_colours import MapClass, MapClasses
from explorer.base.records.map_vectors import PlacedVector
from explorer.base.records.maps import MapAxis, MapCells, MapPoint, MapQuality, MapView, ViewMap
from explorer.base.records.models import CatalogueEntry, ListModels, LoadModel, ModelCatalogue, ModelInfo, ModelLoaded
from explorer.base.records.neighbours import FindNeighbours, Neighbour, Neighbourhood, NeighboursThere, NeighbourThere
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.plain import dump_json
from explorer.base.records.record import Failure
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, Reply, TokenReplies
from explorer.base.records.self_test import SelfTest, SelfTestResult
from explorer.base.records.speakability import (
    ProveSpeakability,
    SolidAngleEstimate,
    SpeakabilityCertificate,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.base.records.token_lists import ListedToken, MatchTokenList, TokenListMatched
from explorer.base.records.tokens import TokenRef, TokenRow
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled, Step
from explorer.base.records.verification import (
    CallCurve,
    DefinitionPair,
    DefinitionSummary,
    IndicatorScore,
    PromptEvidence,
    ReadEvidence,
    TruthScore,
    VerdictCell,
    VerdictEvidence,
    VerdictRow,
    VerificationResult,
    Verify,
)
from explorer.base.records.vocabulary import RankedTokens, RankTokens
from explorer.base.templates import Template, find_template
from explorer.sessions.file.store import SessionWriter

PLAIN = " the"
Exchange = tuple[AnyRequest, AnyOutcome]
"""What was asked, and what was returned."""

HOSTILE = (
    "<script>document.title='owned'</script>\"><img src=x onerror=\"document.title='owned'\">"
    "[/foo][bold]\x1b[31m\x1b]52;c;AAAA\x07\u202e\u200d\t\n|`*_ &amp; javascript:alert(1) ]]> --> '"
)


def info(name: str = "mynah", *, dtype: str = "float32", digest: str = "a" * 32, words: str = "GPT2") -> ModelInfo:
    return ModelInfo(
        name=name, source=f"zoo:{name}", architecture=words, dtype=dtype, device="cpu", vocab_size=3072,
        tokenizer_size=3072, d_model=96, weights_digest=digest, tokenizer_digest="b" * 32,
    )  # fmt: skip


def ref(token_id: int = 5, text: str = PLAIN) -> TokenRef:
    return TokenRef(token_id=token_id, token_bytes=text.encode().hex(), text=text)


def row(token_id: int = 5, text: str = PLAIN, norm: float = 0.5) -> TokenRow:
    token = ref(token_id, text)
    return TokenRow(
        token_id=token_id, token_bytes=token.token_bytes, text=text, category="ok", indicators={"input_norm": norm},
        percentiles={"input_norm": 1.5}, robust_z={"input_norm": -3.0},
    )  # fmt: skip


def reply(sample: int = 0, outcome: str = "exact", ids: tuple[int, ...] = (5, 7), text: str = PLAIN) -> Reply:
    return Reply(
        sample=sample, reply_ids=ids, reply=text, outcome=outcome, finish="eos", token_logprob=-0.25, token_rank=0,  # type: ignore[arg-type]
        token_position=0, logprobs=(-0.25,) * len(ids),
    )  # fmt: skip


def probe(*replies: Reply, text: str = PLAIN) -> TokenReplies:
    exact = sum(each.outcome == "exact" for each in replies)
    return TokenReplies(
        token=ref(text=text), prompt_ids=(1, 5, 2), prompt=f"say '{text}'", slot_positions=(1,), reencodes=True,
        replies=replies, exact=exact, interval=(0.1, 0.9),
    )  # fmt: skip


def logprob_table(*logprobs: float, text: str = PLAIN, models: tuple[str, ...] = ("mynah",)) -> LogprobTable:
    cells = tuple(LogprobCell(target=text, target_ids=(5,), logprob=value, rank=3) for value in logprobs)
    top = tuple(TopToken(token=ref(place, text), logprob=value) for place, value in enumerate(logprobs))
    columns = tuple(
        LogprobColumn(model=model, prompt_ids=(1, 2), prompt=text, entropy=2.5, cells=cells, top=top)
        for model in models
    )
    return LogprobTable(targets=(text,) * len(logprobs), columns=columns)


def neighbour(token_id: int, text: str, distance: float, x: float = 0.0, y: float = 0.0) -> Neighbour:
    return Neighbour(
        token=ref(token_id, text), category="ok", distance=distance, x=x, y=y, indicators={"input_norm": distance}
    )


def neighbourhood(text: str = PLAIN, distances: tuple[float, ...] = (0.1, 0.2, 0.4)) -> Neighbourhood:
    return Neighbourhood(
        model="mynah", metric="cosine", space="input", subject=neighbour(5, text, 0.0),
        neighbours=tuple(
            neighbour(10 + place, text, distance, x=distance, y=-distance * place)
            for place, distance in enumerate(distances)
        ),
        variance=(0.6, 0.2), indicator_ranges={"input_norm": (0.0, 0.2, 0.5)},
        there=NeighboursThere(
            model="mynah", token=ref(text=text), neighbours=tuple(
                NeighbourThere(token=ref(20 + place, text), category="ok", distance=distance)
                for place, distance in enumerate(distances)
            ), absent=(10,), moved=0.5, moved_more_than=0.25,
        ),
    )  # fmt: skip


def comparison_exchange(text: str) -> Exchange:
    """Two tokens side by side."""
    known = KnownReplies(token_id=5, template=text, exact=0, samples=8)
    pair = TokenPair(first=5, second=6, input_cosine=0.25, input_distance=1.5, output_cosine=-0.5, output_distance=2.0)
    return (
        CompareTokens(model="mynah", token_ids=(5, 6), repeated=(known,)),
        TokenComparison(model="mynah", rows=(row(text=text), row(6, text)), pairs=(pair,), quantisation=text),
    )


def map_exchange(text: str) -> Exchange:
    """A view of a map: four cells, two of them with tokens."""
    named = MapPoint(token=ref(text=text), category="ok", role="subject", x=0.5, y=0.25, value=0.75)
    vectors = (
        PlacedVector(role="centroid", label=text, placing="none", why=text),
        PlacedVector(role="twin", label=text, x=0.5, placing="nearest", fit=0.5, by_chance=0.125, kept=0.75),
    )
    view = MapView(
        model="mynah", plane=text, space="input", x_axis=MapAxis(name=text, title=text),
        y_axis=MapAxis(name="pc1", title=text, share=0.25), window=(0.0, 2.0, -1.0, 1.0),
        cells=MapCells(columns=2, rows=2, packed=zlib.compress(bytes([0, 1, 9, 24]))), in_view=4, total=5, left_out=1,
        digest="e" * 32, colour=text, colour_edges=(0.0, 0.25, 0.5, 1.0, 2.0, 4.0), points=(named,),
        quality=MapQuality(sample=100, trustworthiness=0.75, recall=0.25, recall_100=0.5), notes=(text,),
        vectors=vectors,
        classes=MapClasses(
            rule="rarest", named=(MapClass(name=text, tokens=2, in_view=1),), rest=MapClass(name=text, tokens=3),
            notes=(text,),
        ),
    )  # fmt: skip
    request = ViewMap(model="mynah", plane=text, token_id=5, colour=text, neighbours=1, centroid=True, twin_in="mynah")
    return request, view


def lineage_exchange(text: str) -> Exchange:
    request = FindLineage(children=("mynah",), bases=("mynah",), templates=(Template(name=text, question="{token}"),))
    rung = Rung(name="B1 r", null=text, p=1e-9, z=9.5, effect=0.5, fixed=9, tokens=20, said=text)
    pair = LineagePair(
        child="mynah", candidate="mynah", verdict="related", reason=text, r=0.5, r_low=0.25, r_high=0.75,
        auc=1.0, z=9.5, p=1e-9, p_holm=1e-9, rung="B1 r", gate=text, tokens=20, outputs=300,
        token_bytes=("6162",), own=(1.5,), others=(0.5,), rungs=(rung,),
    )  # fmt: skip
    said = BaseLogprob(base="mynah", logprob=-1.5, lift=2.0)
    favourite = Favourite(
        child="mynah", template=text, token=ref(text=text), output=ref(6, text), logprob=-0.5, bases=(said,)
    )
    return request, Lineage(pairs=(pair,), favourites=(favourite,), closest=(text,), notes=(text,))


def exchanges(text: str = PLAIN) -> list[Exchange]:
    """One question and answer of each kind, with `text` wherever a text may stand."""
    ranking = RankedTokens(
        model="mynah", sort="input_norm", default_rule=text, rows=(row(text=text), row(6, text)), matching=2,
        total=3072, digest="d" * 32,
    )  # fmt: skip
    detail = TokenDetail(
        model="mynah", row=row(text=text), merge_parents=(ref(1, text),), contained_in=(ref(2, text),),
        contained_in_count=1, reencodes_to=(ref(text=text),), ground_truth=text,
        published=(PublishedFact(model=text, list_name=text, statement=text),),
    )  # fmt: skip
    asked = RepeatBack(model="mynah", token_id=5, template=find_template("repeat-1"))
    result = RepeatBackResult(
        model="mynah", template="repeat-1", probe=probe(reply(text=text), text=text), controls=(probe(reply()),)
    )
    catalogue = ModelCatalogue(entries=(CatalogueEntry(source=text, origin="zoo", description=text),))
    return [
        (LoadModel(source="zoo:mynah"), ModelLoaded(info=info(words=text))),
        (RankTokens(model="mynah", filter=text, cursor=1), ranking),
        (InspectToken(model="mynah", token_id=5), detail),
        (asked, result),
        (asked, Cancelled(partial=result)),
        (ReadLogprobs(models=("mynah",), prompt=text), logprob_table(-1.41, -15.0, float("-inf"), text=text)),
        (FindNeighbours(model="mynah", token_id=5, other="mynah"), neighbourhood(text)),
        comparison_exchange(text),
        map_exchange(text),
        lineage_exchange(text),
        (ListModels(), catalogue),
        *verification_exchanges(text),
        *list_exchanges(text),
        *speakability_exchanges(text),
        (LoadModel(source=text), Failure(message=text, hint=text)),
        (MarkToken(model="mynah", token_id=5, text=text), Noted()),
        (WriteNote(text=text, model="mynah", token_id=5, tags=(text, "odd")), Noted()),
        (WriteNote(text=text, step=4), Noted()),
    ]  # fmt: skip


def verification_exchanges(text: str) -> list[Exchange]:
    """The same for what verification asks and answers."""
    definition = DefinitionSummary(
        name=text, title=text, rule=text, source=text, value=text, verified=1, weak=2, rejected=3, inconclusive=4
    )
    cell = VerdictCell(verdict="verified", value=0.25)
    verdicts = (VerdictRow(token=ref(text=text), category="ok", verdicts={text: cell}),)
    score = TruthScore(
        definition=text, truth=text, true_positives=1, false_positives=2, false_negatives=3, undecided=4,
        precision=0.5, recall=None,
    )  # fmt: skip
    found = VerificationResult(
        model="mynah", tokens=10, definitions=(definition,), truths=(score,), rows=verdicts, notes=(text,),
        pairs=(DefinitionPair(first=text, second=text, both=1, either=2, jaccard=0.5),),
        indicators=(
            IndicatorScore(
                indicator=text, definition=text, low_is_suspicious=True, roc_auc=0.9, average_precision=0.8
            ),
        ),
        curves=(CallCurve(indicator=text, definition=text, roc=((0, 0), (1, 1)), precision_recall=((0, 1),)),),
    )  # fmt: skip
    prompt = PromptEvidence(
        template=text, prompt_ids=(1,), prompt=text, slot_positions=(0,), reencodes=True, reply=text,
        logprobs=(-1.41,), classes=("exact",),
    )  # fmt: skip
    evidence = VerdictEvidence(model="mynah", token=ref(text=text), definition=definition, cell=cell, prompts=(prompt,))
    tested = SelfTestResult(
        model="mynah", list_name=text, statement=text, listed=1, tested=2, score=score, rank_correlation=0.5,
        correlated=text, within_a_decade=None, disagreements=verdicts,
    )  # fmt: skip
    sweep = Verify(model="mynah", top_percent=2.0, definitions=(text,))
    return [
        (sweep, found),
        (ReadEvidence(of=sweep, definition=text, token_id=5), evidence),
        (SelfTest(model="mynah"), tested),
    ]


def list_exchanges(text: str) -> list[Exchange]:
    """The same for published lists."""
    return [
        (
            MatchTokenList(
                model="mynah",
                name=text,
                of_model=text,
                spelled="report",
                tokens=(ListedToken(token_id=5, spelling=text, indicator=0.5, max_prob=1e-6),),
            ),
            TokenListMatched(model="mynah", name=text, of_model=text, listed=1, matched=1, used=True),
        ),
    ]


def speakability_exchanges(text: str) -> list[Exchange]:
    """The same for speakability."""
    token = ref(text=text)
    weights = SpeakabilityCertificate(kind="weights", token_ids=(3, 7), weights=(0.25, 0.75))
    witness = SpeakabilityCertificate(kind="witness", x=(0.5, -0.25))
    rows = (
        SpeakabilityRow(
            token=token, own_direction_winner=token, verdict="unspeakable", margin=-0.25, certificate=weights
        ),
        SpeakabilityRow(
            token=token, own_direction_winner=token, verdict="speakable", margin=0.5, certificate=witness,
            on_sphere=True, solid_angle=SolidAngleEstimate(log10=-12.5, stderr=0.25),
        ),
        SpeakabilityRow(token=token, own_direction_winner=token, verdict="undecided", margin=float("inf")),
    )  # fmt: skip
    found = SpeakabilityResult(
        model="mynah", mode="ball", bias=True, folded=True, question=text, tokens=3, speakable=1, unspeakable=1,
        undecided=1, hard=2, rows=rows, notes=(text,),
    )  # fmt: skip
    return [(ProveSpeakability(model="mynah", token_ids=(5,), solid_angle=True), found)]


def write_session(path: Path, pairs: list[Exchange], title: str = "") -> Path:
    """A session file of these questions and answers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = SessionWriter(path, seed=7, title=title)
    for request, outcome in pairs:
        assert writer.append(writer.step(request, outcome, 0.25)), writer.trouble
    writer.close()
    return path


def write_large_session(path: Path, steps: int) -> Path:
    """Many steps of about 2 kB, written without the writer's fsync."""
    write_session(path, [(WriteNote(text="begin"), Noted())])
    header = path.read_bytes().split(b"\n", 1)[0]
    table = logprob_table(*(-1.234567 - place for place in range(11)))
    request = ReadLogprobs(models=("mynah",), prompt="The word is", token_id=987654)
    step = Step(number=123456789, at="2026-11-20T00:00:00.000Z", seconds=0.1, request=request, outcome=table)
    line = dump_json(step) + b"\n"
    before, rest = line.split(b"123456789", 1)
    between, after = rest.split(b"987654", 1)
    with path.open("wb") as file:
        file.write(header + b"\n")
        for number in range(1, steps + 1):
            file.write(b"%b%d%b%d%b" % (before, number, between, number % 3000, after))
    return path
