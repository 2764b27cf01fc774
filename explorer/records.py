"""Every Request and Outcome: what a user can ask, and what comes back. Plain data; no torch, no textual.

A Request is in the imperative (`RepeatBack`), an Outcome a noun (`RepeatBackResult`); `Failure` and
`Cancelled` are Outcomes like any other. The same records travel through the engine's pipe (msgpack,
`explorer.engine.frames`), stand in session files (JSON, `dump_json`/`load_json`) and feed the panes.

Log-probabilities are natural logarithms (nats); probabilities are never stored. A rank of 0 is the best.
Token bytes are hexadecimal strings; `text` is those bytes decoded as UTF-8 with U+FFFD for what is not, and
goes to a screen only through `explorer.text.visible`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeVar, dataclass_transform

import msgspec

from explorer.templates import Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

Category = Literal["ok", "special", "byte", "fragment", "unreachable", "padding"]
CATEGORIES: tuple[Category, ...] = ("ok", "special", "byte", "fragment", "unreachable", "padding")
"""`fragment`: not valid UTF-8 alone; `unreachable`: does not re-encode to itself; `padding`: beyond the tokenizer."""

Metric = Literal["euclidean", "cosine", "dot"]
Space = Literal["input", "output"]
Chat = Literal["auto", "never"]
Verdict = Literal["verified", "weak", "rejected", "inconclusive", "not asked"]
VERDICTS: tuple[Verdict, ...] = ("verified", "weak", "rejected", "inconclusive", "not asked")
"""`verified`: a glitch token by that definition; `weak`: weakly so. Both count as called."""
SpeakMode = Literal["ball", "box", "cone", "own_direction"]
"""Which x a token may win at: of norm at most sqrt(d_model); of entries within 1; any; only along its own row."""
Speakability = Literal["speakable", "unspeakable", "undecided"]
SPEAKABILITIES: tuple[Speakability, ...] = ("speakable", "unspeakable", "undecided")
ReplyClass = Literal["exact", "contains", "variant", "spelled", "loops", "empty", "other"]
Finish = Literal["eos", "closing", "length", "loop", "cancelled"]

INDICATORS: dict[str, str] = {
    "input_norm": "L2 norm of the token's row of W_E",
    "input_centroid_distance": "Euclidean distance of the row of W_E to the mean row",
    "input_centroid_cosine": "cosine of the row of W_E and the mean row",
    "output_norm": "L2 norm of the token's column of W_U",
    "output_centroid_distance": "Euclidean distance of the column of W_U to the mean column",
    "output_centroid_cosine": "cosine of the column of W_U and the mean column",
    "unused_cosine_distance": "cosine distance of the column of W_U to the mean of the known-unused ones",
    "unused_cosine_distance_centred": "the same after subtracting the mean column of W_U",
    "unused_cosine_distance_no_pc1": "cosine distance to the known-unused mean, without the first principal component",
    "unused_l2_distance": "Euclidean distance of the column of W_U to the mean of the known-unused ones",
    "output_bias": "the head's bias for the token",
}
"""Every indicator by name, with its meaning, in column order. Absent ones are left out of an Outcome."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records: frozen, keyword-only."""


