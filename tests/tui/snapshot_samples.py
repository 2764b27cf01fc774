"""What the snapshots show: fixed records of every pane, full, empty, loading, failed and unavailable."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np

from explorer.base.records.compare import CompareTokens, KnownReplies, TokenComparison, TokenPair
from explorer.base.records.inspect import InspectToken, MergeStep, PublishedFact, TokenDetail
from explorer.base.records.lineage import PROMPTS, BaseLogprob, Favourite, FindLineage, Lineage, LineagePair, Rung
from explorer.base.records.logprobs import LogprobCell, LogprobColumn, LogprobTable, ReadLogprobs, TopToken
from explorer.base.records.maps import GRID, MapAxis, MapPoint, MapView, ReadMap, Role, ViewMap
from explorer.base.records.models import LoadModel, ModelInfo, ModelLoaded, Roster
from explorer.base.records.neighbours import FindNeighbours, Neighbour, Neighbourhood
from explorer.base.records.notes import MarkToken, Noted, WriteNote
from explorer.base.records.record import Failure, Progress, Request
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult, ReplyPart
from explorer.base.records.speakability import (
    ProveSpeakability,
    SolidAngleEstimate,
    SpeakabilityCertificate,
    SpeakabilityResult,
    SpeakabilityRow,
)
from explorer.base.records.tokens import TokenRef
from explorer.base.records.unions import AnyOutcome, AnyRequest, Cancelled, Step
from explorer.base.records.verification import (
    CallCurve,
    DefinitionPair,
    DefinitionSummary,
    IndicatorScore,
    VerdictCell,
    VerdictRow,
    VerificationResult,
    Verify,
)
from explorer.base.records.vocabulary import ReadVocabulary, VocabularyColumns
from explorer.base.templates import SLOT, find_template
from explorer.sessions.file.store import SessionWriter
from explorer.tables.map_cells import Cells, pack_cells
from explorer.tui.panes.base import Pane
from explorer.tui.panes.session.pane import SessionPane
from explorer.tui.shell.messages import Selection
from tests.tui.pane_samples import MODELS, probe, reply, token_row
from tests.tui.token_samples import row as measured_row
from tests.tui.token_samples import vocabulary

TOKEN = measured_row(b" VelvetTurbine", 742)
SELECTION = Selection(
    roster=Roster(models=MODELS, devices=()), model=MODELS[0], token=TOKEN, marked=frozenset({742, 745})
)
MATRICES_ONLY = Selection(roster=Roster(models=MODELS[-1:], devices=()), model=MODELS[-1], token=TOKEN)
"""Nothing is loaded but a model of which only the matrices are here."""
NOTHING = Selection()
FAILED = Failure(message="CUDA out of memory: 2.00 GiB wanted, 0.31 GiB free", hint="Unload a model (m, then x).")
LACKING = Failure(
    message="geometry has only its embedding matrices here, so it cannot answer",
    hint="Load zoo:geometry without 'weights:' to run it.",
)
SPEECHLESS = Failure(
    message="far-model gives no embedding matrices, so it cannot answer this", hint="Ask another model."
)


@dataclass(frozen=True)
class Sample:
    """One state of a pane: what is selected, what is shown, what is pressed, and what then stands on the screen."""

    selection: Selection = SELECTION
    steps: tuple[tuple[AnyRequest, AnyOutcome], ...] = ()
    asked: Request | None = None
    """Under way."""
    parts: tuple[ReplyPart | Progress, ...] = ()
    """What came of it so far."""
    runs: bool = False
    """The pane's own key is pressed."""
    choices: dict[str, str] = field(default_factory=dict)
    """Options that are chosen then, by selector."""


def step(number: int, request: AnyRequest, outcome: AnyOutcome) -> Step:
    return Step(number=number, at="2026-11-20T23:11:02Z", seconds=0.5, request=request, outcome=outcome)


def write_tour(path: Path) -> Path:
    """The session of `STEPS`, all at one fixed time."""
    writer = SessionWriter(path, seed=7, title="A tour")
    for number, (request, outcome) in enumerate(STEPS, 1):
        assert writer.append(step(number, request, outcome)), writer.trouble
    writer.close()
    return path


