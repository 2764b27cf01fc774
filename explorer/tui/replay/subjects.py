"""What a step of a session is about: its token, the rows that it holds, the steps that one press of a key gave."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice

import msgspec

from explorer.base.records.inspect import InspectToken, TokenDetail
from explorer.base.records.logprobs import ReadLogprobs
from explorer.base.records.neighbours import FindNeighbours, Neighbourhood
from explorer.base.records.notes import MarkToken, WriteNote
from explorer.base.records.repeat_back import RepeatBack, RepeatBackResult
from explorer.base.records.speakability import ProveSpeakability, SpeakabilityResult
from explorer.base.records.tokens import Category, TokenRef, TokenRow
from explorer.base.records.unions import AnyRequest, Step
from explorer.base.records.vocabulary import RankedTokens, RankTokens

PRESS = 16
"""Requests that one press of a key sends, at most."""


def rows_in(step: Step) -> tuple[TokenRow, ...]:
    """What a step says of tokens: the rows of a table, of details, of the one that was asked about."""
    match step.outcome:
        case RankedTokens(rows=rows):
            return rows
        case TokenDetail(row=row):
            return (row,)
        case RepeatBackResult(probe=probe):
            return (bare_row(probe.token),)
        case _:
            return ()


def subject_of(step: Step) -> TokenRow | None:
    """The token that a step is about, with as much as the step says of it."""
    match step.request, step.outcome:
        case RankTokens() as request, RankedTokens(rows=rows):
            place = (request.cursor if request.cursor is not None else request.first) - request.first
            return rows[place] if 0 <= place < len(rows) else None
        case InspectToken(), TokenDetail(row=row):
            return row
        case RepeatBack(), RepeatBackResult(probe=probe):
            return bare_row(probe.token)
        case FindNeighbours(), Neighbourhood(subject=subject):
            return msgspec.structs.replace(bare_row(subject.token), category=subject.category)
        case ProveSpeakability(token_ids=(_,)), SpeakabilityResult(rows=(found,)):
            return bare_row(found.token)
        case (
            (
                RepeatBack(token_id=int() as token_id)
                | ReadLogprobs(token_id=int() as token_id)
                | WriteNote(token_id=int() as token_id)
            ),
            _,
        ):
            return bare_row(TokenRef(token_id=token_id, token_bytes="", text=""))
        case MarkToken(token_id=token_id, text=text), _:
            # A text that is not the token's bytes, U+FFFD in it, does not tell them.
            known = "" if "\ufffd" in text else text.encode().hex()
            return bare_row(TokenRef(token_id=token_id, token_bytes=known, text=text))
        case _:
            return None


def bare_row(token: TokenRef, category: Category = "ok") -> TokenRow:
    """A row that says which token it is, and no more."""
    return TokenRow(
        token_id=token.token_id,
        token_bytes=token.token_bytes,
        text=token.text,
        category=category,
        indicators={},
        percentiles={},
        robust_z={},
    )


def ref_of(row: TokenRow) -> TokenRef:
    """Which token a row is about."""
    return TokenRef(token_id=row.token_id, token_bytes=row.token_bytes, text=row.text)


def is_answer(step: Step, token_ids: set[int]) -> bool:
    """Whether a step settled one of these tokens by itself."""
    request = step.request
    named = (
        request.token_ids
        if isinstance(request, ProveSpeakability) and isinstance(step.outcome, SpeakabilityResult)
        else None
    )
    return named is not None and not token_ids.isdisjoint(named)


def press_of(session: Sequence[Step], places: Sequence[int], last: int) -> tuple[AnyRequest, ...]:
    """The request of the step at `last`, and those beside it that differ in the model or in the mode alone: one press
    of a key sent them. `places`: where steps of its kind stand, in order."""
    request = session[last].request
    if not isinstance(request, RepeatBack | ProveSpeakability):
        return (request,)
    asked, at = {_part(request): request}, bisect_left(places, last)
    for beside in (islice(places, at + 1, at + PRESS), reversed(places[max(0, at - PRESS) : at])):
        for place in beside:
            other = session[place].request
            if (
                not isinstance(other, RepeatBack | ProveSpeakability)
                or _part(other) in asked
                or _rest(other) != _rest(request)
            ):
                break
            asked[_part(other)] = other
    return tuple(asked.values())


def _part(request: RepeatBack | ProveSpeakability) -> str:
    """What the requests of one press differ in."""
    return request.model if isinstance(request, RepeatBack) else request.mode


def _rest(request: RepeatBack | ProveSpeakability) -> AnyRequest:
    """What the requests of one press have in common."""
    if isinstance(request, RepeatBack):
        return msgspec.structs.replace(request, model="")
    return msgspec.structs.replace(request, mode="ball", bias=True, solid_angle=False)