class Array(Record, kw_only=True):
    """A NumPy array on its way through the pipe: dtype name, shape and C-ordered bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> Array:
        """Pack `array`, of any shape and a fixed-size dtype."""
        import numpy as np

        packed = np.ascontiguousarray(array)
        return cls(dtype=packed.dtype.str, shape=tuple(packed.shape), data=packed.tobytes())

    @classmethod
    def of_tokens(cls, tokens: Sequence[bytes]) -> tuple[Array, Array]:
        """All tokens' bytes one after the other, uint8, and where each one's begin, int64 [n + 1]."""
        import numpy as np

        offsets = np.cumsum([0, *map(len, tokens)], dtype=np.int64)
        return cls.of(np.frombuffer(b"".join(tokens), dtype=np.uint8)), cls.of(offsets)

    def numpy(self) -> npt.NDArray[Any]:
        """The array, read-only, without a copy."""
        import numpy as np

        return np.frombuffer(self.data, dtype=np.dtype(self.dtype)).reshape(self.shape)


class Request(Record, kw_only=True, tag_field="kind", tag=True):
    """What a user asks."""


class Outcome(Record, kw_only=True, tag_field="kind", tag=True):
    """What came back."""


# ── every outcome's two unhappy kin ───────────────────────────────────────────────────────────────────────


class Failure(Outcome, kw_only=True):
    """The request could not be answered; the engine and its models are as they were."""

    message: str
    """What happened, one line, with numbers."""
    hint: str = ""
    """What to do about it."""


class Cancelled(Outcome, kw_only=True):
    """The user stopped the request; `partial` is what had been gathered, if anything."""

    partial: RepeatBackResult | LogprobTable | VerificationResult | CertifyResult | None = None


# ── models ────────────────────────────────────────────────────────────────────────────────────────────────


class ModelInfo(Record, kw_only=True):
    """A loaded model: where it came from and what it is. Enough to load the same one again elsewhere."""

    name: str
    """Short unique name in the roster, as requests use it."""
    source: str
    """Source string: `zoo:mynah`, a directory, a hub id, `weights:…`. Directories are shown by their last part
    in session files (`explorer.sessions` cuts them)."""
    architecture: str
    revision: str = ""
    """Commit of a hub model; empty for a directory."""
    weights_digest: str = ""
    """SHA-256 of the safetensors files' content (names, shapes, bytes), hexadecimal, first 32 digits."""
    tokenizer_digest: str = ""
    """SHA-256 of the vocabulary (every id's bytes, in order), hexadecimal, first 32 digits."""
    dtype: str
    device: str
    vocab_size: int
    """Rows of the embedding matrix."""
    tokenizer_size: int
    """Ids the tokenizer knows; rows from here on are padding."""
    d_model: int
    n_layers: int = 0
    n_parameters: int = 0
    context: int = 0
    """Longest prompt + reply in tokens; 0 where there is no limit known."""
    tied: bool = False
    has_chat_template: bool = False
    can_run: bool = True
    """False for `weights:` sources: geometry only."""
    memory_bytes: int = 0
    """Bytes its parameters take on the device."""


class DeviceMemory(Record, kw_only=True):
    """Memory of one device, in bytes."""

    device: str
    used: int
    """Taken by this engine."""
    free: int
    total: int


class LoadModel(Request, kw_only=True):
    """Load a model into the roster (a second load of the same source and dtype is answered at once)."""

    source: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    allow_pickle: bool = False


class ModelLoaded(Outcome, kw_only=True):
    info: ModelInfo


class UnloadModel(Request, kw_only=True):
    model: str


class ModelUnloaded(Outcome, kw_only=True):
    model: str


class ReadRoster(Request, kw_only=True):
    """Which models are loaded and how much memory is left."""


class Roster(Outcome, kw_only=True):
    models: tuple[ModelInfo, ...]
    devices: tuple[DeviceMemory, ...]


class ListModels(Request, kw_only=True):
    """What could be loaded without the network: the zoo and what the hub cache holds."""


class CatalogueEntry(Record, kw_only=True):
    source: str
    origin: Literal["zoo", "hub cache"]
    description: str = ""
    size_bytes: int = 0
    loaded: bool = False


class ModelCatalogue(Outcome, kw_only=True):
    entries: tuple[CatalogueEntry, ...]


# ── the vocabulary and its indicators ─────────────────────────────────────────────────────────────────────


class TokenRef(Record, kw_only=True):
    """A token named beside another."""

    token_id: int
    token_bytes: str
    text: str


class UnusedReference(Record, kw_only=True):
    """A token taken as known-unused, and why (`byte never in UTF-8`, `name`, `padding row`, `chosen`)."""

    token_id: int
    reason: str


class ReadVocabulary(Request, kw_only=True):
    """Read every token of a model with all indicators, as columns. Never stands in a session file."""

    model: str
    unused_ids: tuple[int, ...] | None = None
    """Known-unused reference; None: found automatically."""


class VocabularyColumns(Outcome, kw_only=True):
    """A whole vocabulary, one entry per embedding row. `explorer.table.TokenColumns` reads it."""

    model: str
    token_bytes: Array
    """uint8 [total bytes], all tokens' bytes one after the other."""
    offsets: Array
    """int64 [vocab + 1], where each token's bytes begin."""
    categories: Array
    """uint8 [vocab], index into `CATEGORIES`."""
    indicators: dict[str, Array]
    """name → float32 [vocab]; absent indicators are left out."""
    default_indicator: str
    default_rule: str
    """Which rule picked the default indicator, in words."""
    unused: tuple[UnusedReference, ...]
    notes: tuple[str, ...] = ()
    """Remarks such as '3 rows hold NaN'."""
    flags: dict[str, Array] = {}
    """name → bool [vocab], such as 'published' or 'withheld' (zoo ground truth)."""