def ref(token_id: int, text: str) -> TokenRef:
    return TokenRef(token_id=token_id, token_bytes=text.encode().hex(), text=text)


def five(
    request: AnyRequest,
    outcome: AnyOutcome,
    *,
    unavailable: Sample,
    parts: tuple[ReplyPart | Progress, ...] = (),
    more: tuple[tuple[AnyRequest, AnyOutcome], ...] = (),
) -> dict[str, Sample]:
    """The five states of a pane that asks one request."""
    return {
        "full": Sample(steps=((request, outcome), *more)),
        "empty": Sample(NOTHING),
        "loading": Sample(asked=request, parts=parts),
        "failed": Sample(steps=((request, FAILED),)),
        "unavailable": unavailable,
    }


# ── tokens and details ──

WORDS = ("Turbine", "Velvet", "龍馬", "naïve", "the", "Oil", "👩‍👧", "ing", "[/foo]", "tion")


def tokens() -> VocabularyColumns:
    """800 tokens, of which a few are no plain words."""
    return vocabulary([f"{' ' * (place % 2)}{WORDS[place % len(WORDS)]}{place}".encode() for place in range(800)])


def without_indicators() -> VocabularyColumns:
    """What a model without matrices gives."""
    notes = ("far-model gives no embedding matrices: there are no indicators.",)
    return msgspec.structs.replace(tokens(), indicators={}, default_indicator="", default_rule="", notes=notes)


READ = ReadVocabulary(model="mynah")
TOKENS = five(
    READ, tokens(), parts=(Progress(done=3, total=8, what="shards"),), unavailable=Sample(
        steps=((READ, without_indicators()),)
    ),
)  # fmt: skip

DETAIL = TokenDetail(
    model="mynah",
    row=TOKEN,
    merge_parents=(ref(300, " Velvet"), ref(1412, "Turbine")),
    merge_path=(
        MergeStep(left=ref(400, "Tur"), right=ref(401, "bine"), whole=ref(1412, "Turbine")),
        MergeStep(left=ref(300, " Velvet"), right=ref(1412, "Turbine"), whole=ref(742, " VelvetTurbine")),
    ),
    swallowed_by=(ref(901, " VelvetTurbineOil"), ref(902, " VelvetTurbinette")),
    contained_in=(ref(812, " VelvetTurbines"), ref(901, " VelvetTurbineOil")),
    contained_in_count=61,
    reencodes_to=(ref(300, " Velvet"), ref(1412, "Turbine")),
    published=(PublishedFact(model="gpt2", list_name="a list", statement="is never repeated"),),
    ground_truth="withheld: whimsical",
    is_unused_reference=True,
)
INSPECT = InspectToken(model="mynah", token_id=742)
DETAILS = five(INSPECT, DETAIL, unavailable=Sample(steps=((INSPECT, SPEECHLESS),)))

# ── repeat-back and logprobs ──

REPEAT = find_template("repeat-1")
ASK = RepeatBack(model="mynah", token_id=742, template=REPEAT, samples=3, temperature=0.7, controls=1)
FORM = REPEAT.question + REPEAT.prefill
REPLIES = RepeatBackResult(
    model="mynah",
    template="repeat-1",
    probe=probe(
        TOKEN,
        FORM,
        [reply(0, " Velvet curtain"), reply(1, "", "empty"), reply(2, " VelvetTurbine", "exact", -1.25)],
        reencodes=False,
    ),
    controls=(probe(token_row(512, b" lighthouse"), FORM, [reply(0, " lighthouse", "exact", -0.04)]),),
)
REPEAT_BACK = five(
    ASK,
    REPLIES,
    more=((msgspec.structs.replace(ASK, model="lyrebird"), FAILED),),
    parts=(
        ReplyPart(subject=742, sample=0, token_id=300, text=" Velvet", logprob=-0.5),
        ReplyPart(subject=742, sample=1, token_id=9, text=" I", logprob=-1.5),
    ),
    unavailable=Sample(MATRICES_ONLY, runs=True),
)

