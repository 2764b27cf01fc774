"""Verification: many tokens tested by named definitions of a glitch token."""

from __future__ import annotations

from typing import Literal

from explorer.base.records.record import Array, Outcome, Record, Request
from explorer.base.records.repeat_back import Chat, ReplyClass
from explorer.base.records.tokens import Category, TokenRef

Verdict = Literal["verified", "weak", "rejected", "inconclusive", "not asked", "inconclusive: the controls fail too"]


VERDICTS: tuple[Verdict, ...] = (
    "verified", "weak", "rejected", "inconclusive", "not asked", "inconclusive: the controls fail too",
)  # fmt: skip
"""`verified`: a glitch token by that definition; `weak`: weakly so. Both count as called. The last: it would be one of
the two, but the definition calls ordinary tokens as well."""


class Verify(Request, kw_only=True):
    """Test many tokens by several definitions of a glitch token. Runs in the background; cancel it to pause it.

    What was answered is kept on disk by the model's digest, so asking the same again continues where it was.
    """

    model: str
    token_ids: tuple[int, ...] | None = None
    """The tokens to test; None: those of `top_percent`."""
    top_percent: float | None = None
    """The share, in percent, of the ordinary tokens (category `ok`, no reference token) with the most suspicious
    (lowest) `indicator`; None: the whole vocabulary but for padding, special and reference tokens."""
    where: str = ""
    """A filter as in the token table (`explorer.tables.filters`): only tokens that pass it, special and reference
    tokens too where it names categories or the reference tokens. Nothing where `token_ids` are named."""
    random: int = 0
    """So many of those tokens, drawn at random with `seed`: what is found of them holds for all, within its interval.
    0: all of them. Nothing where `token_ids` are named."""
    indicator: str = ""
    """Empty: the model's default indicator."""
    definitions: tuple[str, ...] = ()
    """Names, see `DefinitionSummary`; empty: all but `sampled` and `magikarp-released`, which take long, and
    `speakability`, which needs proofs. `geometric` stands for the default indicator's, `all` for every one."""
    samples: int = 8
    """Of the `sampled` definition."""
    seed: int = 0
    chat: Chat = "auto"
    """`auto`: through the tokenizer's chat template where there is one and the form allows it."""
    fresh: bool = False
    """Ask again also what has been answered before."""
    controls: int = 0
    """Ordinary tokens that are asked the same, once for all tokens; definitions are judged against them. 0: none."""
    cascade: bool = False
    """Whether a token is spared the dearer prompts of a definition where a cheaper one has settled the verdict. The
    verdicts are the same; a value is then that of the prompts asked, so P(token) of a rejected token may be higher."""
    rows: int = 100
    """Tokens listed in the result."""

    @property
    def is_sample(self) -> bool:
        """Whether the tokens are drawn at random from the whole vocabulary (but for what is set aside)."""
        return self.random > 0 and self.token_ids is None and self.top_percent is None and not self.where

    def problem(self) -> str:
        return "" if self.random >= 0 else f"{self.random} tokens cannot be drawn"


class VerdictPart(Record, kw_only=True, tag_field="kind", tag=True):
    """Verdicts about some tokens, as a sweep goes on."""

    token_ids: Array
    """int32 [n]."""
    verdicts: dict[str, Array]
    """By definition: index into `VERDICTS`, uint8 [n]."""
    values: dict[str, Array]
    """By definition: its number, float32 [n]; NaN where there is none."""


class ReplyCounts(Record, kw_only=True):
    """Replies by what they say."""

    exact: int
    """The token and nothing else."""
    said: int
    """Exact, or with the token among other words (`contains`)."""
    replies: int


class ControlCounts(Record, kw_only=True):
    """What a definition says of ordinary tokens."""

    called: int
    """Verified or weak: as if they were glitch tokens."""
    tokens: int
    """Those on which it has a verdict."""
    replies: ReplyCounts | None = None
    fail: bool = False
    """Whether it calls so many that its calls say nothing."""


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
    silenced: int = 0
    """Of the inconclusive ones, those that would be called if the controls did not fail too."""
    replies: ReplyCounts | None = None
    """Where the rule looks at what replies say."""
    controls: ControlCounts | None = None
    """None: no controls were asked."""


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
    skipped: int = 0
    """Prompts that were not asked, because a cheaper one had settled the verdict (`Verify.cascade`)."""
    tokens_per_second: float = 0.0
    """Of the work of the model; 0 where all was on disk."""
    how: str = ""
    """The dtype, the device and the threads: 'float32 on cpu, 2 threads'."""
    controls: tuple[TokenRef, ...] = ()
    """The ordinary tokens that were asked the same."""
    digest: str = ""
    """SHA-256 of ids (int32) and verdicts (uint8, definition by definition), first 32 hex digits."""


class ReadVerdicts(Request, kw_only=True):
    """Read the whole matrix of a sweep from disk, without running the model. Never stands in a session file."""

    of: Verify


class VerdictColumns(Outcome, kw_only=True):
    """Tokens by definitions. `explorer.tables.verdicts.VerdictMatrix` reads it."""

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
    asked: bool = True
    """False where a cheaper prompt had settled the verdict."""
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