class RankTokens(Request, kw_only=True):
    """A view of the token table: filtered, sorted, and a window of its rows."""

    model: str
    sort: str = ""
    """Indicator name, `id`, `token`, `category`, `bytes`; empty: the default indicator."""
    descending: bool = False
    filter: str = ""
    """See `explorer.table.parse_filter`: text, /regex/, id ranges, bytes, category, percentile ranges."""
    category: Category | None = None
    top: int = 50
    """Rows returned."""
    first: int = 0
    """Position in the view of the first row returned."""
    cursor: int | None = None
    """Position of the cursor, where a screen had one."""
    unused_ids: tuple[int, ...] | None = None


class TokenRow(Record, kw_only=True):
    token_id: int
    token_bytes: str
    text: str
    category: Category
    indicators: dict[str, float]
    percentiles: dict[str, float]
    """Mid-rank percentile of each indicator among the tokens that are not padding, 0 to 100."""
    robust_z: dict[str, float]
    """(value − median) / (1.4826 · median absolute deviation), among the same tokens."""
    flags: tuple[str, ...] = ()
    """Names of the flags the token carries ('withheld'), as far as they were recorded."""


class RankedTokens(Outcome, kw_only=True):
    model: str
    sort: str
    default_rule: str
    rows: tuple[TokenRow, ...]
    matching: int
    """Tokens that pass the filter."""
    total: int
    """Tokens in the vocabulary."""
    digest: str
    """SHA-256 of the order (ids, int64) and of the indicator columns (float32), first 32 hex digits."""
    notes: tuple[str, ...] = ()
    """Remarks on the vocabulary, such as '3 rows hold NaN'."""
    flags: tuple[str, ...] = ()
    """Every flag that a token of the vocabulary may carry, in column order."""
    formats: dict[str, tuple[int, int]] = {}
    """How a screen wrote each indicator: cells and decimals, chosen from the whole column."""


class InspectToken(Request, kw_only=True):
    """Everything known of one token, named by its id or by its exact bytes."""

    model: str
    token_id: int | None = None
    token_bytes: str = ""
    unused_ids: tuple[int, ...] | None = None


class PublishedFact(Record, kw_only=True):
    """What a published list says of this token, with its source."""

    model: str
    list_name: str
    statement: str


class MergeStep(Record, kw_only=True):
    """One BPE merge."""

    left: TokenRef
    right: TokenRef
    whole: TokenRef


class TokenDetail(Outcome, kw_only=True):
    model: str
    row: TokenRow
    merge_parents: tuple[TokenRef, ...] = ()
    """The two tokens a BPE merge joined, where there was one."""
    merge_path: tuple[MergeStep, ...] = ()
    """Every merge that leads to the token, its own last."""
    swallowed_by: tuple[TokenRef, ...] = ()
    """The tokens of whose merge this one is a part, by id, at most 50."""
    contained_in: tuple[TokenRef, ...] = ()
    """Tokens whose bytes contain this one's, shortest first, at most 50."""
    contained_in_count: int = 0
    reencodes_to: tuple[TokenRef, ...] = ()
    """What the tokenizer makes of the token's text."""
    published: tuple[PublishedFact, ...] = ()
    ground_truth: str = ""
    """What a zoo card says of the token ('withheld: whimsical'), empty elsewhere."""
    is_unused_reference: bool = False


# ── behaviour ─────────────────────────────────────────────────────────────────────────────────────────────


class RepeatBack(Request, kw_only=True):
    """Ask a model to repeat one token. The id goes into the template's slots, never its text."""

    model: str
    token_id: int
    template: Template
    samples: int = 1
    temperature: float = 0.0
    """0: greedy."""
    top_p: float = 1.0
    seed: int = 0
    max_new_tokens: int | None = None
    """None: the template's own."""
    controls: int = 0
    """Ordinary tokens of like category and length that are asked the same, for comparison."""
    chat: Chat = "auto"
    """`auto`: the tokenizer's chat template where there is one and the template allows it."""