TARGETS = (" See", " the", " VelvetTurbine")
STRING_IS = find_template("string-is")
LOGPROBS_OF = {
    "mynah": (-1.41, -17.13, -0.0123),
    "mynah-instruct": (-2.5, -0.5, -8.0),
    "lyrebird": (-3.0, -4.0, float("-inf")),
}
READ_LOGPROBS = ReadLogprobs(models=tuple(LOGPROBS_OF), template=STRING_IS, token_id=742, targets=TARGETS)


def logprob_column(model: str) -> LogprobColumn:
    """Three targets; of lyrebird the second is only known to be at most so much."""
    logprobs = LOGPROBS_OF[model]
    bounded = model == "lyrebird"
    return LogprobColumn(
        model=model,
        prompt_ids=(1, 742, 2),
        prompt=STRING_IS.question.replace(SLOT, TOKEN.text) + STRING_IS.prefill,
        reencodes=not bounded,
        entropy=None if bounded else 2.3456,
        cells=tuple(
            LogprobCell(
                target=target, target_ids=(place + 50,), logprob=value, rank=None if bounded else place * 100,
                bound="at_most" if bounded and place == 1 else "exact",
            )
            for place, (target, value) in enumerate(zip(TARGETS, logprobs, strict=True))
        ),
        top=tuple(
            TopToken(token=ref(place + 5, f" {word}"), logprob=-0.5 - place) for place, word in enumerate(WORDS[:6])
        ),
    )  # fmt: skip


LOGPROBS = five(
    READ_LOGPROBS,
    LogprobTable(targets=TARGETS, columns=tuple(logprob_column(model) for model in LOGPROBS_OF)),
    unavailable=Sample(MATRICES_ONLY, runs=True),
)

# ── neighbours ──


def neighbour(token_id: int, text: str, place: int) -> Neighbour:
    """The place-th nearest, on a spiral round the subject."""
    x, y = ((1, 0), (0, 1), (-1, 0), (0, -1))[place % 4]
    norm = 0.3 + 0.05 * place
    return Neighbour(
        token=ref(token_id, text), category="ok", distance=0.05 * place, x=0.1 * x * place, y=0.07 * y * place,
        indicators={"input_norm": norm, "output_norm": 2 * norm}, meaning=0.25,
    )  # fmt: skip


NEIGHBOURHOOD = Neighbourhood(
    model="mynah", metric="cosine", space="input", subject=neighbour(742, TOKEN.text, 0),
    neighbours=tuple(neighbour(100 + place, f" {WORDS[place % len(WORDS)]}{place}", place) for place in range(1, 15)),
    variance=(0.381, 0.203), indicator_ranges={"input_norm": (0.3, 0.6, 1.0), "output_norm": (0.6, 1.2, 2.0)},
)  # fmt: skip
FIND = FindNeighbours(model="mynah", token_id=742, k=14, colour="input_norm")
NEIGHBOURS = five(FIND, NEIGHBOURHOOD, unavailable=Sample(steps=((FIND, SPEECHLESS),)))

# ── tokens side by side ──

COMPARED_ROWS = tuple(measured_row(f" {word}".encode(), 740 + place) for place, word in enumerate(WORDS[:5]))
COMPARED = CompareTokens(
    model="mynah", token_ids=tuple(row.token_id for row in COMPARED_ROWS),
    repeated=(KnownReplies(token_id=741, template="repeat-1", exact=0, samples=8),),
)  # fmt: skip
COMPARISON = TokenComparison(model="mynah", rows=COMPARED_ROWS, pairs=tuple(
    TokenPair(
        first=one.token_id, second=other.token_id, input_cosine=0.125 + place / 64, input_distance=1.5 + place / 8,
        output_cosine=-0.25 + place / 64, output_distance=2.0 + place / 8,
    )
    for place, (one, other) in enumerate(combinations(COMPARED_ROWS, 2))
))  # fmt: skip
COMPARING = five(COMPARED, COMPARISON, unavailable=Sample(steps=((COMPARED, SPEECHLESS),)))

