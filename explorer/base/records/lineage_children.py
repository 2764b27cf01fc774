"""What is told of children of one base: where they fell into two of its attractors, and which is surer than it."""

from __future__ import annotations

from typing import Literal

from explorer.base.records.record import Record
from explorer.base.records.tokens import TokenRef

COLLAPSED = 1.0
"""Nats of entropy that a child loses beyond controls before it counts as collapsed."""


class Branch(Record, kw_only=True):
    """What one of two children of a base says, where both say different things that the base is drawn to."""

    child: str
    output: TokenRef
    logprob: float
    base_logprob: float
    sister_logprob: float
    """What the other child gives it."""


class Fork(Record, kw_only=True):
    """A token in a prompt after which two children fell into two attractors of their base."""

    template: str
    token: TokenRef
    branches: tuple[Branch, Branch]


class Bifurcation(Record, kw_only=True):
    """Two children of one base: how often they fell into two of its attractors, beside how often by chance.

    An attractor of a base after a token is an output that it gives 2 % or more, and 5 times as much as after the other
    tokens or more.
    """

    base: str
    """Empty: the children have none in common."""
    children: tuple[str, str]
    said: str = ""
    """Why it was not asked; nothing else is told then."""
    cells: int = 0
    """Tokens times prompts."""
    attractors: float | None = None
    """Of the base, a cell on average."""
    same: int = 0
    """Cells in which both children's favourites are one attractor."""
    apart: int = 0
    """Cells in which they are two."""
    null: float | None = None
    """Such cells expected where the one child's tokens, or the other's, are permuted: the larger number."""
    p: float | None = None
    """The larger of both."""
    forks: tuple[Fork, ...] = ()
    """Some of the cells apart, those first in which both children are surest."""


class Collapse(Record, kw_only=True):
    """How much surer than its base a child is after the tokens, beyond what it is after ordinary ones; in nats."""

    child: str
    base: str
    said: str = ""
    """Why it is not known; nothing else is told then."""
    verdict: Literal["", "collapse", "no collapse", "not decided"] = ""
    """By the 95 % interval: all of it more than `COLLAPSED` below 0, all of it above that, or neither."""
    tokens: float | None = None
    """Median over tokens of the child's entropy less the base's."""
    controls: float | None = None
    """The same over ordinary tokens."""
    low: float | None = None
    high: float | None = None
    """95 % interval of `tokens` less `controls`, by resampling both."""
    sure_base: float | None = None
    sure_child: float | None = None
    """Share of answers with an output above .99."""
    counted: int = 0
    """Tokens; there are as many controls."""


class ReplyGroup(Record, kw_only=True):
    """Replies that begin with the same token, or that mean about the same."""

    name: str
    """The first token, or the commonest reply of the group; empty: nothing was said."""
    child: int
    base: int
    """How many replies of each."""


class SampledReplies(Record, kw_only=True):
    """What a child and what it is related to reply after one token, as often as asked, at temperature 1."""

    child: str
    base: str
    template: str
    token: TokenRef
    replies: int
    """Of each of the two."""
    by_token: tuple[ReplyGroup, ...]
    """The largest groups of replies with the same first token."""
    by_meaning: tuple[ReplyGroup, ...] = ()
    """The largest groups of replies that mean about the same."""
    said: str = ""
    """Why they are not grouped by meaning."""