class ReplyPart(Record, kw_only=True, tag_field="kind", tag=True):
    """One token of a reply as it is produced."""

    subject: int
    """The token asked about: the request's own or a control's."""
    sample: int
    token_id: int
    text: str
    logprob: float


class Reply(Record, kw_only=True):
    sample: int
    reply_ids: tuple[int, ...]
    reply: str
    outcome: ReplyClass
    finish: Finish
    token_logprob: float | None
    """Greatest log-probability given to the subject's id within the template's window of reply positions."""
    token_rank: int | None
    """The subject's rank at that position."""
    token_position: int | None
    """That position, 0 the first reply token."""
    logprobs: tuple[float, ...]
    """Log-probability of each reply token."""


class Probe(Record, kw_only=True):
    """All replies about one token."""

    token: TokenRef
    prompt_ids: tuple[int, ...]
    prompt: str
    slot_positions: tuple[int, ...]
    """Where the token stands in `prompt_ids`."""
    reencodes: bool
    """Whether the prompt's text would be tokenised to the same ids."""
    replies: tuple[Reply, ...]
    exact: int
    """How many replies are exact."""
    interval: tuple[float, float]
    """Wilson 95 % interval of the share of exact replies."""


class RepeatBackResult(Outcome, kw_only=True):
    model: str
    template: str
    probe: Probe
    controls: tuple[Probe, ...] = ()


class ReadLogprobs(Request, kw_only=True):
    """Next-token log-probabilities of chosen targets after one prompt, in several models."""

    models: tuple[str, ...]
    prompt: str = ""
    """Free text, tokenised by each model; `{token}` in it is a slot."""
    template: Template | None = None
    """Instead of `prompt`."""
    token_id: int | None = None
    """For the slot: an id of the first model; other models get the id with the same bytes."""
    targets: tuple[str, ...] = ()
    """Target texts."""
    token_is_target: bool = False
    """Whether the token itself is the first target, by its id; it need not stand in the prompt then."""
    top_of: str = ""
    """Also take the `top_k` tokens of this model (empty: of the first) as targets when there are no `targets`."""
    top_k: int = 10
    chat: Chat = "auto"


class TopToken(Record, kw_only=True):
    token: TokenRef
    logprob: float


class LogprobCell(Record, kw_only=True):
    """One target in one model."""

    target: str
    target_ids: tuple[int, ...]
    logprob: float
    """Sum over the target's tokens where it is several in this model."""
    rank: int | None
    """None where the target is several tokens."""


class LogprobColumn(Record, kw_only=True):
    """One model's answer."""

    model: str
    prompt_ids: tuple[int, ...]
    prompt: str
    slot_as_text: bool = False
    """True where this model has no token of the same bytes and the slot took several ids."""
    reencodes: bool = True
    entropy: float
    """Of the next-token distribution, nats."""
    cells: tuple[LogprobCell, ...]
    top: tuple[TopToken, ...]


class LogprobTable(Outcome, kw_only=True):
    targets: tuple[str, ...]
    columns: tuple[LogprobColumn, ...]


class FindNeighbours(Request, kw_only=True):
    """Exact nearest neighbours of a token among a model's embeddings, and their projection to the plane."""

    model: str
    token_id: int
    k: int = 20
    metric: Metric = "cosine"
    space: Space = "input"
    """`input`: rows of W_E; `output`: columns of W_U."""
    encoder: str = ""
    """A sentence-transformers directory or id: also compare the tokens' texts by meaning."""


class Neighbour(Record, kw_only=True):
    token: TokenRef
    category: Category
    distance: float
    """Euclidean distance, 1 − cosine, or minus the dot product: smaller is nearer."""
    x: float
    y: float
    indicators: dict[str, float]
    meaning: float | None = None
    """Cosine of the sentence embeddings of the two texts, where an encoder was given."""


class Neighbourhood(Outcome, kw_only=True):
    model: str
    metric: Metric
    space: Space
    subject: Neighbour
    """The token itself, at distance 0 (dot: minus its squared norm)."""
    neighbours: tuple[Neighbour, ...]
    """Nearest first; ties by id."""
    variance: tuple[float, float]
    """Share of the neighbourhood's variance on each axis of the plane (PCA)."""
    indicator_ranges: dict[str, tuple[float, float, float]]
    """5th percentile, median and 95th percentile of each indicator over the vocabulary, for a colour scale."""


