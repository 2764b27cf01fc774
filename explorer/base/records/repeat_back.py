"""Asking a model to repeat a token back."""

from __future__ import annotations

from typing import ClassVar, Literal

from explorer.base.records.record import Outcome, Record, Request
from explorer.base.records.tokens import Bound, TokenRef
from explorer.base.templates import Template

Chat = Literal["auto", "never"]


ReplyClass = Literal["exact", "contains", "variant", "spelled", "loops", "empty", "other"]


Finish = Literal["eos", "closing", "length", "loop", "cancelled"]


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


class Reply(Record, kw_only=True, omit_defaults=True):
    rank_follows: ClassVar[tuple[str, str, str]] = ("token_rank", "token_logprob", "token_position")

    sample: int
    reply_ids: tuple[int, ...]
    reply: str
    outcome: ReplyClass
    finish: Finish
    token_logprob: float | None
    """Greatest log-probability given to the subject's id within the template's window of reply positions."""
    token_rank: int | None
    """The subject's rank at that position; None where it is not known."""
    token_position: int | None
    """That position, 0 the first reply token."""
    logprobs: tuple[float, ...]
    """Log-probability of each reply token."""
    token_bound: Bound = "exact"
    """`at_most`: `token_logprob` is only known to be at most this."""


class TokenReplies(Record, kw_only=True):
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
    probe: TokenReplies
    controls: tuple[TokenReplies, ...] = ()
