"""Lineage: which base an instruct model came from, by what both say after tokens that were never trained."""

from __future__ import annotations

from typing import Literal

from explorer.base.records.lineage_children import Bifurcation, Collapse, SampledReplies
from explorer.base.records.lineage_tables import PublishedLogprob, PublishedVerdict
from explorer.base.records.lineage_tree import LineageTree
from explorer.base.records.record import Outcome, Record, Request
from explorer.base.records.repeat_back import Chat
from explorer.base.records.tokens import TokenRef
from explorer.base.templates import Template

Verdict = Literal["related", "none", "cannot tell"]
FEWEST = 7
"""Tokens below which no verdict is given: 7 permutations can have p = 1 / 7! = .0002 at best."""
CHOSEN = 20
"""Tokens asked about where none are named; p can then be 4e-19."""
MOST = 200
ALPHA = 0.001
MOST_SAMPLES = 256
PROMPTS = ("word-is", "string-is", "glitchminer", "magikarp-dialogue")
"""Templates that leave the answer open to the token."""


class FindLineage(Request, kw_only=True):
    """Test each child against each base: do their answers to never-trained tokens go together?"""

    children: tuple[str, ...]
    bases: tuple[str, ...]
    references: tuple[str, ...] = ()
    """Models that are known to be strangers of every base: negative controls of the gate."""
    templates: tuple[Template, ...]
    token_ids: tuple[int, ...] = ()
    """Of the first base; empty: `count` tokens that no base or child was trained on, as far as is known."""
    count: int = CHOSEN
    indicator: str = ""
    """Instead: the `count` ordinary tokens of a base with its least values. The gate tells whether they leak."""
    chat: Chat = "never"
    """Whether children with a chat template are asked in it. Two models are best compared in one format."""
    alpha: float = ALPHA
    seed: int = 0
    published: tuple[PublishedLogprob, ...] = ()
    """Instead of models: published tables to judge; children, bases and templates are then empty."""
    samples: int = 0
    """Replies that each child and what it is related to are asked for after some tokens in the first prompt."""
    encoder: str = ""
    """A sentence-transformers directory: replies of a phrase or more are also grouped by meaning."""

    def problem(self) -> str:
        if not 0 <= self.samples <= MOST_SAMPLES:
            return f"samples: 0 to {MOST_SAMPLES}"
        return "" if 0 < self.alpha < 1 else "alpha is a probability between 0 and 1"


class Rung(Record, kw_only=True):
    """One test of one pair. What did not run says why."""

    name: str
    """`B1 r`, `B2 spelling`, `gate: spelling`; of the weights `W1 trained rows`."""
    null: str
    """What is permuted under the null, in words."""
    p: float | None = None
    """None: it did not run, or the answers tell nothing."""
    z: float | None = None
    effect: float | None = None
    """Mean over tokens, in the statistic's own units."""
    fixed: int | None = None
    """Tokens, or neurons, matched with themselves."""
    tokens: int = 0
    """Or rows, or neurons."""
    said: str = ""
    """Why it did not run, or what is to be known of it."""
    equal: float | None = None
    """Share of tensors or rows that are equal to the bit."""


class LineagePair(Record, kw_only=True):
    """One child and one candidate base."""

    child: str
    candidate: str
    verdict: Verdict
    reason: str
    """The verdict in words: its level, or what it would need."""
    r: float | None = None
    """Mean correlation of the answers to the same token, over tokens and prompts."""
    r_low: float | None = None
    r_high: float | None = None
    """95 % interval by resampling tokens."""
    auc: float | None = None
    z: float | None = None
    p: float | None = None
    """Of the rung that leads."""
    p_holm: float | None = None
    """Adjusted for the candidates of this child."""
    rung: str = ""
    """The one that leads."""
    gate: str
    """Whether the permutation is valid here, in words; 'passed' first where it is."""
    tokens: int
    outputs: int
    """Output strings that are one token in both, none of them untrained."""
    token_bytes: tuple[str, ...] = ()
    """Hexadecimal, of the tokens asked about, in the order of `own`."""
    own: tuple[float, ...] = ()
    """Each token's own similarity, in standard deviations of the null summed over prompts."""
    others: tuple[float, ...] = ()
    """Its mean with the other tokens."""
    rungs: tuple[Rung, ...] = ()
    falling: tuple[float, ...] = ()
    """p of the leading statistic with the first 2, 3, … tokens: how it falls as tokens are added."""


class BaseLogprob(Record, kw_only=True):
    """What one base says of a child's favourite."""

    base: str
    logprob: float | None
    """None: the output is no token of that base."""
    lift: float | None
    """Above the mean after the other tokens, in nats."""


class Favourite(Record, kw_only=True):
    """A child's likeliest output after one token, as in the SolidGoldMagikarp posts."""

    child: str
    template: str
    token: TokenRef
    output: TokenRef
    logprob: float
    bases: tuple[BaseLogprob, ...]


class LineagePart(Record, kw_only=True, tag_field="kind", tag=True):
    """All that was found of one child, while others are still asked."""

    pairs: tuple[LineagePair, ...]
    favourites: tuple[Favourite, ...]


class Lineage(Outcome, kw_only=True):
    pairs: tuple[LineagePair, ...]
    """By child, then by candidate, in the order asked."""
    favourites: tuple[Favourite, ...]
    closest: tuple[str, ...] = ()
    """In words: where a child is related to several candidates, which is the closest."""
    notes: tuple[str, ...] = ()
    bifurcations: tuple[Bifurcation, ...] = ()
    """Of every two children, for each base that both are related to."""
    collapses: tuple[Collapse, ...] = ()
    """Of each child and what it is related to."""
    published: tuple[PublishedVerdict, ...] = ()
    """Of each published table, where there were no models."""
    tree: LineageTree | None = None
    """Of all models, where there are four or more."""
    samples: tuple[SampledReplies, ...] = ()
    """Of each child and what it is related to, for some tokens; where samples were asked for."""