# ── verification of whole vocabularies ────────────────────────────────────────────────────────────────────


class Verify(Request, kw_only=True):
    """Test many tokens by several definitions of a glitch token. Runs in the background; cancel it to pause it.

    What was answered is kept on disk by the model's digest, so asking the same again goes on where it was.
    """

    model: str
    token_ids: tuple[int, ...] | None = None
    """The tokens to test; None: those of `top_percent`."""
    top_percent: float | None = None
    """The share, in percent, of the tokens with the most suspicious (lowest) `indicator`; None: the whole
    vocabulary but for padding rows."""
    indicator: str = ""
    """Empty: the model's default indicator."""
    definitions: tuple[str, ...] = ()
    """Names, see `DefinitionSummary`; empty: all but `sampled` and `magikarp-released`, which take long. `geometric`
    stands for the default indicator's, `all` for every one."""
    samples: int = 8
    """Of the `sampled` definition."""
    seed: int = 0
    fresh: bool = False
    """Ask again also what has been answered before."""
    rows: int = 100
    """Tokens listed in the result."""


class VerdictPart(Record, kw_only=True, tag_field="kind", tag=True):
    """Verdicts about some tokens, as a sweep goes on."""

    token_ids: Array
    """int32 [n]."""
    verdicts: dict[str, Array]
    """By definition: index into `VERDICTS`, uint8 [n]."""
    values: dict[str, Array]
    """By definition: its number, float32 [n]; NaN where there is none."""


class DefinitionSummary(Record, kw_only=True):
    """A definition and what it found."""

    name: str
    title: str
    rule: str
    source: str
    value: str
    """What the number beside a verdict is, in words: 'greatest P(token)'."""
    verified: int
    weak: int
    rejected: int
    inconclusive: int


class DefinitionPair(Record, kw_only=True):
    """How far two definitions call the same tokens (verified or weak)."""

    first: str
    second: str
    both: int
    either: int
    jaccard: float


class TruthScore(Record, kw_only=True):
    """A definition against what is known to be true, over the tokens on which it gives a verdict."""

    definition: str
    truth: str
    """What is known: 'withheld (zoo card)', 'named in Fishing for Magikarp …'."""
    true_positives: int
    false_positives: int
    false_negatives: int
    undecided: int
    """True ones on which the definition is inconclusive; they count in neither number below."""
    precision: float | None
    recall: float | None


class IndicatorScore(Record, kw_only=True):
    """How well an indicator foretells a definition's calls, over the tokens tested."""

    indicator: str
    definition: str
    low_is_suspicious: bool
    """The side on which it foretells them better."""
    roc_auc: float
    average_precision: float


class CallCurve(Record, kw_only=True):
    """The default indicator against one definition's calls, as curves of at most 33 points."""

    indicator: str
    definition: str
    roc: tuple[tuple[float, float], ...]
    """False-positive rate, true-positive rate."""
    precision_recall: tuple[tuple[float, float], ...]
    """Recall, precision."""


class VerdictCell(Record, kw_only=True):
    verdict: Verdict
    value: float | None


class VerdictRow(Record, kw_only=True):
    """One token's verdicts."""

    token: TokenRef
    category: Category
    verdicts: dict[str, VerdictCell]
    """By definition."""


class VerificationResult(Outcome, kw_only=True):
    """What a sweep found, small enough for a session; `ReadVerdicts` reads the whole matrix."""

    model: str
    tokens: int
    """Tokens tested."""
    definitions: tuple[DefinitionSummary, ...]
    pairs: tuple[DefinitionPair, ...]
    truths: tuple[TruthScore, ...] = ()
    indicators: tuple[IndicatorScore, ...] = ()
    curves: tuple[CallCurve, ...] = ()
    rows: tuple[VerdictRow, ...] = ()
    """Called tokens: those that most definitions call first, then by id; as many as were asked for."""
    notes: tuple[str, ...] = ()
    """Such as a prompt that does not fit the model's context."""
    answered: int = 0
    """Prompts answered by the model for this."""
    reused: int = 0
    """Prompts whose answers were on disk."""
    tokens_per_second: float = 0.0
    """Of the work of the model; 0 where all was on disk."""
    digest: str = ""
    """SHA-256 of ids (int32) and verdicts (uint8, definition by definition), first 32 hex digits."""