# ── verification ──

DEFINED = {"glitchminer": "GlitchMiner", "magikarp": "Magikarp", "spelling": "Spelling"}


def definition(place: int, name: str) -> DefinitionSummary:
    return DefinitionSummary(
        name=name, title=DEFINED[name], rule="p(token) < 0.01 after each of 3 prompts", source="a paper",
        value="largest probability", verified=12 - place, weak=3, rejected=80 + place, inconclusive=5,
    )  # fmt: skip


def verdict_row(place: int) -> VerdictRow:
    verdicts = ("verified", "weak", "rejected", "inconclusive")
    cells = {
        name: VerdictCell(verdict=verdicts[(place * (which + 1)) % 4], value=0.001 * (place + which))  # type: ignore[arg-type]
        for which, name in enumerate(DEFINED)
    }
    return VerdictRow(token=ref(740 + place, f" {WORDS[place % len(WORDS)]}{place}"), category="ok", verdicts=cells)


VERDICTS = VerificationResult(
    model="mynah",
    tokens=100,
    definitions=tuple(definition(place, name) for place, name in enumerate(DEFINED)),
    pairs=(
        DefinitionPair(first="glitchminer", second="magikarp", both=9, either=14, jaccard=9 / 14),
        DefinitionPair(first="glitchminer", second="spelling", both=5, either=17, jaccard=5 / 17),
        DefinitionPair(first="magikarp", second="spelling", both=4, either=17, jaccard=4 / 17),
    ),
    indicators=(
        IndicatorScore(
            indicator="input_norm", definition="glitchminer", low_is_suspicious=True, roc_auc=0.93,
            average_precision=0.81,
        ),
    ),
    curves=(
        CallCurve(
            indicator="input_norm", definition="glitchminer", roc=((0, 0), (0.1, 0.7), (0.4, 0.95), (1, 1)),
            precision_recall=((0, 1), (0.6, 0.9), (1, 0.3)),
        ),
    ),
    rows=tuple(verdict_row(place) for place in range(20)),
    answered=300,
)  # fmt: skip
VERIFY = Verify(model="mynah", top_percent=2.0, definitions=tuple(DEFINED))
VERIFICATION = five(
    VERIFY,
    VERDICTS,
    parts=(Progress(done=40, total=100, what="tokens"),),
    unavailable=Sample(MATRICES_ONLY, steps=((msgspec.structs.replace(VERIFY, model="geometry"), LACKING),)),
)
VERIFICATION["definitions"] = Sample(steps=((VERIFY, VERDICTS),), choices={"#view": "definitions"})
VERIFICATION["curves"] = Sample(steps=((VERIFY, VERDICTS),), choices={"#view": "curves"})

# ── speakability ──

WINNER = ref(1204, " the")


def certified(token_id: int, text: str, kind: str) -> SpeakabilityRow:
    """A row with its proof: a witness, a combination of other tokens, or none."""
    token = ref(token_id, text)
    if kind == "speakable":
        witness = SpeakabilityCertificate(kind="witness", x=(0.5, -0.25, 0.125))
        return SpeakabilityRow(
            token=token, own_direction_winner=token, verdict="speakable", margin=0.5, certificate=witness,
            on_sphere=True, solid_angle=SolidAngleEstimate(log10=-12.5, stderr=0.25),
        )  # fmt: skip
    weights = SpeakabilityCertificate(kind="weights", token_ids=(1204, 300, 1412), weights=(0.55, 0.3, 0.15))
    return SpeakabilityRow(
        token=token, own_direction_winner=WINNER, verdict="unspeakable", margin=-0.25, certificate=weights
    )


def proof(kind: str, mode: str) -> SpeakabilityResult:
    return SpeakabilityResult(
        model="mynah", mode=mode, bias=True, folded=True, question="Is there a vector in the ball that it wins?",  # type: ignore[arg-type]
        tokens=1, speakable=int(kind == "speakable"), unspeakable=int(kind == "unspeakable"), undecided=0, hard=1,
        rows=(certified(742, TOKEN.text, kind),),
    )  # fmt: skip


