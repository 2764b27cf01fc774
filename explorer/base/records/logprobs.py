"""Next-token log-probabilities across models."""

from __future__ import annotations

from typing import ClassVar

from explorer.base.records.record import Outcome, Record, Request
from explorer.base.records.repeat_back import Chat
from explorer.base.records.tokens import Bound, TokenRef
from explorer.base.templates import Template


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
    ordered_by: ClassVar[str] = "logprob"

    token: TokenRef
    logprob: float


class LogprobCell(Record, kw_only=True, omit_defaults=True):
    """One target in one model."""

    rank_follows: ClassVar[tuple[str, str]] = ("rank", "logprob")

    target: str
    target_ids: tuple[int, ...]
    logprob: float
    """Sum over the target's tokens where it is several in this model."""
    rank: int | None
    """None where the target is several tokens, and where it is not known."""
    bound: Bound = "exact"
    """`at_most`: a server named only its likeliest tokens, and this is an upper bound."""


class LogprobColumn(Record, kw_only=True):
    """One model's answer."""

    model: str
    prompt_ids: tuple[int, ...]
    prompt: str
    slot_as_text: bool = False
    """True where this model has no token of the same bytes and the slot took several ids."""
    reencodes: bool = True
    entropy: float | None
    """Of the next-token distribution, nats; None where the whole distribution is not known."""
    cells: tuple[LogprobCell, ...]
    top: tuple[TopToken, ...]


class LogprobTable(Outcome, kw_only=True):
    targets: tuple[str, ...]
    columns: tuple[LogprobColumn, ...]

    def problem(self) -> str:
        if all(len(column.cells) == len(self.targets) for column in self.columns):
            return ""
        return f"the columns do not hold one cell for each of {len(self.targets)} targets"