class ReadVerdicts(Request, kw_only=True):
    """Read the whole matrix of a sweep from disk, without running the model. Never stands in a session file."""

    of: Verify


class VerdictColumns(Outcome, kw_only=True):
    """Tokens by definitions. `explorer.verdicts.VerdictMatrix` reads it."""

    model: str
    source: str
    token_ids: Array
    """int32 [n], in the order in which they are tested."""
    token_bytes: Array
    """uint8, the tokens' bytes one after the other."""
    offsets: Array
    """int64 [n + 1]."""
    categories: Array
    """uint8 [n], index into `CATEGORIES`."""
    indicators: dict[str, Array]
    """float32 [n]."""
    flags: dict[str, Array]
    """bool [n], such as 'published', 'withheld'."""
    definitions: tuple[DefinitionSummary, ...]
    verdicts: Array
    """uint8 [definitions, n], index into `VERDICTS`; 'not asked' where the sweep has not been."""
    values: Array
    """float32 [definitions, n]."""
    default_indicator: str
    main_indicator: str
    """The one by which the tokens were chosen and ordered."""


class ReadEvidence(Request, kw_only=True):
    """What stands behind one cell of the matrix."""

    of: Verify
    definition: str
    token_id: int


class PromptEvidence(Record, kw_only=True):
    """One prompt about the token and what came of it."""

    template: str
    prompt_ids: tuple[int, ...]
    prompt: str
    slot_positions: tuple[int, ...]
    reencodes: bool
    """Whether the prompt's text is tokenised to the same ids."""
    reply_ids: tuple[int, ...] = ()
    reply: str = ""
    logprobs: tuple[float, ...] = ()
    """The token's log-probability at each reply place; also at that where the reply ended."""
    classes: tuple[ReplyClass, ...] = ()
    """Of sampled replies (`RepeatBack` with the same seed, temperature 0.7 and top-p 0.95 gives their texts)."""


class VerdictEvidence(Outcome, kw_only=True):
    """A verdict with what it rests on."""

    model: str
    token: TokenRef
    definition: DefinitionSummary
    cell: VerdictCell
    prompts: tuple[PromptEvidence, ...]
    """Empty for definitions on the weights alone."""


class SelfTest(Request, kw_only=True):
    """Test this program on a loaded model against published lists, or against the zoo's ground truth."""

    model: str


class BoxLine(Record, kw_only=True):
    """The post's linear program about one token, beside our verdict."""

    bias: bool
    listed_best: int
    """Who wins at the optimum that the post printed: the token itself where it was found speakable."""
    verdict: Speakability
    margin: float
    agrees: bool | None
    """None where we leave it undecided."""


class HardLine(Record, kw_only=True):
    """One token of the post's list of tokens hard to speak."""

    token: TokenRef
    listed_winner: int
    """Who wins along the token's own direction, as printed."""
    winner: TokenRef
    """Who wins there by our numbers."""
    lead: float
    """By how much our winner is ahead of the printed one; 0 where they are the same."""
    boxes: tuple[BoxLine, ...] = ()


class HardListScore(Record, kw_only=True):
    """The published list of tokens hard to speak, line by line."""

    list_name: str
    statement: str
    agreed: int
    """Lines whose own-direction winner is ours."""
    boxes: int
    boxes_agreed: int
    not_listed: int
    """Tokens hard to speak by our numbers that the list has not."""
    examples: tuple[TokenRef, ...]
    """The first of those."""
    lines: tuple[HardLine, ...]


class SelfTestResult(Outcome, kw_only=True):
    """How far this program and the list agree."""

    model: str
    list_name: str
    statement: str
    """What was compared with what, in a sentence or two."""
    listed: int
    """Tokens the list names."""
    tested: int
    """Tokens verified for this: the candidates and the listed ones."""
    score: TruthScore
    """Of the magikarp definition against the list, over the tokens tested."""
    rank_correlation: float | None
    """Spearman's, between our indicator and the list's numbers over the listed tokens (zoo: between our indicator
    and how often the token occurred in training, over all tokens)."""
    correlated: str
    """Which two numbers those are."""
    within_a_decade: float | None
    """Share of the listed tokens whose P(token) is within a factor of 10 of the list's; None where it has none."""
    disagreements: tuple[VerdictRow, ...] = ()
    """Listed tokens we do not call and called ones not listed, at most 50."""
    hard_to_speak: HardListScore | None = None
    """Where a list of such tokens is about this model."""