PROVE = ProveSpeakability(model="mynah", token_ids=(742,), solid_angle=True)
PROVE_ALL = ProveSpeakability(model="mynah", token_ids=None)
SUMMARY = SpeakabilityResult(
    model="mynah", mode="ball", bias=True, folded=True, question="Is there a vector in the ball that it wins?",
    tokens=3072, speakable=3050, unspeakable=21, undecided=1, hard=60,
    rows=tuple(certified(740 + place, f" {word}", "unspeakable") for place, word in enumerate(WORDS)),
)  # fmt: skip
SPEAKABILITY = five(
    PROVE,
    proof("unspeakable", "ball"),
    more=((msgspec.structs.replace(PROVE, mode="box"), proof("speakable", "box")),),
    parts=(Progress(done=700, total=3072, what="tokens"),),
    unavailable=Sample(steps=((PROVE, SPEECHLESS),)),
)
SPEAKABILITY["all"] = Sample(steps=((PROVE_ALL, SUMMARY),))

# ── the session ──

CARD = ModelInfo(
    name="mynah", source="zoo:mynah", architecture="GPT2", dtype="float32", device="cpu", vocab_size=3072,
    tokenizer_size=3072, d_model=96,
)  # fmt: skip
STEPS: tuple[tuple[AnyRequest, AnyOutcome], ...] = (
    (LoadModel(source="zoo:mynah"), ModelLoaded(info=CARD)),
    (INSPECT, DETAIL),
    (MarkToken(model="mynah", token_id=742, text=TOKEN.text), Noted()),
    (ASK, REPLIES),
    (FIND, NEIGHBOURHOOD),
    (WriteNote(text="the replies name a curtain", model="mynah", token_id=742, tags=("odd",)), Noted()),
    (LoadModel(source="zoo:starling"), FAILED),
    (VERIFY, Cancelled()),
    (PROVE, proof("unspeakable", "ball")),
)
SESSION = {
    "full": Sample(steps=STEPS),
    "empty": Sample(NOTHING),
    "loading": Sample(steps=STEPS[:1]),
    "failed": Sample(steps=STEPS[:7]),
    "unavailable": Sample(NOTHING),
}

# ── lineage ──

LINEAGE_REQUEST = FindLineage(
    children=("mynah-instruct",), bases=("mynah", "lyrebird"), templates=tuple(map(find_template, PROMPTS))
)


def lineage_pair(candidate: str, r: float, z: float, p: float, fixed: int) -> LineagePair:
    related = r > 0.5
    rungs = (
        Rung(name="B1 r", null="which tokens are compared", p=p, z=z, effect=r, fixed=fixed, tokens=8),
        Rung(name="B2 spelling", null="the sign of each token's difference", said="too few tokens have a spelling"),
    )
    return LineagePair(
        child="mynah-instruct", candidate=candidate, verdict="related" if related else "none",
        reason="as near as a fine-tune" if related else "not related to it", r=r, r_low=r - 0.02, r_high=r + 0.02,
        auc=0.5 + r / 2, z=z, p=p, p_holm=min(1.0, 2 * p), rung="B1 r", tokens=8,
        gate="passed: never trained (zoo card)", outputs=2254,
        token_bytes=tuple(word.encode().hex() for word in WORDS[:8]),
        own=tuple(r * (3 + place / 8) for place in range(8)), others=(0.0625,) * 8, rungs=rungs,
        falling=tuple(max(p, 0.5**place) for place in range(7)),
    )  # fmt: skip


