"""Everything known of one token."""

from __future__ import annotations

from explorer.base.records.record import Outcome, Record, Request
from explorer.base.records.tokens import TokenRef, TokenRow


class InspectToken(Request, kw_only=True):
    """Everything known of one token, named by its id or by its exact bytes."""

    model: str
    token_id: int | None = None
    token_bytes: str = ""
    unused_ids: tuple[int, ...] | None = None


class FindToken(Request, kw_only=True):
    """Which token an id or exact bytes name: no indicator is computed for it."""

    model: str
    token_id: int | None = None
    token_bytes: str = ""


class TokenFound(Outcome, kw_only=True):
    model: str
    token: TokenRef


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
    quantisation: str = ""
    """How the weights are quantised that its indicators are computed from; see `ModelInfo.quantisation`."""