# ── speakability: which tokens a model can say at all ─────────────────────────────────────────────────────


class Certify(Request, kw_only=True):
    """Which tokens can be the argmax of the logits, each answer with a proof. Whole vocabularies run in the
    background; cancel to pause. What was settled is kept on disk by the weights, so asking again goes on from there.
    """

    model: str
    mode: SpeakMode = "ball"
    token_ids: tuple[int, ...] | None = None
    """None: all but padding rows."""
    hard: bool = False
    """Of those, only the tokens that another one beats along their own direction."""
    bias: bool = True
    """Whether the head's bias and the final norm's count; the cone has none."""
    folded: bool = True
    """Whether the final norm's scale is folded into the weights."""
    solid_angle: bool = False
    """Also estimate the share of directions in which a speakable token wins (no bias)."""
    seed: int = 0
    """Of the solid angle."""
    fresh: bool = False
    """Settle again what is on disk."""
    rows: int = 20
    """Tokens listed in the result."""


class SpeakPart(Record, kw_only=True, tag_field="kind", tag=True):
    """Tokens settled, as a run goes on; first those that were settled before."""

    mode: SpeakMode
    """`own_direction` at the beginning of every run, then that of the request."""
    token_ids: Array
    """int32 [n]."""
    verdicts: Array
    """Index into `SPEAKABILITIES`, uint8 [n]."""
    margins: Array
    """float64 [n]."""
    winners: Array
    """Who wins along the token's own direction, int32 [n]."""


class SpeakCertificate(Record, kw_only=True):
    """What proves a verdict, see `explorer.core.speakability.questions`."""

    kind: Literal["witness", "row_witness", "weights"]
    """`witness`: wins at `x`; `row_witness`: wins along its own row less the mean row; `weights`: so weighted, the
    tokens of `token_ids` together score at least what the token scores, wherever x may be."""
    x: tuple[float, ...] = ()
    token_ids: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    centre: float = 0.0
    """Weight on the mean of all rows."""


class SpeakAngle(Record, kw_only=True):
    """The share of directions in which a token wins."""

    log10: float
    stderr: float
    """Standard error of `log10`."""
    seed: int = 0
    found: bool = True
    """False where the search ended before the region was reached: the share is below 10^log10."""


class SpeakRow(Record, kw_only=True):
    """What was found of one token."""

    token: TokenRef
    own_direction_winner: TokenRef
    verdict: Speakability
    """In mode `own_direction`: `speakable` where the token itself wins, else `undecided`: elsewhere it may win."""
    margin: float
    """Speakable: it leads by at least this at the witness. Else it leads by no more than this at any admissible x
    (`own_direction`: at its own direction)."""
    certificate: SpeakCertificate | None = None
    on_sphere: bool | None = None
    """In the ball: whether it wins somewhere on the sphere (False: no such place was found); None: not looked for."""
    solid_angle: SpeakAngle | None = None


class CertifyResult(Outcome, kw_only=True):
    """What a run found, small enough for a session; `ReadCertificates` reads it all."""

    model: str
    mode: SpeakMode
    bias: bool
    folded: bool
    question: str
    """Which x are admissible, in a sentence."""
    tokens: int
    """Tokens settled."""
    speakable: int
    unspeakable: int
    undecided: int
    hard: int
    """Tokens that another one beats along their own direction."""
    rows: tuple[SpeakRow, ...] = ()
    """The tokens named; else the unspeakable first, then undecided, then hard ones, without the witnesses' numbers."""
    names: tuple[TokenRef, ...] = ()
    """The tokens that weigh most in the proofs of these rows."""
    notes: tuple[str, ...] = ()
    reused: int = 0
    """Tokens whose verdicts were on disk."""
    tokens_per_second: float = 0.0
    """Of the work done now."""
    digest: str = ""
    """SHA-256 of ids and own-direction winners (int32) and verdicts (uint8), first 32 hex digits."""