LINEAGE_FOUND = Lineage(
    pairs=(lineage_pair("mynah", 0.9462, 14.93, 8.2e-6, 8), lineage_pair("lyrebird", 0.0051, 0.251, 0.799, 1)),
    favourites=tuple(
        Favourite(
            child="mynah-instruct", template="word-is", token=ref(742 + place, word),
            output=ref(70 + place % 3, " dis"), logprob=-1.41 - place / 4,
            bases=(
                BaseLogprob(base="mynah", logprob=-1.138 - place, lift=3.25),
                BaseLogprob(base="lyrebird", logprob=-7.9 - place, lift=-0.25),
            ),
        )
        for place, word in enumerate(WORDS[:8])
    ),
    notes=("mynah-instruct, repeat-1: 1 distinct favourite: this prompt tells nothing",),
)  # fmt: skip
LINEAGES = five(
    LINEAGE_REQUEST, LINEAGE_FOUND, parts=(Progress(done=3, total=16, what="prompts of mynah"),),
    unavailable=Sample(steps=((LINEAGE_REQUEST, LACKING),)),
)  # fmt: skip

# ── the map ──


def map_view() -> MapView:
    """Rings of tokens, and a clump at the left."""
    rows, columns = GRID[1], GRID[0]
    counts = np.zeros((rows, columns), dtype=np.int64)
    ranks = np.full((rows, columns), np.nan)
    for place in range(3_000):
        angle, radius = place * 2.399963, 50 * (place / 3_000) ** 0.5
        row, column = round(64 + radius * math.sin(angle)), round(150 + 1.8 * radius * math.cos(angle))
        counts[row, column] += 1
        ranks[row, column] = place / 3_000
    counts[100:103, 20:24], ranks[100:103, 20:24] = 5, 0.01
    words = enumerate(WORDS)
    roles: tuple[Role, ...] = ("subject", "marked", "suspect", "suspect", "reference")
    points = tuple(
        MapPoint(
            token=ref(742 + place, word), category="ok", role=roles[place % 5], x=-4 + 0.9 * place,
            y=-2 + 0.4 * place, value=0.5,
        )
        for place, word in words
    )  # fmt: skip
    return MapView(
        model="mynah", plane="distance", space="input",
        x_axis=MapAxis(name="input_centroid_distance", title="input centroid distance"),
        y_axis=MapAxis(name="pc1", title="PC1 11.5 %", share=0.115), window=(-5.0, 5.0, -3.0, 3.0),
        cells=pack_cells(Cells(counts, ranks)), in_view=3_060, total=3_060, left_out=12, digest="0" * 32,
        colour="input_norm", colour_edges=(0.5, 0.6, 0.7, 0.8, 0.9, 1.0), points=points,
    )  # fmt: skip


VIEW_MAP = ViewMap(model="mynah", colour="input_norm")
READ_MAP = ReadMap(model="mynah", colour="input_norm")
MAPS = {
    "full": Sample(steps=((VIEW_MAP, map_view()),)),
    "empty": Sample(NOTHING),
    "loading": Sample(asked=READ_MAP, parts=(Progress(done=3, total=8, what="chunks of the matrix"),)),
    "failed": Sample(steps=((READ_MAP, FAILED),)),
    "unavailable": Sample(steps=((READ_MAP, SPEECHLESS),)),
}

SAMPLES: dict[str, dict[str, Sample]] = {
    "tokens": TOKENS,
    "detail": DETAILS,
    "repeat": REPEAT_BACK,
    "logprobs": LOGPROBS,
    "neighbours": NEIGHBOURS,
    "session": SESSION,
    "compare": COMPARING,
    "verdicts": VERIFICATION,
    "speakability": SPEAKABILITY,
    "lineage": LINEAGES,
    "map": MAPS,
}
"""By the tab's name and the state."""


def show_sample(pane: Pane, sample: Sample, state: str) -> None:
    """Bring `pane` into the state, as the App does."""
    for number, (request, outcome) in enumerate(sample.steps, 1):
        if isinstance(pane, SessionPane):
            pane.add(step(number, request, outcome))
        else:
            pane.show(step(number, request, outcome))
    if isinstance(pane, SessionPane) and state == "unavailable":
        pane.set_trouble("session not written: disk full")
    if sample.asked is not None:
        pane.show_asked(sample.asked)  # type: ignore[arg-type]
        for part in sample.parts:
            pane.show_part(sample.asked, part)  # type: ignore[arg-type]
    if sample.runs:
        pane.run_default()