class ReadCertificates(Request, kw_only=True):
    """Read all that is on disk of a run. Never stands in a session file."""

    of: Certify


class Certificates(Outcome, kw_only=True):
    """Every settled token of a run."""

    model: str
    mode: SpeakMode
    bias: bool
    folded: bool
    digest: str
    """SHA-256 of the numbers that the proofs are about, first 32 hex digits."""
    rows: tuple[SpeakRow, ...]
    """By id."""


class CheckCertificates(Request, kw_only=True):
    """Check proofs anew, with the checker that knows nothing of how they were found. Never stands in a session file."""

    model: str
    mode: SpeakMode
    bias: bool
    folded: bool
    digest: str
    """As `Certificates` has it."""
    rows: tuple[SpeakRow, ...]


class CertificatesChecked(Outcome, kw_only=True):
    """Which proofs hold."""

    model: str
    proved: int
    undecided: int
    """Tokens of which nothing is claimed but a bound or an own-direction winner."""
    refused: tuple[int, ...]
    """Ids whose proof, or something else that is said of them, does not hold."""
    notes: tuple[str, ...] = ()
    """What is said of these tokens that no certificate proves."""


# ── what the user does with what came back (answered without the engine) ─────────────────────────────────


class MarkToken(Request, kw_only=True):
    model: str
    token_id: int
    text: str = ""
    marked: bool = True


class WriteNote(Request, kw_only=True):
    """A remark in the session, on a step (its number) or a token, or on neither."""

    text: str
    step: int | None = None
    model: str = ""
    token_id: int | None = None
    tags: tuple[str, ...] = ()
    """Words to find the note, its step or its token by."""


class Noted(Outcome, kw_only=True):
    """A mark or a note was taken down."""


# ── progress and parts, on their way from the engine ──────────────────────────────────────────────────────


class Progress(Record, kw_only=True, tag_field="kind", tag=True):
    """How far a request is. `total` 0 where that is not known."""

    done: int
    total: int
    what: str
    """What is counted, in words: 'shards', 'samples'."""
    rate: float = 0.0
    """Of those, done in a second; 0 where that is not measured."""
    seconds_left: float | None = None
    """At that rate."""


AnyRequest = (
    LoadModel
    | UnloadModel
    | ReadRoster
    | ListModels
    | ReadVocabulary
    | RankTokens
    | InspectToken
    | RepeatBack
    | ReadLogprobs
    | FindNeighbours
    | Verify
    | ReadVerdicts
    | ReadEvidence
    | SelfTest
    | Certify
    | ReadCertificates
    | CheckCertificates
    | MarkToken
    | WriteNote
)
AnyOutcome = (
    Failure
    | Cancelled
    | ModelLoaded
    | ModelUnloaded
    | Roster
    | ModelCatalogue
    | VocabularyColumns
    | RankedTokens
    | TokenDetail
    | RepeatBackResult
    | LogprobTable
    | Neighbourhood
    | VerificationResult
    | VerdictColumns
    | VerdictEvidence
    | SelfTestResult
    | CertifyResult
    | Certificates
    | CertificatesChecked
    | Noted
)
AnyPart = Progress | ReplyPart | VerdictPart | SpeakPart


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────


class Step(Record, kw_only=True, tag_field="kind", tag=True):
    """One thing asked and what came back."""

    number: int
    at: str
    """UTC time of the answer, ISO 8601 with seconds."""
    seconds: float
    request: AnyRequest
    outcome: AnyOutcome


# ── JSON, with the numbers that JSON has no word for ──────────────────────────────────────────────────────

T = TypeVar("T")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def to_plain(record: Any) -> Any:
    """`record` as dicts, lists and scalars ready for JSON; infinities and NaN become 'inf', '-inf', 'nan'."""
    return _plain(msgspec.to_builtins(record))


def dump_json(record: Any) -> bytes:
    """One line of JSON, keys in the order of the record's fields."""
    return msgspec.json.encode(to_plain(record))


def load_json(line: bytes | str, kind: type[T] | Any) -> T:
    """The record of type `kind` in one line of JSON; raises `msgspec.DecodeError` where it is none."""
    loaded: T = msgspec.json.decode(line, type=kind, strict=False)
    return loaded
